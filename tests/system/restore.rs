//! A restore with real processes: what somebody changed and removed after a backup is back as it was, on record, and once, also when
//! the worker is killed in the middle.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dev::job;
use dev::scene::Script;
use dev::stack::{Plan, Timing};
use pb::backup::{
    BackupPlan, CatchUpPolicy, CreateBackupScheduleRequest, ListBackupSetEntriesRequest, OverlapPolicy,
    RunBackupNowRequest,
};
use pb::operation::{ItemEffect, ItemState, OperationRun, OperationRunOutcome, StartOutcome};
use pb::restore::restore_selection::Origin;
use pb::restore::{BackupSetOrigin, PreviewRestoreResponse, RestoreFate, RestoreSelection};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::provider::{FaultAction, FaultRule};
use system_tests::story::Story;
use tokio::time::timeout;

const SCRIPT: &str = "deviceManagementScript";
const SCRIPTS: &str = "/deviceManagement/deviceManagementScripts";
/// Scripts that are there; odd ones are changed, every third is removed.
const NUMBER: usize = 12;
const LIMIT: Duration = Duration::from_secs(90);

/// The target of the demo, with scripts of ours, backed up and then spoiled.
struct Spoiled {
    story: Story,
    selection: RestoreSelection,
    preview: PreviewRestoreResponse,
    /// Names and contents as they were.
    before: Vec<(String, Value)>,
}

impl Spoiled {
    async fn prepare() -> Result<Self> {
        let mut plan = Plan::test().await?;
        // The worker dies, and somebody has to notice soon.
        plan.timing = Timing { lease_ttl: Some(Duration::from_secs(2)), ..Timing::short() };
        let empty = plan.state.join("source");
        std::fs::create_dir_all(&empty)?;
        let story = Story::begin(&Script::of_folders(empty, None), plan).await?;
        for number in 0..NUMBER {
            story.provider.put_document(external_id(&story), &script(number, "Write-Host then")).await?;
        }
        let set = back_up(&story).await?;
        let before = scripts(&story).await?;
        ensure!(before.len() == NUMBER, "every script is there: {before:?}");
        for held in story.provider.objects(external_id(&story)).await? {
            let Some(number) = number_of(held.name()) else { continue };
            let path = format!("{SCRIPTS}/{}", held.id);
            if number % 3 == 0 {
                graph(&story, Method::DELETE, &path, &Value::Null).await?;
            } else if number % 2 == 1 {
                graph(&story, Method::PATCH, &path, &json!({"scriptContent": content("Write-Host now")})).await?;
            }
        }
        story.sync(&story.scene.target.tenant_id).await?;
        let selection = RestoreSelection {
            workspace_id: story.scene.workspace_id.clone(),
            tenant_id: story.scene.target.tenant_id.clone(),
            origin: Some(Origin::BackupSet(BackupSetOrigin {
                backup_set_id: set,
                policy_types: vec![SCRIPT.into()],
                ..Default::default()
            })),
            include_assignments: true,
        };
        let preview = job::restore_preview(&story.manager, &selection).await?;
        Ok(Self { story, selection, preview, before })
    }

    async fn start(&self) -> Result<OperationRun> {
        let started = job::restore(&self.story.manager, &self.selection, &self.preview).await?;
        ensure!(started.outcome() == StartOutcome::Queued, "{started:?}");
        started.run.context("a queued run is returned")
    }

    /// Everything is as it was, each script once, and every item says what was done.
    async fn proof(&self, run: &OperationRun) -> Result<()> {
        ensure!(run.outcome() == OperationRunOutcome::Succeeded, "{run:?}");
        ensure!(scripts(&self.story).await? == self.before, "everything is as it was, and once");
        let items = job::items(&self.story.manager, &run.run_id).await?;
        let fate =
            |label: &str| self.preview.policies.iter().find(|policy| policy.display_name == label).map(|p| p.fate());
        for item in &items {
            let effect = match fate(&item.label) {
                Some(RestoreFate::Create) => ItemEffect::Created,
                Some(RestoreFate::Update) => ItemEffect::Updated,
                other => anyhow::bail!("{} was not to be written: {other:?}", item.label),
            };
            ensure!((item.state(), item.effect()) == (ItemState::Succeeded, effect), "{item:?}");
        }
        let counts = self.preview.counts.context("a preview counts")?;
        ensure!(items.len() == usize::try_from(counts.create() + counts.update())?, "nothing else was written");
        Ok(())
    }
}

#[tokio::test]
async fn what_was_changed_and_removed_after_a_backup_is_back_and_on_record() -> Result<()> {
    let spoiled = Spoiled::prepare().await?;
    let story = &spoiled.story;
    let counts = spoiled.preview.counts.context("a preview counts")?;
    // 0 3 6 9 are gone; 1 5 7 11 are changed; the rest is as it was.
    assert_eq!((counts.create(), counts.update(), counts.unchanged(), counts.blocked()), (4, 4, 4, 0));
    let run = spoiled.start().await?;
    let again = job::restore(&story.manager, &spoiled.selection, &spoiled.preview).await;
    let ended = job::wait_for_end(&story.manager, &run.run_id).await?;
    spoiled.proof(&ended).await?;
    // Asking for the same once more, under another request id, joined the run or came too late for it; it never made another.
    match again {
        Ok(again) => assert_eq!(again.run.map(|run| run.run_id), Some(run.run_id.clone())),
        Err(status) => assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status:?}"),
    }
    let events = job::audit_of_run(&story.manager, &story.scene.workspace_id, &run.run_id).await?;
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["operation_run.queued", "operation_run.completed"], "{events:?}");
    assert_eq!(events[1].outcome, "succeeded");
    assert!(events.iter().all(|event| event.tenant_id == story.scene.target.tenant_id));
    assert_eq!(story.audit("restore_preview.generated").await?.len(), 1);

    // Nothing is left to restore, and asking is refused without a run.
    story.sync(&story.scene.target.tenant_id).await?;
    let rest = job::restore_preview(&story.manager, &spoiled.selection).await?;
    assert_eq!(rest.counts.context("counts")?.unchanged(), i32::try_from(NUMBER)?, "{rest:?}");
    let refused = job::restore(&story.manager, &spoiled.selection, &rest).await.unwrap_err();
    assert!(refused.message().contains("no policy"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_restores_everything_once() -> Result<()> {
    let mut spoiled = Spoiled::prepare().await?;
    let slow = FaultRule::new(FaultAction::Latency { latency_ms: 40 });
    spoiled.story.provider.fault(&slow.tenant(external_id(&spoiled.story))).await?;
    let run = spoiled.start().await?;
    let mut attempt = 0;
    for kill in 0..4 {
        // Whoever was killed is replaced: wait until the next one has the run and has written something more.
        let written = spoiled.story.provider.committed(external_id(&spoiled.story)).await?.len();
        let further = async {
            loop {
                let now = job::get_run(&spoiled.story.manager, &run.run_id).await;
                let committed = spoiled.story.provider.committed(external_id(&spoiled.story)).await?.len();
                match now {
                    Ok(now) if now.status() == pb::operation::OperationRunStatus::Completed => return Ok(None),
                    Ok(now) if now.attempt > attempt && committed > written => return Ok(Some(now.attempt)),
                    _ => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let further: Result<Option<i32>> = timeout(LIMIT, further).await.context("the run goes on")?;
        match further? {
            Some(now) => attempt = now,
            None => {
                ensure!(kill > 0, "the run ended before it could be disturbed");
                break;
            }
        }
        let compare = &mut spoiled.story.scene.stack.compare[0];
        compare.kill().await?;
        compare.restart().await?;
    }
    spoiled.story.provider.heal().await?;
    let ended = job::wait_for_end(&spoiled.story.manager, &run.run_id).await?;
    spoiled.proof(&ended).await
}

/// Backs the target up by hand; the set.
async fn back_up(story: &Story) -> Result<String> {
    let (workspace_id, tenant_id) = (story.scene.workspace_id.clone(), story.scene.target.tenant_id.clone());
    let plan = BackupPlan {
        name: "By hand".into(),
        cron: "30 2 * * *".into(),
        time_zone: "UTC".into(),
        policy_types: vec![SCRIPT.into()],
        catch_up: CatchUpPolicy::Skip.into(),
        overlap: OverlapPolicy::Skip.into(),
        keep_last: 1,
        ..Default::default()
    };
    let request = CreateBackupScheduleRequest {
        request_id: job::request_id(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        plan: Some(plan),
    };
    let schedule = story.manager.backups().create_backup_schedule(request).await?.into_inner().schedule;
    let request = RunBackupNowRequest {
        request_id: job::request_id(),
        workspace_id: workspace_id.clone(),
        tenant_id: tenant_id.clone(),
        backup_schedule_id: schedule.context("a schedule is made")?.backup_schedule_id,
    };
    let run = story.manager.backups().run_backup_now(request).await?.into_inner().run.context("a backup starts")?;
    let run = job::wait_for_end(&story.manager, &run.run_id).await?;
    ensure!(run.outcome() == OperationRunOutcome::Succeeded, "{run:?}");
    let request = ListBackupSetEntriesRequest {
        workspace_id,
        tenant_id,
        backup_set_id: run.run_id.clone(),
        ..Default::default()
    };
    let entries = story.manager.backups().list_backup_set_entries(request).await?.into_inner().entries;
    ensure!(entries.iter().filter(|entry| entry.policy_type == SCRIPT).count() == NUMBER, "{entries:?}");
    Ok(run.run_id)
}

/// What the tenant has, by name.
async fn scripts(story: &Story) -> Result<Vec<(String, Value)>> {
    let held = story.provider.objects(external_id(story)).await?;
    let mut scripts: Vec<_> = held
        .iter()
        .filter(|held| number_of(held.name()).is_some())
        .map(|held| (held.name().to_owned(), held.body["scriptContent"].clone()))
        .collect();
    scripts.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(scripts)
}

async fn graph(story: &Story, method: Method, path: &str, body: &Value) -> Result<Value> {
    let tenant = story.scene.stack.tenants().iter().find(|tenant| tenant.external_id == external_id(story));
    story.provider.graph(tenant.context("the target is played")?, method, path, body).await
}

fn external_id(story: &Story) -> &str {
    &story.scene.target.external_tenant_id
}

fn number_of(name: &str) -> Option<usize> {
    name.strip_prefix("Script ")?.parse().ok()
}

fn script(number: usize, text: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementScript",
        "id": format!("0190b0a4-7c11-7a3e-9d3f-5a1de1b3a{number:03}"),
        "displayName": format!("Script {number}"),
        "fileName": "script.ps1",
        "scriptContent": content(text),
        "runAsAccount": "system",
        "enforceSignatureCheck": false,
        "runAs32Bit": false,
        "roleScopeTagIds": ["0"],
    })
}

fn content(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
