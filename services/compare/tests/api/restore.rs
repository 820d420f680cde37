//! Restores from the preview to the provider's stand-in, and everything that is refused before.

use pb::backup::BackupSet;
use pb::inventory::{ListPolicyVersionsRequest, PolicyVersion};
use pb::operation::{ItemEffect, ItemState, OperationRunItem};
use pb::restore::restore_selection::Origin;
use pb::restore::*;
use pb::workspace::Role;
use serde_json::json;
use tonic::{Code, Status};

use crate::backup::nightly;
use crate::synced::{Synced, script};
use crate::world::{World, fresh, refusal};

const SCRIPT: &str = "deviceManagementScript";
const FOLDER: &str = "PowerShell";
const PATH: &str = "/deviceManagement/deviceManagementScripts";
const ALPHA: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";
const BETA: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002";
const GAMMA: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a003";

/// The content of a script that says this.
fn says(what: &str) -> serde_json::Value {
    json!({"scriptContent": script("", "", what)["scriptContent"]})
}

impl Synced<'_> {
    /// Three scripts, backed up.
    async fn backed_up_scripts(&self, world: &World) -> BackupSet {
        for (id, name) in [(ALPHA, "Alpha"), (BETA, "Beta"), (GAMMA, "Gamma")] {
            self.put(FOLDER, &script(id, name, name));
        }
        let schedule = self.schedule(world, nightly()).await;
        self.back_up(world, &schedule).await.0
    }

    fn set_back(&self, set: &BackupSet) -> RestoreSelection {
        self.restore(Origin::BackupSet(BackupSetOrigin {
            backup_set_id: set.backup_set_id.clone(),
            policy_types: vec![SCRIPT.into()],
            ..Default::default()
        }))
    }

    fn versions_back(&self, ids: &[&str]) -> RestoreSelection {
        let policy_version_ids = ids.iter().map(|id| (*id).to_owned()).collect();
        self.restore(Origin::PolicyVersions(PolicyVersionsOrigin { policy_version_ids }))
    }

    fn restore(&self, origin: Origin) -> RestoreSelection {
        RestoreSelection {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            origin: Some(origin),
            include_assignments: false,
        }
    }

    async fn version_list(&self, world: &World, external_id: &str) -> Vec<PolicyVersion> {
        let request = ListPolicyVersionsRequest {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            policy_type: SCRIPT.into(),
            external_id: external_id.into(),
            ..Default::default()
        };
        world.user("ada").inventory().list_policy_versions(request).await.unwrap().into_inner().versions
    }

    async fn content_of(&self, id: &str) -> serde_json::Value {
        self.look(&format!("{PATH}/{id}")).await["scriptContent"].clone()
    }

    /// Restores to the end.
    async fn restored(&self, world: &World, request: ExecuteRestoreRequest) -> Vec<OperationRunItem> {
        let started = world.user("ada").restores().execute_restore(request).await.unwrap().into_inner();
        self.ended(&started.run.unwrap().run_id).await.1
    }
}

async fn preview(world: &World, selection: &RestoreSelection) -> PreviewRestoreResponse {
    preview_by(world, "ada", selection).await.unwrap()
}

async fn preview_by(world: &World, who: &str, selection: &RestoreSelection) -> Result<PreviewRestoreResponse, Status> {
    let request = PreviewRestoreRequest { selection: Some(selection.clone()), ..Default::default() };
    Ok(world.user(who).restores().preview_restore(request).await?.into_inner())
}

/// What a person who read the preview asks for.
fn confirmed(selection: &RestoreSelection, preview: &PreviewRestoreResponse) -> ExecuteRestoreRequest {
    let counts = preview.counts.unwrap();
    ExecuteRestoreRequest {
        request_id: fresh(),
        selection: Some(selection.clone()),
        preview_fingerprint: preview.fingerprint.clone(),
        confirmation: Some(RestoreConfirmation {
            tenant_id: selection.tenant_id.clone(),
            create_count: counts.create,
            update_count: counts.update,
            blocked_count: counts.blocked,
        }),
    }
}

fn counts(preview: &PreviewRestoreResponse) -> (i32, i32, i32, i32) {
    let counts = preview.counts.unwrap();
    (counts.create(), counts.update(), counts.unchanged(), counts.blocked())
}

fn outcome<'i>(items: &'i [OperationRunItem], label: &str) -> &'i OperationRunItem {
    items.iter().find(|item| item.label == label).expect("the item is in the run")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_and_what_was_removed_is_back_as_it_was() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let set = tenant.backed_up_scripts(&world).await;
    let before = (tenant.content_of(ALPHA).await, tenant.content_of(BETA).await);
    tenant.delete(&format!("{PATH}/{ALPHA}")).await;
    tenant.patch(&format!("{PATH}/{BETA}"), &says("changed by hand")).await;
    tenant.sync(&[SCRIPT]).await;

    let selection = tenant.set_back(&set);
    let shown = preview(&world, &selection).await;
    assert_eq!(counts(&shown), (1, 1, 1, 0), "{shown:?}");
    assert_eq!((shown.tenant_name.as_str(), shown.operability.clone().unwrap().allowed()), ("Production", true));
    let fates: Vec<_> =
        shown.policies.iter().map(|policy| (policy.display_name.as_str(), policy.fate(), policy.number)).collect();
    assert_eq!(
        fates,
        [("Alpha", RestoreFate::Create, 1), ("Beta", RestoreFate::Update, 1), ("Gamma", RestoreFate::Unchanged, 1)]
    );

    let items = tenant.restored(&world, confirmed(&selection, &shown)).await;
    assert_eq!(items.len(), 2, "what is unchanged enters no run: {items:?}");
    for (label, effect) in [("Alpha", ItemEffect::Created), ("Beta", ItemEffect::Updated)] {
        let item = outcome(&items, label);
        assert_eq!((item.state(), item.effect()), (ItemState::Succeeded, effect), "{item:?}");
    }
    let all = tenant.look(PATH).await["value"].as_array().unwrap().clone();
    assert_eq!(all.len(), 3, "each is there once: {all:?}");
    let alpha = all.iter().find(|script| script["displayName"] == "Alpha").unwrap()["id"].as_str().unwrap().to_owned();
    assert_ne!(alpha, ALPHA, "the provider gives out ids");
    assert_eq!((tenant.content_of(&alpha).await, tenant.content_of(BETA).await), before);
    // What was replaced is kept, and the numbers go on.
    let versions = tenant.version_list(&world, BETA).await;
    let told: Vec<_> = versions.iter().map(|version| (version.number, version.purpose.as_str())).collect();
    assert_eq!(told, [(3, "pre_image"), (2, "sync"), (1, "sync")]);
    assert_eq!(versions[0].content_hash, versions[1].content_hash);

    // Nothing is left to do: what was made again under its name counts as the one that is gone.
    tenant.sync(&[SCRIPT]).await;
    let shown = preview(&world, &selection).await;
    assert_eq!(counts(&shown), (0, 0, 3, 0), "{shown:?}");
    let refused = refusal(world.user("ada").restores().execute_restore(confirmed(&selection, &shown)).await);
    assert_eq!(refused, (Code::FailedPrecondition, "NOTHING_TO_RESTORE".to_owned()));

    // Changed again, it is that one which is put back.
    tenant.patch(&format!("{PATH}/{alpha}"), &says("changed again")).await;
    tenant.sync(&[SCRIPT]).await;
    let shown = preview(&world, &selection).await;
    assert_eq!(counts(&shown), (0, 1, 2, 0));
    tenant.restored(&world, confirmed(&selection, &shown)).await;
    assert_eq!(tenant.content_of(&alpha).await, before.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_after_the_preview_is_left_alone_and_the_others_go_on() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let set = tenant.backed_up_scripts(&world).await;
    for id in [BETA, GAMMA] {
        tenant.patch(&format!("{PATH}/{id}"), &says("changed by hand")).await;
    }
    tenant.sync(&[SCRIPT]).await;
    let selection = tenant.set_back(&set);
    let shown = preview(&world, &selection).await;
    assert_eq!(counts(&shown), (0, 2, 1, 0));
    // Nobody has synced: only the provider knows.
    tenant.patch(&format!("{PATH}/{BETA}"), &says("changed since")).await;
    let items = tenant.restored(&world, confirmed(&selection, &shown)).await;
    let beta = outcome(&items, "Beta");
    assert_eq!((beta.state(), beta.reason.as_str()), (ItemState::Skipped, "TARGET_DRIFTED"));
    assert!(beta.message.contains("preview the restore again"), "{}", beta.message);
    assert_eq!(outcome(&items, "Gamma").state(), ItemState::Succeeded);
    assert_eq!(tenant.content_of(BETA).await, says("changed since")["scriptContent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_worked_on_again_writes_nothing_twice() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let set = tenant.backed_up_scripts(&world).await;
    tenant.delete(&format!("{PATH}/{ALPHA}")).await;
    tenant.patch(&format!("{PATH}/{BETA}"), &says("changed by hand")).await;
    tenant.sync(&[SCRIPT]).await;
    let selection = tenant.set_back(&set);
    let request = confirmed(&selection, &preview(&world, &selection).await);
    let run = world.user("ada").restores().execute_restore(request).await.unwrap().into_inner().run.unwrap();
    tenant.ended(&run.run_id).await;
    let writes = tenant.emulator.log().len();

    // As if its worker had died between writing and reporting: the intents are there, the outcomes are not.
    world.runs.again(&run.run_id);
    let (_, items) = tenant.ended(&run.run_id).await;
    for (label, effect) in [("Alpha", ItemEffect::Created), ("Beta", ItemEffect::Updated)] {
        let item = outcome(&items, label);
        assert_eq!((item.state(), item.effect()), (ItemState::Succeeded, effect), "{item:?}");
    }
    assert_eq!(tenant.emulator.log().len(), writes);
    assert_eq!(tenant.version_list(&world, BETA).await.len(), 3, "one pre-image");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_was_confirmed_starts_nothing() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let set = tenant.backed_up_scripts(&world).await;
    tenant.patch(&format!("{PATH}/{BETA}"), &says("changed by hand")).await;
    tenant.sync(&[SCRIPT]).await;
    let selection = tenant.set_back(&set);
    let shown = preview(&world, &selection).await;
    let right = confirmed(&selection, &shown);
    let confirmation = right.confirmation.clone().unwrap();
    let restores =
        async |request: &ExecuteRestoreRequest| world.user("ada").restores().execute_restore(request.clone()).await;
    let runs = world.runs.starts().len();

    for (wrong, field) in [
        (RestoreConfirmation { update_count: Some(2), ..confirmation.clone() }, "update_count"),
        (RestoreConfirmation { create_count: Some(1), ..confirmation.clone() }, "create_count"),
        (RestoreConfirmation { blocked_count: Some(1), ..confirmation.clone() }, "blocked_count"),
        (RestoreConfirmation { tenant_id: fresh(), ..confirmation }, "tenant_id"),
    ] {
        let request = ExecuteRestoreRequest { confirmation: Some(wrong), ..right.clone() };
        let status = restores(&request).await.unwrap_err();
        assert!(status.message().contains(field), "{}", status.message());
        assert_eq!(refusal::<()>(Err(status)), (Code::FailedPrecondition, "CONFIRMATION_MISMATCH".to_owned()));
    }
    // Another selection than the one that was previewed; evidence that changed since.
    let stale = (Code::FailedPrecondition, "RESTORE_PREVIEW_STALE".to_owned());
    let other = RestoreSelection { include_assignments: true, ..selection.clone() };
    let request = ExecuteRestoreRequest { selection: Some(other), ..right.clone() };
    assert_eq!(refusal(restores(&request).await), stale);
    tenant.patch(&format!("{PATH}/{BETA}"), &says("changed once more")).await;
    tenant.sync(&[SCRIPT]).await;
    let synced = world.runs.starts().len();
    assert_eq!(refusal(restores(&right).await), stale);
    assert_eq!((runs + 1, synced), (synced, world.runs.starts().len()), "no run but the sync's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_finds_its_run_whatever_happened_since() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let set = tenant.backed_up_scripts(&world).await;
    tenant.patch(&format!("{PATH}/{BETA}"), &says("changed by hand")).await;
    tenant.sync(&[SCRIPT]).await;
    let selection = tenant.set_back(&set);
    let request = confirmed(&selection, &preview(&world, &selection).await);
    let execute = async |request: &ExecuteRestoreRequest| {
        world.user("ada").restores().execute_restore(request.clone()).await.unwrap().into_inner().run.unwrap().run_id
    };
    let run = execute(&request).await;
    tenant.ended(&run).await;
    tenant.sync(&[SCRIPT]).await;
    let starts = world.runs.starts().len();
    assert_eq!(execute(&request).await, run);
    assert_eq!(world.runs.starts().len(), starts);

    let start = world.runs.starts().into_iter().find(|start| start.r#type == "restore.execute").unwrap();
    let context = server::structure::from_struct(start.context.as_ref().unwrap());
    assert_eq!((&context["update"], &context["excluded"]), (&json!(1), &json!(0)));
    assert_eq!(context["preview_fingerprint"], json!(request.preview_fingerprint));
    assert_eq!((start.tenant_id, start.related_tenant_ids.len()), (tenant.tenant_id.clone(), 0));
    assert!(!format!("{:?}", start.context).contains("Beta"), "no content and no names of policies");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_goes_back_to_its_own_tenant_and_what_is_hidden_is_absent() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let set = tenant.backed_up_scripts(&world).await;
    let other = Synced::in_workspace(&world, tenant.workspace_id.clone(), "Production").await;
    other.put(FOLDER, &script(ALPHA, "Alpha", "of the other tenant"));
    other.sync(&[SCRIPT]).await;
    let elsewhere = Synced::new(&world).await;
    elsewhere.put(FOLDER, &script(ALPHA, "Alpha", "of another workspace"));
    elsewhere.sync(&[SCRIPT]).await;
    let version = async |of: &Synced<'_>| of.version_list(&world, ALPHA).await[0].policy_version_id.clone();
    let (own, others, foreign) = (version(&tenant).await, version(&other).await, version(&elsewhere).await);
    let refused = async |who: &str, selection: RestoreSelection| refusal(preview_by(&world, who, &selection).await);
    let hidden = refused("ada", tenant.versions_back(&[&fresh()])).await;
    assert_eq!(hidden.0, Code::NotFound);

    let of_another = (Code::FailedPrecondition, "POLICY_VERSION_OF_ANOTHER_TENANT".to_owned());
    assert_eq!(refused("ada", tenant.versions_back(&[&others])).await, of_another);
    assert_eq!(refused("ada", tenant.versions_back(&[&own, &others])).await, of_another);
    assert_eq!(refused("ada", tenant.versions_back(&[&foreign])).await, hidden);
    assert_eq!(refused("ada", tenant.versions_back(&[&foreign, &others])).await, hidden, "what is hidden comes first");
    assert_eq!(refused("ada", other.set_back(&set)).await, hidden);
    let mut request = confirmed(&tenant.versions_back(&[&own]), &preview(&world, &tenant.versions_back(&[&own])).await);
    request.selection = Some(tenant.versions_back(&[&others]));
    assert_eq!(refusal(world.user("ada").restores().execute_restore(request).await), of_another);

    // Who may look at this tenant only is not told that the other one has such a version.
    let ada = world.user("ada");
    ada.let_in(&tenant.workspace_id, "olaf", Role::Operator).await;
    ada.entitle(&tenant.workspace_id, &tenant.tenant_id, "olaf", Role::Operator).await;
    assert_eq!(refused("olaf", tenant.versions_back(&[&others])).await, hidden);
    assert_eq!(refused("eve", tenant.versions_back(&[&own])).await, hidden);
    // Looking is all that a preview needs; an operator does not restore.
    let shown = preview_by(&world, "olaf", &tenant.set_back(&set)).await.unwrap();
    assert_eq!(shown.operability.clone().unwrap().missing_capability, "tenant_restore.execute");
    let request = confirmed(&tenant.set_back(&set), &shown);
    let refused = refusal(world.user("olaf").restores().execute_restore(request).await);
    assert_eq!(refused, (Code::PermissionDenied, "CAPABILITY_MISSING".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_chosen_by_name_one_of_an_object() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put(FOLDER, &script(BETA, "Beta", "first"));
    tenant.sync(&[SCRIPT]).await;
    let first = tenant.content_of(BETA).await;
    tenant.patch(&format!("{PATH}/{BETA}"), &says("second")).await;
    tenant.sync(&[SCRIPT]).await;
    let versions = tenant.version_list(&world, BETA).await;
    let id = |number: i32| versions.iter().find(|version| version.number == number).unwrap().policy_version_id.as_str();
    let both = tenant.versions_back(&[id(1), id(2)]);
    let refused = refusal(preview_by(&world, "ada", &both).await);
    assert_eq!(refused, (Code::FailedPrecondition, "POLICY_CHOSEN_TWICE".to_owned()));
    assert_eq!(counts(&preview(&world, &tenant.versions_back(&[id(2)])).await), (0, 0, 1, 0));

    let selection = tenant.versions_back(&[id(1)]);
    let shown = preview(&world, &selection).await;
    assert_eq!((counts(&shown), shown.policies[0].display_name.as_str()), ((0, 1, 0, 0), "Beta"));
    tenant.restored(&world, confirmed(&selection, &shown)).await;
    assert_eq!(tenant.content_of(BETA).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_belong_to_one_preview_and_the_first_is_on_record() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let set = tenant.backed_up_scripts(&world).await;
    tenant.patch(&format!("{PATH}/{BETA}"), &says("changed by hand")).await;
    tenant.sync(&[SCRIPT]).await;
    let selection = tenant.set_back(&set);
    let mut restores = world.user("ada").restores();
    let request = PreviewRestoreRequest { selection: Some(selection.clone()), page_size: 1, ..Default::default() };
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let request = PreviewRestoreRequest { page_token: token, ..request.clone() };
        let page = restores.preview_restore(request).await.unwrap().into_inner();
        names.extend(page.policies.into_iter().map(|policy| policy.display_name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["Alpha", "Beta", "Gamma"]);
    let events: Vec<_> =
        world.runs.events().into_iter().filter(|event| event.action == "restore_preview.generated").collect();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].actor_subject.as_str(), &events[0].tenant_id), ("ada", &tenant.tenant_id));
    let detail = server::structure::from_struct(events[0].detail.as_ref().unwrap());
    assert_eq!((&detail["counts"]["update"], &detail["counts"]["unchanged"]), (&json!(1), &json!(2)));

    let only = PreviewRestoreRequest { fates: vec![RestoreFate::Update.into()], ..request.clone() };
    let page = restores.preview_restore(only).await.unwrap().into_inner();
    assert_eq!((page.policies.len(), page.policies[0].display_name.as_str(), counts(&page)), (1, "Beta", (0, 1, 2, 0)));
    // Changed between pages.
    let first = restores.preview_restore(request.clone()).await.unwrap().into_inner();
    tenant.patch(&format!("{PATH}/{GAMMA}"), &says("changed meanwhile")).await;
    tenant.sync(&[SCRIPT]).await;
    let rest = PreviewRestoreRequest { page_token: first.next_page_token, ..request.clone() };
    let refused = refusal(restores.preview_restore(rest).await);
    assert_eq!(refused, (Code::Aborted, "RESTORE_PREVIEW_CHANGED".to_owned()));
    // What cannot be recorded is not told.
    world.runs.set_down(true);
    assert_eq!(refusal(restores.preview_restore(request).await).0, Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_not_good_for_it_blocks_everything_with_a_reason() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let set = tenant.backed_up_scripts(&world).await;
    tenant.patch(&format!("{PATH}/{BETA}"), &says("changed by hand")).await;
    tenant.sync(&[SCRIPT]).await;
    let selection = tenant.set_back(&set);
    assert_eq!(counts(&preview(&world, &selection).await), (0, 1, 2, 0));
    let superuser = world.superuser().await;
    let sql = async |statement: &'static str| sqlx::query(statement).execute(superuser.pool()).await.unwrap();
    sql("UPDATE tenant.tenant SET lifecycle = 'archived', archived_at = now()").await;
    let shown = preview(&world, &selection).await;
    assert_eq!(counts(&shown), (0, 0, 2, 1));
    assert_eq!(shown.reason_counts[0].reason, "TARGET_TENANT_NOT_OPERABLE");
    assert_eq!(shown.operability.clone().unwrap().reason, "LIFECYCLE_MISMATCH");
    let refused = refusal(world.user("ada").restores().execute_restore(confirmed(&selection, &shown)).await);
    assert_eq!(refused, (Code::FailedPrecondition, "NOTHING_TO_RESTORE".to_owned()));
    sql("UPDATE tenant.tenant SET lifecycle = 'active', archived_at = NULL").await;
    sql("UPDATE inventory.coverage SET observed_at = observed_at - interval '2 days'").await;
    assert_eq!(preview(&world, &selection).await.reason_counts[0].reason, "TARGET_EVIDENCE_STALE");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_a_request_names_its_field() {
    let world = World::start_with(&["--worker=false"]).await;
    let tenant = Synced::new(&world).await;
    let set = |set: BackupSetOrigin| tenant.restore(Origin::BackupSet(set));
    let id = fresh();
    let fine = BackupSetOrigin { backup_set_id: id.clone(), ..Default::default() };
    let nonsense = BackupSetOrigin { policy_types: vec!["nonsense".into()], ..fine.clone() };
    let many = BackupSetOrigin { external_ids: vec!["a".into(); 5001], ..fine.clone() };
    for (wrong, field) in [
        (RestoreSelection { workspace_id: "x".into(), ..set(fine.clone()) }, "selection.workspace_id"),
        (RestoreSelection { tenant_id: String::new(), ..set(fine.clone()) }, "selection.tenant_id"),
        (RestoreSelection { origin: None, ..set(fine) }, "selection.origin"),
        (set(BackupSetOrigin::default()), "selection.backup_set.backup_set_id"),
        (set(nonsense), "selection.backup_set.policy_types[0]"),
        (set(many), "selection.backup_set.external_ids"),
        (tenant.versions_back(&[]), "selection.policy_versions.policy_version_ids"),
        (tenant.versions_back(&vec![id.as_str(); 1001]), "selection.policy_versions.policy_version_ids"),
        (tenant.versions_back(&["7"]), "selection.policy_versions.policy_version_ids[0]"),
    ] {
        let status = preview_by(&world, "ada", &wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(&format!("{field}:")), "{field}: {}", status.message());
    }
}
