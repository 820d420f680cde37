//! Backups from the schedule to the set, against the provider's stand-in.

use graph_emulator::{FaultAction, FaultRule};
use pb::backup::*;
use pb::operation::{ItemState, OperationRun, OperationRunItem};
use pb::workspace::Role;
use serde_json::json;
use tonic::Code;

use crate::synced::{Synced, detail, of, script};
use crate::world::{World, fresh, refusal};

const SCRIPT: &str = "deviceManagementScript";
const FOLDER: &str = "PowerShell";
const ALPHA: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";
const BETA: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002";

/// Every night, of scripts.
pub(crate) fn nightly() -> BackupPlan {
    BackupPlan {
        name: "Nightly".into(),
        cron: "30 2 * * *".into(),
        time_zone: "Europe/Berlin".into(),
        policy_types: vec![SCRIPT.into()],
        catch_up: CatchUpPolicy::Latest.into(),
        overlap: OverlapPolicy::Skip.into(),
        keep_last: 2,
        ..Default::default()
    }
}

impl Synced<'_> {
    pub(crate) fn create(&self, plan: BackupPlan) -> CreateBackupScheduleRequest {
        CreateBackupScheduleRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            plan: Some(plan),
        }
    }

    pub(crate) async fn schedule(&self, world: &World, plan: BackupPlan) -> BackupSchedule {
        let answer = world.user("ada").backups().create_backup_schedule(self.create(plan)).await.unwrap();
        answer.into_inner().schedule.unwrap()
    }

    fn run_now(&self, schedule: &BackupSchedule) -> RunBackupNowRequest {
        RunBackupNowRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            backup_schedule_id: schedule.backup_schedule_id.clone(),
        }
    }

    pub(crate) async fn back_up(&self, world: &World, schedule: &BackupSchedule) -> (BackupSet, Vec<OperationRunItem>) {
        let answer = world.user("ada").backups().run_backup_now(self.run_now(schedule)).await.unwrap().into_inner();
        self.backed_up(world, answer.run.unwrap()).await
    }

    async fn backed_up(&self, world: &World, run: OperationRun) -> (BackupSet, Vec<OperationRunItem>) {
        let (_, items) = self.ended(&run.run_id).await;
        (self.set(world, &run.run_id).await, items)
    }

    async fn set(&self, world: &World, set: &str) -> BackupSet {
        let request = GetBackupSetRequest {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            backup_set_id: set.to_owned(),
        };
        world.user("ada").backups().get_backup_set(request).await.unwrap().into_inner().set.unwrap()
    }

    async fn sets(&self, world: &World) -> Vec<String> {
        let request = ListBackupSetsRequest {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            ..Default::default()
        };
        let sets = world.user("ada").backups().list_backup_sets(request).await.unwrap().into_inner().sets;
        sets.into_iter().map(|set| set.backup_set_id).collect()
    }

    /// The scripts of a set, page by page: name, version, number.
    async fn scripts(&self, world: &World, set: &BackupSet) -> Vec<(String, String, i32)> {
        let (mut entries, mut token) = (Vec::new(), String::new());
        loop {
            let request = ListBackupSetEntriesRequest {
                workspace_id: self.workspace_id.clone(),
                tenant_id: self.tenant_id.clone(),
                backup_set_id: set.backup_set_id.clone(),
                page_size: 1,
                page_token: token,
            };
            let page = world.user("ada").backups().list_backup_set_entries(request).await.unwrap().into_inner();
            entries.extend(page.entries.into_iter().filter(|entry| entry.policy_type == SCRIPT));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        entries.into_iter().map(|entry| (entry.display_name, entry.policy_version_id, entry.number)).collect()
    }

    async fn retry(&self, world: &World, set: &BackupSet) -> Result<OperationRun, tonic::Status> {
        let request = RetryBackupRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            backup_set_id: set.backup_set_id.clone(),
        };
        Ok(world.user("ada").backups().retry_backup(request).await?.into_inner().run.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_lists_immutable_versions_and_stores_only_what_changed() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put(FOLDER, &script(ALPHA, "Alpha", "Write-Host 1"));
    tenant.put(FOLDER, &script(BETA, "Beta", "Write-Host 2"));
    let schedule = tenant.schedule(&world, nightly()).await;
    let (first, items) = tenant.back_up(&world, &schedule).await;
    assert!(items.iter().all(|item| item.state() == ItemState::Succeeded), "{items:?}");
    assert_eq!((first.state(), first.run_type.as_str()), (BackupSetState::Complete, "backup_schedule.run_now"));
    assert_eq!(first.run_link, format!("/admin/operations/{}", first.backup_set_id));
    assert_eq!(detail(of(&items, SCRIPT), "backed_up"), 2);
    let scripts = tenant.scripts(&world, &first).await;
    assert_eq!(
        scripts.iter().map(|(name, _, number)| (name.as_str(), *number)).collect::<Vec<_>>(),
        [("Alpha", 1), ("Beta", 1)]
    );

    let changed = json!({"scriptContent": script("", "", "Write-Host 3")["scriptContent"]});
    tenant.patch(&format!("/deviceManagement/deviceManagementScripts/{BETA}"), &changed).await;
    let (second, _) = tenant.back_up(&world, &schedule).await;
    let again = tenant.scripts(&world, &second).await;
    assert_eq!(again[0], scripts[0]);
    assert_eq!((again[1].0.as_str(), again[1].2), ("Beta", 2));
    // The first set says what it said.
    assert_eq!(tenant.scripts(&world, &first).await, scripts);

    // Two complete sets are kept: the third takes the place of the first, whose versions stay.
    tenant.delete(&format!("/deviceManagement/deviceManagementScripts/{ALPHA}")).await;
    let (third, _) = tenant.back_up(&world, &schedule).await;
    assert_eq!(tenant.scripts(&world, &third).await.len(), 1);
    assert_eq!(tenant.sets(&world).await, [third.backup_set_id, second.backup_set_id]);
    let beta = tenant.items(SCRIPT).await.into_iter().find(|item| item.external_id == BETA).unwrap();
    assert_eq!(tenant.versions(&beta).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_with_gaps_is_partial_and_can_be_retried() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put(FOLDER, &script(ALPHA, "Alpha", "Write-Host 1"));
    let schedule = tenant.schedule(&world, nightly()).await;
    let fault =
        FaultRule::new(FaultAction::Forbidden { message: None }).path("/deviceManagement/deviceManagementScripts");
    let fault = tenant.emulator.add_fault(fault);
    let (partial, items) = tenant.back_up(&world, &schedule).await;
    assert_eq!(partial.state(), BackupSetState::Partial);
    assert_eq!(of(&items, SCRIPT).state(), ItemState::Failed);
    assert_eq!(of(&items, "roleScopeTag").state(), ItemState::Succeeded);

    tenant.emulator.remove_faults(Some(fault));
    let run = tenant.retry(&world, &partial).await.unwrap();
    assert_eq!(run.r#type, "backup_schedule.retry");
    let (whole, _) = tenant.backed_up(&world, run).await;
    assert_eq!(whole.state(), BackupSetState::Complete);
    assert_eq!(tenant.scripts(&world, &whole).await.len(), 1);
    let refused = refusal(tenant.retry(&world, &whole).await);
    assert_eq!(refused, (Code::FailedPrecondition, "BACKUP_SET_COMPLETE".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_done_again_goes_on_with_its_set() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put(FOLDER, &script(ALPHA, "Alpha", "Write-Host 1"));
    let schedule = tenant.schedule(&world, nightly()).await;
    let (set, _) = tenant.back_up(&world, &schedule).await;
    let scripts = tenant.scripts(&world, &set).await;
    world.runs.again(&set.backup_set_id);
    tenant.ended(&set.backup_set_id).await;
    assert_eq!(tenant.set(&world, &set.backup_set_id).await, set);
    assert_eq!(tenant.scripts(&world, &set).await, scripts);
    assert_eq!(tenant.sets(&world).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_click_is_a_backup_of_its_own_and_a_repeated_request_is_none() {
    let world = World::start_with(&["--worker=false"]).await;
    let tenant = Synced::new(&world).await;
    let schedule = tenant.schedule(&world, nightly()).await;
    let run = |request: RunBackupNowRequest| {
        let mut backups = world.user("ada").backups();
        async move { backups.run_backup_now(request).await.unwrap().into_inner().run.unwrap().run_id }
    };
    let request = tenant.run_now(&schedule);
    let (first, again, other) = (run(request.clone()).await, run(request).await, run(tenant.run_now(&schedule)).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(world.runs.was_on_behalf());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_made_changed_and_ended() {
    let world = World::start_with(&["--worker=false"]).await;
    let tenant = Synced::new(&world).await;
    let mut backups = world.user("ada").backups();
    let request = tenant.create(nightly());
    let schedule = backups.create_backup_schedule(request.clone()).await.unwrap().into_inner().schedule.unwrap();
    assert_eq!(backups.create_backup_schedule(request.clone()).await.unwrap().into_inner().schedule.unwrap(), schedule);
    assert_eq!(schedule.plan, request.plan);
    let next = schedule.next_fire_time.unwrap().seconds;
    assert!(next > schedule.create_time.unwrap().seconds && next % 1800 == 0);
    let other = CreateBackupScheduleRequest { plan: Some(BackupPlan { keep_last: 9, ..nightly() }), ..request };
    assert_eq!(refusal(backups.create_backup_schedule(other).await).1, "REQUEST_ID_REUSED");

    let update = UpdateBackupScheduleRequest {
        request_id: fresh(),
        workspace_id: tenant.workspace_id.clone(),
        tenant_id: tenant.tenant_id.clone(),
        backup_schedule_id: schedule.backup_schedule_id.clone(),
        version: 1,
        plan: Some(BackupPlan { name: "Weekly".into(), cron: "0 4 * * 0".into(), ..nightly() }),
    };
    let changed = backups.update_backup_schedule(update.clone()).await.unwrap().into_inner().schedule.unwrap();
    assert_eq!((changed.version, changed.plan.as_ref().unwrap().name.as_str()), (2, "Weekly"));
    assert_eq!(backups.update_backup_schedule(update.clone()).await.unwrap().into_inner().schedule.unwrap(), changed);
    let stale = UpdateBackupScheduleRequest { request_id: fresh(), ..update.clone() };
    let refused = refusal(backups.update_backup_schedule(stale).await);
    assert_eq!(refused, (Code::Aborted, "BACKUP_SCHEDULE_CHANGED".to_owned()));

    let archive = ArchiveBackupScheduleRequest {
        workspace_id: tenant.workspace_id.clone(),
        tenant_id: tenant.tenant_id.clone(),
        backup_schedule_id: schedule.backup_schedule_id.clone(),
    };
    let archived = backups.archive_backup_schedule(archive.clone()).await.unwrap().into_inner().schedule.unwrap();
    assert!(archived.archive_time.is_some() && archived.next_fire_time.is_none());
    assert_eq!(backups.archive_backup_schedule(archive).await.unwrap().into_inner().schedule.unwrap(), archived);
    let late = UpdateBackupScheduleRequest { request_id: fresh(), version: 3, ..update };
    assert_eq!(refusal(backups.update_backup_schedule(late).await).1, "BACKUP_SCHEDULE_ARCHIVED");
    assert_eq!(refusal(backups.run_backup_now(tenant.run_now(&schedule)).await).1, "BACKUP_SCHEDULE_ARCHIVED");

    let list = |include_archived| ListBackupSchedulesRequest {
        workspace_id: tenant.workspace_id.clone(),
        tenant_id: tenant.tenant_id.clone(),
        include_archived,
        ..Default::default()
    };
    assert!(backups.list_backup_schedules(list(false)).await.unwrap().into_inner().schedules.is_empty());
    assert_eq!(backups.list_backup_schedules(list(true)).await.unwrap().into_inner().schedules, [archived]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_what_and_what_is_wrong_with_a_plan() {
    let world = World::start_with(&["--worker=false"]).await;
    let tenant = Synced::new(&world).await;
    let schedule = tenant.schedule(&world, nightly()).await;
    let ada = world.user("ada");
    ada.let_in(&tenant.workspace_id, "olaf", Role::Operator).await;
    ada.entitle(&tenant.workspace_id, &tenant.tenant_id, "olaf", Role::Operator).await;
    let olaf = world.user("olaf");
    // An operator runs what a manager has planned.
    assert!(olaf.backups().run_backup_now(tenant.run_now(&schedule)).await.is_ok());
    let refused = refusal(olaf.backups().create_backup_schedule(tenant.create(nightly())).await);
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".to_owned()));
    let hidden = refusal(world.user("eve").backups().run_backup_now(tenant.run_now(&schedule)).await);
    assert_eq!(hidden.0, Code::NotFound);

    for (plan, field) in [
        (BackupPlan { cron: "* * * * *".into(), ..nightly() }, "plan.cron"),
        (BackupPlan { cron: "nightly".into(), ..nightly() }, "plan.cron"),
        (BackupPlan { time_zone: "Berlin".into(), ..nightly() }, "plan.time_zone"),
        (BackupPlan { policy_types: vec!["nonsense".into()], ..nightly() }, "plan.policy_types[0]"),
        (BackupPlan { catch_up: 0, ..nightly() }, "plan.catch_up"),
        (BackupPlan { catch_up_most: 3, ..nightly() }, "plan.catch_up_most"),
        (BackupPlan { catch_up: CatchUpPolicy::All.into(), ..nightly() }, "plan.catch_up_most"),
        (BackupPlan { overlap: 7, ..nightly() }, "plan.overlap"),
        (BackupPlan { keep_last: 0, ..nightly() }, "plan.keep_last"),
        (BackupPlan { keep_days: -1, ..nightly() }, "plan.keep_days"),
        (BackupPlan { name: " ".into(), ..nightly() }, "plan.name"),
    ] {
        let status = ada.backups().create_backup_schedule(tenant.create(plan)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(&format!("{field}:")), "{field}: {}", status.message());
    }
}
