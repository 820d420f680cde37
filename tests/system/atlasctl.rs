//! The command line as operators have it: the whole main job in a pipe, where scripts read, and in a terminal, where people do.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dev::persona::Persona;
use dev::stack::binary_path;
use serde_json::Value;
use system_tests::provider::{FaultAction, FaultRule};
use system_tests::story::Story;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

mod encrypted;
mod terminal;
mod upkeep;

const SOURCE: &str = "northwind model";
const TARGET: &str = "Contoso Clinics";
/// Of any command here.
const LIMIT: Duration = Duration::from_secs(120);

/// A person's account on some machine, set up for the stack of a story.
struct Desk {
    home: TempDir,
    token: String,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    /// With a context whose token lies in a file.
    async fn of(story: &Story, persona: Persona) -> Result<Self> {
        let desk = Self { home: tempfile::tempdir()?, token: story.scene.stack.token(persona)? };
        let file = desk.home.path().join("token");
        std::fs::write(&file, &desk.token)?;
        let endpoints = story.scene.stack.endpoints()?;
        let arguments = [
            ("--compare", endpoints.compare.as_str()),
            ("--promotion", &endpoints.promotion),
            ("--operation-run", &endpoints.operation_run),
            ("--workspace", "Demo"),
            ("--token-file", file.to_str().context("a path is text")?),
        ];
        let arguments = arguments.into_iter().flat_map(|(option, value)| [option, value]);
        let mut arguments: Vec<_> = ["context", "set", "demo"].into_iter().chain(arguments).collect();
        let ca = desk.home.path().join("ca.pem");
        if let Some(authority) = &endpoints.ca {
            std::fs::write(&ca, authority)?;
            arguments.extend(["--ca-file", ca.to_str().context("a path is text")?]);
        }
        let said = desk.run(&arguments).await?;
        ensure!(said.code == 0, "{said:?}");
        Ok(desk)
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary_path("atlasctl")?);
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Nothing of whoever runs the tests.
        command.args(arguments).env_clear().env("PATH", path).env("TERM", "xterm").env("HOME", self.home.path());
        command.kill_on_drop(true);
        Ok(command)
    }

    /// In a pipe, with nobody to ask.
    async fn run(&self, arguments: &[&str]) -> Result<Said> {
        let output = timeout(LIMIT, self.command(arguments)?.stdin(Stdio::null()).output()).await??;
        let said = Said {
            code: output.status.code().context("it ended by itself")?,
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        };
        for text in [&said.out, &said.err] {
            assert!(!text.contains('\u{1b}'), "a pipe gets no colour and no cursor: {text:?}");
            assert!(!text.contains(&self.token), "the token was printed");
        }
        Ok(said)
    }

    /// What a command said that has to succeed.
    async fn read(&self, arguments: &[&str]) -> Result<String> {
        let said = self.run(arguments).await?;
        ensure!(said.code == 0, "{arguments:?}: {said:?}");
        Ok(said.out)
    }

    async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let said = self.read(&[arguments, &["-o", "json"]].concat()).await?;
        serde_json::from_str(&said).context(said)
    }
}

/// The verb between the two tenants.
fn between<'a>(verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[verb, "--source", SOURCE, "--target", TARGET], more].concat()
}

#[tokio::test]
async fn the_main_job_in_a_pipe() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let desk = Desk::of(&story, Persona::Manager).await?;
    the_context_is_kept_without_the_token(&desk)?;

    let me = desk.read(&["whoami"]).await?;
    assert!(me.contains("Marco Manager, manager@demo.example\n"), "{me}");
    assert!(me.contains("\nOn Contoso Clinics (manager) you may\n"), "{me}");
    let synced = desk.read(&["sync", TARGET, "--wait"]).await?;
    let begins = "Queued: Inventory sync of Contoso Clinics.\n  Open operation: /admin/operations/";
    assert!(synced.starts_with(begins), "{synced}");
    assert!(synced.lines().last().is_some_and(|line| line.starts_with("Succeeded in ")), "{synced}");

    let compared = desk.run(&between("compare", &["--exit-code"])).await?;
    assert_eq!(compared.code, 1, "{compared:?}");
    let begins = "Northwind Model → Contoso Clinics\n58 governed subjects compared, 44 not identical: 11 different, ";
    assert!(compared.out.starts_with(begins), "{compared:?}");
    assert!(compared.out.contains("\nmissing in target  Windows - Copilot off "), "{compared:?}");

    let refused = desk.run(&between("promote", &[])).await?;
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("there is no terminal to ask on\n  fix: read `atlasctl preflight`"), "{refused:?}");
    let stale = desk.run(&between("promote", &["--yes", "--preflight", "0123"])).await?;
    assert!(stale.code == 2 && stale.err.contains("reason: PREFLIGHT_STALE"), "{stale:?}");
    assert!(story.promotions().await?.is_empty(), "nothing was started by a refused command");

    let preflight = desk.json(&between("preflight", &[])).await?;
    assert_eq!(preflight["counts"]["ready"], 28, "{preflight}");
    let fingerprint = preflight["fingerprint"].as_str().context("a preflight has a fingerprint")?;
    let promoted = desk.run(&between("promote", &["--yes", "--preflight", fingerprint, "--wait"])).await?;
    what_a_promotion_says_in_a_pipe(&promoted);

    desk.read(&["sync", TARGET, "--wait"]).await?;
    let after = desk.json(&between("preflight", &[])).await?;
    let fingerprint = after["fingerprint"].as_str().context("a preflight has a fingerprint")?;
    let nothing = desk.run(&between("promote", &["--yes", "--preflight", fingerprint])).await?;
    assert!(nothing.code == 2 && nothing.err.contains("reason: NOTHING_READY"), "{nothing:?}");
    what_was_done_can_be_looked_up(&desk).await?;
    who_may_not_is_told_so(&story).await
}

fn the_context_is_kept_without_the_token(desk: &Desk) -> Result<()> {
    let file = desk.home.path().join(".config/atlasctl/config.toml");
    let text = std::fs::read_to_string(&file)?;
    assert!(text.contains("token_file") && !text.contains(&desk.token), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file)?.permissions());
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}

#[track_caller]
fn what_a_promotion_says_in_a_pipe(said: &Said) {
    assert_eq!(said.code, 0, "{said:?}");
    for part in [
        "Source tenant  Northwind Model (is not changed)\n",
        "Target tenant  Contoso Clinics\n",
        "Ready            28  (20 to create, 8 to update)\n",
        "Excluded         13  (7 blocked, 6 manual mapping required)\n",
        " 1 × UNMAPPED_GROUP\n",
        "Only Contoso Clinics is changed.\n",
    ] {
        assert!(said.err.contains(part), "the confirmation lacks {part:?}: {}", said.err);
    }
    let lines: Vec<_> = said.out.lines().collect();
    assert_eq!(lines[0], "Queued: Promotion Northwind Model → Contoso Clinics.");
    assert!(lines[1].starts_with("  Open operation: /admin/operations/"), "{said:?}");
    let states = &lines[2..lines.len() - 1];
    assert!(!states.is_empty(), "{said:?}");
    assert!(states.windows(2).all(|pair| pair[0] != pair[1]), "no state is told twice: {said:?}");
    let counts = "28 succeeded (20 created, 8 updated), 0 failed, 0 skipped";
    assert!(states[states.len() - 1].contains(&format!(" 28/28  {counts}")), "{said:?}");
    let end = lines[lines.len() - 1];
    assert!(end.starts_with("Succeeded in ") && end.ends_with(&format!(": {counts}.")), "{end}");
}

async fn what_was_done_can_be_looked_up(desk: &Desk) -> Result<()> {
    let listed = desk.read(&["runs", "list", "--type", "promotion.execute", "--mine", "-o", "jsonl"]).await?;
    let runs: Vec<Value> = listed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let [run] = runs.as_slice() else { panic!("one promotion was started, not {listed}") };
    let id = run["runId"].as_str().context("a run has an id")?;
    // Canonical JSON: counts are numbers, a zero is there, 64-bit numbers are text.
    assert_eq!((&run["summaryCounts"]["failed"], run["revision"].is_string()), (&0.into(), true), "{run}");

    let shown = desk.read(&["runs", "get", &format!("/admin/operations/{id}"), "--items"]).await?;
    assert!(shown.contains("\nState           succeeded\n"), "{shown}");
    assert!(shown.contains("\nRefers to       Northwind Model\n"), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.starts_with("created ")).count(), 20, "{shown}");
    let explained = desk.read(&["runs", "explain", id]).await?;
    assert!(explained.starts_with("Cross-tenant promotion: succeeded\n  ended: "), "{explained}");
    let watched = desk.read(&["runs", "watch", id]).await?;
    assert!(watched.contains("\nSucceeded in "), "a run that has ended is watched to its end: {watched}");
    let audited = desk.read(&["audit", "list", "--run", id]).await?;
    assert!(audited.contains("operation_run.completed"), "{audited}");
    let actions = desk.read(&["tenants", "actions", TARGET]).await?;
    assert!(actions.contains("CAPABILITY_MISSING: tenant.lifecycle"), "{actions}");
    let found = desk.read(&["tenants", "search", "conto"]).await?;
    assert!(found.contains("Contoso Clinics") && !found.contains("Northwind"), "{found}");
    let unknown = desk.run(&["tenants", "get", "Conto"]).await?;
    assert!(unknown.err.contains("no tenant named \"Conto\"\n  fix: there are: Contoso Clinics, "), "{unknown:?}");
    Ok(())
}

async fn who_may_not_is_told_so(story: &Story) -> Result<()> {
    let run = story.promotions().await?.into_iter().next().context("there is a promotion")?;
    let outsider = Desk::of(story, Persona::Outsider).await?;
    let hidden = outsider.run(&["runs", "watch", &run.run_id]).await?;
    assert!(hidden.code == 2 && hidden.err.starts_with("error: not found\n  reason: NOT_FOUND\n  fix: "), "{hidden:?}");
    let readonly = Desk::of(story, Persona::Readonly).await?;
    let forbidden = readonly.run(&["sync", TARGET]).await?;
    assert!(forbidden.code == 2 && forbidden.err.contains("a role that has `tenant_inventory.sync`"), "{forbidden:?}");
    assert!(!forbidden.err.contains("request id"), "{forbidden:?}");
    let verbose = readonly.run(&["sync", TARGET, "-v"]).await?;
    assert!(verbose.err.contains("\n  request id: "), "{verbose:?}");
    Ok(())
}

#[tokio::test]
async fn the_main_job_in_a_terminal() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let desk = Desk::of(&story, Persona::Manager).await?;

    let narrow = terminal::run(desk.command(&between("compare", &[]))?, 60, &[]).await?;
    let (_, rows) = narrow.text.split_once("\r\n\r\n").context("a table follows the summary")?;
    assert!(rows.lines().all(|line| line.chars().count() <= 60), "{rows}");
    assert!(!rows.contains("PLATFORM"), "what matters least is left out: {rows}");

    let no = terminal::run(desk.command(&between("promote", &["--wait"]))?, 100, &[("[y/N] ", "n\n")]).await?;
    assert_eq!(no.code, 4, "{}", no.text);
    assert!(no.text.contains("Apply 28 ready subjects to Contoso Clinics? [y/N] "), "{}", no.text);
    assert!(no.text.contains("Nothing was started."), "{}", no.text);
    assert!(story.promotions().await?.is_empty());

    let yes = terminal::run(desk.command(&between("promote", &["--wait"]))?, 100, &[("[y/N] ", "y\n")]).await?;
    assert_eq!(yes.code, 0, "{}", yes.text);
    assert!(yes.text.contains("\u{1b}[32mQueued\u{1b}[0m: Promotion"), "colour: {}", yes.text);
    assert!(yes.text.contains("] 28/28 "), "a bar is drawn: {}", yes.text);
    assert!(yes.text.contains("\u{1b}[32mSucceeded\u{1b}[0m in "), "{}", yes.text);

    let run = story.promotions().await?.into_iter().next().context("there is a promotion")?;
    let mut plain = desk.command(&["runs", "get", &run.run_id])?;
    plain.env("NO_COLOR", "1");
    let plain = terminal::run(plain, 100, &[]).await?;
    assert!(plain.text.contains("State           succeeded\r\n") && !plain.text.contains('\u{1b}'), "{}", plain.text);
    Ok(())
}

#[tokio::test]
async fn a_watch_outlives_the_service_and_says_how_the_operation_ended() -> Result<()> {
    let mut story = Story::of_the_demo().await?;
    let desk = Desk::of(&story, Persona::Manager).await?;
    let slow = FaultRule::new(FaultAction::Latency { latency_ms: 400 });
    story.provider.fault(&slow.tenant(&story.scene.target.external_tenant_id)).await?;
    let preflight = desk.json(&between("preflight", &[])).await?;
    let fingerprint = preflight["fingerprint"].as_str().context("a preflight has a fingerprint")?;
    let started = desk.json(&between("promote", &["--yes", "--preflight", fingerprint])).await?;
    assert_eq!(started["outcome"], "START_OUTCOME_QUEUED", "{started}");
    let id = started["run"]["runId"].as_str().context("a run has an id")?;

    let mut command = desk.command(&["runs", "watch", id, "-o", "jsonl"])?;
    let mut watch = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(watch.stdout.take().context("it was piped")?).lines();
    let mut revisions = Vec::new();
    let mut is_interrupted = false;
    while let Some(line) = timeout(LIMIT, lines.next_line()).await?? {
        let message: Value = serde_json::from_str(&line)?;
        let run = message.get("snapshot").or_else(|| message["event"].get("run")).context("only runs are told")?;
        revisions.push(run["revision"].as_str().context("a revision is text")?.parse::<i64>()?);
        if message["event"]["kind"] == "progressed" && !is_interrupted {
            is_interrupted = true;
            let service = &mut story.scene.stack.operation_run[0];
            service.kill().await?;
            service.restart().await?;
            desk.read(&["runs", "cancel", id, "--reason", "the change window is over"]).await?;
        }
    }
    assert!(is_interrupted, "it was slow enough to be interrupted");
    let status = timeout(LIMIT, watch.wait()).await??;
    assert_eq!(status.code(), Some(5), "cancelled");
    // Every change once, in order, over the interruption.
    let dense: Vec<_> = (revisions[0]..).take(revisions.len()).collect();
    assert_eq!(revisions, dense);
    let again = desk.run(&["runs", "watch", id]).await?;
    assert_eq!(again.code, 5, "{again:?}");
    assert!(again.out.contains("\nCancelled in ") && again.out.contains(" × CANCELLED: "), "{again:?}");
    Ok(())
}
