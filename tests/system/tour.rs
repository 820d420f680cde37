//! The README's tour, line by line as it stands there, with a real grpcurl: a client nobody here wrote.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use dev::persona::Persona;
use pb::inventory::{ListInventoryItemsRequest, ListPolicyVersionsRequest};
use serde_json::Value;
use system_tests::story::Story;

#[tokio::test]
async fn the_tour_of_the_readme_works_as_it_is_printed() -> Result<()> {
    let Some(grpcurl) = std::env::var_os("ATLAS_GRPCURL") else {
        system_tests::skipped("the README's tour", "ATLAS_GRPCURL names no grpcurl; `cargo dev test` brings one");
        return Ok(());
    };
    let story = Story::of_the_demo().await?;
    let mut shell = Shell::open(&story, grpcurl)?;
    let tour = Tour::read()?;

    assert!(shell.run(tour.step("$COMPARE list"))?.contains("tenantatlas.compare.v1.CompareService"));
    let described = shell.run(tour.step("$PROMOTION describe"))?;
    assert!(described.contains("rpc ExecutePromotion"), "{described}");
    assert!(described.contains("What a promotion guarantees"), "comments are served along: {described}");

    let preview = shell.run_for_json(tour.step("/PreviewCompare"))?;
    assert!(preview["counts"]["total"].as_i64() > Some(40), "{preview}");
    let preflight = shell.run_for_json(tour.step("/GeneratePromotionPreflight"))?;
    let counts = &preflight["counts"];
    let number = |name: &str| counts[name].as_i64().with_context(|| format!("{name} in {counts}"));
    shell.set("FINGERPRINT", preflight["fingerprint"].as_str().context("a preflight has a fingerprint")?);
    shell.set("READY", &number("ready")?.to_string());
    shell.set("EXCLUDED", &number("excluded")?.to_string());
    let started = shell.run_for_json(tour.step("/ExecutePromotion"))?;
    assert_eq!(started["outcome"], "START_OUTCOME_QUEUED", "{started}");
    shell.set("RUN", started["run"]["runId"].as_str().context("a queued run has an id")?);

    // One message after the other, and the end by itself when the run has ended.
    let watched = shell.run(tour.step("/WatchPromotionRuns"))?;
    let messages = serde_json::Deserializer::from_str(&watched).into_iter::<Value>().collect::<Result<Vec<_>, _>>()?;
    let last = messages.iter().rev().find_map(|message| message.get("event")).context("events were seen")?;
    assert_eq!(
        (&last["kind"], &last["run"]["outcome"]),
        (&"completed".into(), &"OPERATION_RUN_OUTCOME_SUCCEEDED".into())
    );
    // A zero is printed too: counts that matter are there or absent, never silently nothing.
    assert_eq!(last["run"]["summaryCounts"]["failed"], 0, "{last}");

    let hidden = shell.run_to_failure(tour.step("/GetOperationRun"))?;
    assert!(hidden.contains("Code: NotFound") && hidden.contains("Message: not found"), "{hidden}");
    assert_details_are_decoded(&hidden, "NOT_FOUND");

    a_disabled_action_says_what_would_help_and_forcing_it_is_refused(&shell, &tour)?;
    a_restore_is_previewed(&story, &mut shell, &tour).await?;
    an_onboarding_says_what_is_left_to_do(&mut shell, &tour)?;
    details_of_other_errors_are_decoded(&shell)?;
    every_server_says_what_it_serves(&shell)
}

/// The details of an error as messages with names, not as bytes.
#[track_caller]
fn assert_details_are_decoded(said: &str, reason: &str) {
    // Versions of grpcurl break lines differently.
    let dense: String = said.split_whitespace().collect();
    for part in ["google.rpc.ErrorInfo", &format!("\"reason\":\"{reason}\""), "\"domain\":\"tenantatlas\""] {
        assert!(dense.contains(part), "{part} is not in {said}");
    }
}

fn a_disabled_action_says_what_would_help_and_forcing_it_is_refused(shell: &Shell, tour: &Tour) -> Result<()> {
    let catalogue = shell.run_for_json(tour.step("/ListTenantActions"))?;
    let actions = catalogue["actions"].as_array().context("there are actions")?;
    let sync = actions.iter().find(|action| action["action"] == "sync_inventory").context("a sync is one of them")?;
    let outcome = &sync["outcome"];
    assert_eq!((&outcome["allowed"], &outcome["reason"]), (&false.into(), &"CAPABILITY_MISSING".into()), "{sync}");
    let guidance = outcome["guidance"].as_str().context("it says what would help")?;
    assert!(readme()?.contains(guidance), "the README prints another guidance than {guidance}");
    let forced = shell.run_to_failure(tour.step("/SyncInventory"))?;
    assert!(forced.contains("Code: PermissionDenied"), "{forced}");
    assert_details_are_decoded(&forced, "CAPABILITY_MISSING");
    Ok(())
}

async fn a_restore_is_previewed(story: &Story, shell: &mut Shell, tour: &Tour) -> Result<()> {
    let (workspace_id, tenant_id) = (story.scene.workspace_id.clone(), story.scene.target.tenant_id.clone());
    let policy_type = "deviceManagementScript".to_owned();
    let request = ListInventoryItemsRequest {
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        policy_types: vec![policy_type.clone()],
        ..Default::default()
    };
    let items = story.manager.inventory().list_inventory_items(request).await?.into_inner().items;
    let external_id = items.first().context("the demo's target has a script")?.external_id.clone();
    let request = ListPolicyVersionsRequest { workspace_id, tenant_id, policy_type, external_id, ..Default::default() };
    let versions = story.manager.inventory().list_policy_versions(request).await?.into_inner().versions;
    shell.set("VERSION", &versions.last().context("it has a version")?.policy_version_id);
    let preview = shell.run_for_json(tour.step("/PreviewRestore"))?;
    // Nobody has synced since the promotion: as far as is known, it is as it was.
    assert_eq!((&preview["counts"]["unchanged"], &preview["counts"]["update"]), (&1.into(), &0.into()), "{preview}");
    assert_eq!(preview["operability"]["allowed"], true, "{preview}");
    Ok(())
}

fn an_onboarding_says_what_is_left_to_do(shell: &mut Shell, tour: &Tour) -> Result<()> {
    let started = shell.run_for_json(tour.step("/StartOnboarding"))?;
    assert_eq!(started["tenant"]["lifecycle"], "TENANT_LIFECYCLE_ONBOARDING", "{started}");
    let onboarding = &started["onboarding"];
    assert_eq!(onboarding["nextCheckpoint"], "ONBOARDING_CHECKPOINT_CONNECT_PROVIDER", "{started}");
    shell.set("ONBOARDING", onboarding["onboardingId"].as_str().context("an onboarding has an id")?);
    let early = shell.run_to_failure(tour.step("/CompleteOnboarding"))?;
    assert_details_are_decoded(&early, "ONBOARDING_INCOMPLETE");
    let guidance = "Connect the provider and verify the connection first.";
    assert!(early.contains(guidance) && readme()?.contains(guidance), "{early}");
    let cancelled = shell.run_for_json(tour.step("/CancelOnboarding"))?;
    assert_eq!(cancelled["tenant"]["lifecycle"], "TENANT_LIFECYCLE_DRAFT", "{cancelled}");
    Ok(())
}

fn details_of_other_errors_are_decoded(shell: &Shell) -> Result<()> {
    let call = "grpcurl -plaintext -H \"authorization: Bearer $(cargo dev token manager)\"";
    let method = "$RUNS tenantatlas.operation.v1.OperationRunService/GetOperationRun";
    let malformed = shell.run_to_failure(&format!("{call} -d '{{\"run_id\": \"not an id\"}}' {method}"))?;
    assert_details_are_decoded(&malformed, "FIELD_INVALID");
    assert!(malformed.contains("google.rpc.BadRequest") && malformed.contains("run_id"), "{malformed}");
    let nobody = shell.run_to_failure(&format!("grpcurl -plaintext -d '{{}}' {method}"))?;
    assert_details_are_decoded(&nobody, "TOKEN_MISSING");
    let again = "tenantatlas.promotion.v1.PromotionService/ExecutePromotion";
    let stale = shell.run_to_failure(&format!(
        "{call} -d \"{{\\\"request_id\\\": \\\"$(cargo dev uuid)\\\", \\\"selection\\\": $SELECTION, \
         \\\"preflight_fingerprint\\\": \\\"of yesterday\\\", \\\"confirmation\\\": {{\\\"source_tenant_id\\\": \\\"$SOURCE\\\", \
         \\\"target_tenant_id\\\": \\\"$TARGET\\\", \\\"ready_count\\\": 1, \\\"excluded_count\\\": 0}}}}\" $PROMOTION {again}"
    ))?;
    assert_details_are_decoded(&stale, "PREFLIGHT_STALE");
    Ok(())
}

fn every_server_says_what_it_serves(shell: &Shell) -> Result<()> {
    let served = [
        ("$COMPARE", &["compare.v1.CompareService", "inventory.v1.InventoryService", "tenant.v1.TenantService"][..]),
        ("$COMPARE", &["workspace.v1.WorkspaceService"]),
        ("$PROMOTION", &["promotion.v1.PromotionService"]),
        ("$RUNS", &["operation.v1.OperationRunService", "audit.v1.AuditService"]),
    ];
    for (server, services) in served {
        let listed = shell.run(&format!("grpcurl -plaintext {server} list"))?;
        for service in services {
            assert!(listed.contains(service), "{service} is not in {listed}");
        }
        let health = shell.run_for_json(&format!("grpcurl -plaintext {server} grpc.health.v1.Health/Check"))?;
        assert_eq!(health["status"], "SERVING", "{server}");
    }
    let run = shell.run("grpcurl -plaintext $RUNS describe tenantatlas.operation.v1.OperationRun")?;
    assert!(run.contains("// Canonical link") && run.contains("SummaryCounts summary_counts"), "{run}");
    Ok(())
}

fn readme() -> Result<String> {
    Ok(std::fs::read_to_string(dev::paths::repository().join("README.md"))?)
}

/// The commands between the README's title of the tour and its next paragraph.
struct Tour(Vec<String>);

impl Tour {
    fn read() -> Result<Self> {
        let readme = readme()?;
        let (_, tour) = readme.split_once("## A tour with grpcurl").context("the README has a tour")?;
        let block = tour.split("```sh\n").nth(1).and_then(|block| block.split("```").next());
        let block = block.context("the tour has commands")?.replace("\\\n", " ");
        // A command begins at the start of a line; what is indented goes on.
        let mut commands: Vec<String> = Vec::new();
        for line in block.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            match commands.last_mut() {
                Some(command) if line.starts_with(' ') => *command += &format!("\n{line}"),
                _ => commands.push(line.to_owned()),
            }
        }
        ensure!(commands.len() >= 8, "the tour has become short: {commands:#?}");
        Ok(Self(commands))
    }

    /// The command that says this, with the assignments before it.
    fn step(&self, mark: &str) -> &str {
        let found: Vec<_> = self.0.iter().filter(|command| command.contains(mark)).collect();
        let [command] = found.as_slice() else { panic!("one command of the README says {mark}, not {found:#?}") };
        command
    }
}

/// A shell as a person has it after `cargo dev up`: the variables it prints, grpcurl on the path.
struct Shell {
    variables: BTreeMap<&'static str, String>,
    grpcurl: OsString,
}

/// `cargo dev token` asks a stack that `cargo dev up` runs; here the stack is the test's own.
const WORDS: &str = r#"
set -eu
grpcurl() { "$GRPCURL" "$@"; }
cargo() {
  case "$*" in
    "dev uuid") echo "$FRESH_ID" ;;
    "dev token "*) local name="TOKEN_$3"; echo "${!name}" ;;
    *) echo "the tour needs another cargo: $*" >&2; return 1 ;;
  esac
}
TOKEN=$(cargo dev token manager)
"#;

impl Shell {
    fn open(story: &Story, grpcurl: OsString) -> Result<Self> {
        let stack = &story.scene.stack;
        let endpoints = stack.endpoints()?;
        let address = |uri: &str| uri.trim_start_matches("http://").to_owned();
        let selection = serde_json::json!({
            "workspace_id": story.scene.workspace_id,
            "source_tenant_id": story.scene.source.tenant_id,
            "target_tenant_id": story.scene.target.tenant_id,
        });
        let variables = BTreeMap::from([
            ("COMPARE", address(&endpoints.compare)),
            ("PROMOTION", address(&endpoints.promotion)),
            ("RUNS", address(&endpoints.operation_run)),
            ("WORKSPACE", story.scene.workspace_id.clone()),
            ("SOURCE", story.scene.source.tenant_id.clone()),
            ("TARGET", story.scene.target.tenant_id.clone()),
            ("SELECTION", selection.to_string()),
            ("TOKEN_manager", stack.token(Persona::Manager)?),
            ("TOKEN_readonly", stack.token(Persona::Readonly)?),
            ("TOKEN_outsider", stack.token(Persona::Outsider)?),
        ]);
        Ok(Self { variables, grpcurl })
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.insert(name, value.to_owned());
    }

    fn run(&self, command: &str) -> Result<String> {
        let output = self.execute(command)?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{command}\n{said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    }

    fn run_for_json(&self, command: &str) -> Result<Value> {
        let said = self.run(command)?;
        serde_json::from_str(&said).with_context(|| format!("{command}\n{said}"))
    }

    /// What a command says that must not succeed.
    fn run_to_failure(&self, command: &str) -> Result<String> {
        let output = self.execute(command)?;
        ensure!(!output.status.success(), "{command} succeeded");
        Ok(String::from_utf8(output.stderr)?)
    }

    fn execute(&self, command: &str) -> Result<Output> {
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(format!("{WORDS}{command}")).envs(&self.variables).env("GRPCURL", &self.grpcurl);
        shell.env("FRESH_ID", uuid::Uuid::now_v7().to_string()).output().context("there is no bash")
    }
}
