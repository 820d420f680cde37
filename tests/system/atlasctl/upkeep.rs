//! What operators do beside the main job: pausing, setting tenants up and putting them aside, backups, the directory, the audit trail.

use anyhow::{Context, Result};
use dev::persona::Persona;
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::story::Story;

use super::{Desk, SOURCE, TARGET, between};

/// A type whose content the provider gives back whole.
const SCRIPT: &str = "deviceManagementScript";

#[tokio::test]
async fn everything_beside_the_main_job_in_a_pipe() -> Result<()> {
    let story = Story::of_the_demo().await?;
    let desk = Desk::of(&story, Persona::Owner).await?;
    a_paused_type_is_blocked_until_it_is_resumed(&desk).await?;
    a_connection_is_verified(&desk).await?;
    a_tenant_is_set_up_step_by_step(&desk).await?;
    a_tenant_is_put_aside_and_taken_back(&desk).await?;
    let set = a_tenant_is_backed_up(&desk).await?;
    what_somebody_changed_is_put_back(&story, &desk, &set).await?;
    the_directory_is_read_and_listed(&desk).await?;
    what_ended_is_told_and_counted(&desk).await?;
    a_comparison_is_exported(&desk).await?;
    the_trail_is_exported_and_verified(&desk).await?;
    Ok(())
}

async fn a_paused_type_is_blocked_until_it_is_resumed(desk: &Desk) -> Result<()> {
    let nothing = desk.read(&["controls", "list"]).await?;
    assert_eq!(nothing, "Nothing is paused.\n");
    let paused = desk.read(&["controls", "pause", "inventory.sync", "--reason", "the change window is over"]).await?;
    assert!(paused.starts_with("Paused ") && paused.contains("(inventory.sync) in this workspace"), "{paused}");
    let listed = desk.read(&["controls", "list"]).await?;
    assert!(listed.contains("inventory.sync") && listed.contains("the change window is over"), "{listed}");
    let blocked = desk.run(&["sync", TARGET]).await?;
    assert_eq!(blocked.code, 4, "{blocked:?}");
    assert!(
        blocked.out.starts_with("Blocked: Inventory sync of Contoso Clinics. Nothing was started.\n"),
        "{blocked:?}"
    );
    assert!(blocked.out.contains("the change window is over"), "{blocked:?}");
    desk.read(&["controls", "resume", "inventory.sync", "--reason", "the next one has begun"]).await?;
    assert_eq!(desk.run(&["sync", TARGET, "--wait"]).await?.code, 0);
    let unknown = desk.run(&["controls", "pause", "no.such.type", "--reason", "x"]).await?;
    assert!(unknown.code == 2 && unknown.err.contains("type"), "{unknown:?}");
    let everywhere = desk.run(&["controls", "list", "--everywhere"]).await?;
    assert!(everywhere.code == 2 && everywhere.err.contains("reason: "), "{everywhere:?}");
    Ok(())
}

async fn a_connection_is_verified(desk: &Desk) -> Result<()> {
    let verified = desk.read(&["tenants", "verify", TARGET, "--wait"]).await?;
    assert!(verified.lines().last().is_some_and(|line| line.starts_with("Succeeded in ")), "{verified}");
    let connection = desk.read(&["tenants", "connection", TARGET]).await?;
    assert!(connection.starts_with("State          verified\n"), "{connection}");
    assert!(connection.contains("\nCredential     env:TENANTATLAS_PROVIDER_SECRET_"), "{connection}");
    Ok(())
}

async fn a_tenant_is_set_up_step_by_step(desk: &Desk) -> Result<()> {
    let external_id = uuid::Uuid::new_v4().to_string();
    let name = "Contoso Labs";
    let started = desk.json(&["onboarding", "start", "--name", name, "--external-id", &external_id]).await?;
    let id = started["onboardingId"].as_str().context("an onboarding has an id")?;
    let shown = desk.read(&["onboarding", "get", id]).await?;
    assert!(shown.starts_with("Onboarding of Contoso Labs: in progress\n  [x] identify tenant\n"), "{shown}");
    assert!(shown.contains(&format!("  Next: atlasctl onboarding connect {id} ")), "{shown}");
    let early = desk.run(&["onboarding", "complete", id]).await?;
    assert!(early.code == 2 && early.err.contains("reason: ONBOARDING_INCOMPLETE"), "{early:?}");
    let credential = format!("env:TENANTATLAS_PROVIDER_SECRET_{}", external_id.replace('-', "_").to_uppercase());
    let connect = ["onboarding", "connect", id, "--client-id", "c", "--credential", &credential];
    let connected = desk.read(&connect).await?;
    assert!(connected.contains("[x] connect provider\n"), "{connected}");
    assert!(connected.contains("  Next: atlasctl tenants verify \"Contoso Labs\" --wait\n"), "{connected}");
    // From a version that is not the present one any more.
    let late = desk.run(&[&connect[..], &["--version", "1"]].concat()).await?;
    assert!(late.code == 2 && late.err.contains("reason: ONBOARDING_CHANGED"), "{late:?}");
    assert!(late.err.contains("fix: `atlasctl onboarding get`"), "{late:?}");
    assert!(desk.read(&["onboarding", "list"]).await?.contains(id));
    let cancelled = desk.read(&["onboarding", "cancel", id]).await?;
    assert!(cancelled.starts_with("Onboarding of Contoso Labs: cancelled\n"), "{cancelled}");
    assert!(!desk.read(&["onboarding", "list"]).await?.contains(id));
    assert!(desk.read(&["onboarding", "list", "--all"]).await?.contains(id));
    Ok(())
}

async fn a_tenant_is_put_aside_and_taken_back(desk: &Desk) -> Result<()> {
    let unasked = desk.run(&["tenants", "archive", TARGET]).await?;
    assert!(unasked.code == 2 && unasked.err.contains("--yes --confirm NAME"), "{unasked:?}");
    let wrong = desk.run(&["tenants", "archive", TARGET, "--yes", "--confirm", "Contoso"]).await?;
    assert_eq!(wrong.code, 4, "{wrong:?}");
    assert!(wrong.err.contains("That is not \"Contoso Clinics\". Nothing was changed."), "{wrong:?}");
    let sure = ["--yes", "--confirm", "Contoso Clinics", "--reason", "it moved"];
    let archived = desk.read(&[&["tenants", "archive", TARGET], &sure[..]].concat()).await?;
    assert_eq!(archived, "Contoso Clinics is archived now.\n");
    let refused = desk.run(&["sync", TARGET]).await?;
    assert!(refused.code == 2 && refused.err.contains("reason: "), "{refused:?}");
    let restored = desk.read(&[&["tenants", "restore", TARGET], &sure[..]].concat()).await?;
    assert_eq!(restored, "Contoso Clinics is active now.\n");
    Ok(())
}

/// Returns the set.
async fn a_tenant_is_backed_up(desk: &Desk) -> Result<String> {
    let none = desk.read(&["backups", "schedules", "list", "--tenant", TARGET]).await?;
    assert!(none.starts_with("This tenant has no schedule"), "{none}");
    let plan = ["--name", "nightly", "--cron", "30 2 * * *", "--time-zone", "Europe/Berlin", "--keep-last", "7"];
    let created = desk.json(&[&["backups", "schedules", "create", "--tenant", TARGET], &plan[..]].concat()).await?;
    let schedule = created["schedule"]["backupScheduleId"].as_str().context("a schedule has an id")?;
    let listed = desk.read(&["backups", "schedules", "list", "--tenant", TARGET]).await?;
    assert!(listed.contains("nightly") && listed.contains("Europe/Berlin") && listed.contains("7 sets"), "{listed}");
    let made = desk.read(&["backups", "run", schedule, "--tenant", TARGET, "--wait"]).await?;
    assert!(made.lines().last().is_some_and(|line| line.starts_with("Succeeded in ")), "{made}");
    let sets = desk.json(&["backups", "sets", "list", "--tenant", TARGET]).await?;
    assert_eq!(sets["sets"][0]["state"], "BACKUP_SET_STATE_COMPLETE", "{sets}");
    let set = sets["sets"][0]["backupSetId"].as_str().context("a set has an id")?;
    let entries = desk.read(&["backups", "sets", "entries", set, "--tenant", TARGET]).await?;
    let count = sets["sets"][0]["entryCount"].as_u64().context("it is counted")?;
    assert_eq!(entries.lines().count() as u64, count + 1, "a line for each policy, under a title: {entries}");
    let archived = desk.read(&["backups", "schedules", "archive", schedule, "--tenant", TARGET]).await?;
    assert!(archived.starts_with(&format!("Archived: nightly ({schedule})")), "{archived}");
    let bad = desk
        .run(&[
            "backups",
            "schedules",
            "create",
            "--tenant",
            TARGET,
            "--name",
            "x",
            "--cron",
            "* * * * *",
            "--time-zone",
            "UTC",
        ])
        .await?;
    assert!(bad.code == 2 && bad.err.contains("cron"), "{bad:?}");
    Ok(set.to_owned())
}

async fn what_somebody_changed_is_put_back(story: &Story, desk: &Desk, set: &str) -> Result<()> {
    let chosen = ["--tenant", TARGET, "--set", set, "--type", SCRIPT];
    let refused = desk.run(&[&["restore", "execute"], &chosen[..]].concat()).await?;
    assert!(refused.code == 2 && refused.err.contains("--yes --preview"), "nobody can be asked: {refused:?}");

    let tenant = &story.scene.stack.tenants()[1];
    let held = story.provider.objects(&tenant.external_id).await?;
    let script = held.iter().find(|held| held.kind == SCRIPT).context("the target has a script")?;
    let path = format!("/deviceManagement/deviceManagementScripts/{}", script.id);
    story.provider.graph(tenant, Method::PATCH, &path, &json!({"description": "changed in the portal"})).await?;
    let before = desk.json(&[&["restore", "preview"], &chosen[..]].concat()).await?;
    desk.read(&["sync", TARGET, "--wait"]).await?;

    let preview = desk.json(&[&["restore", "preview"], &chosen[..]].concat()).await?;
    assert_eq!((&preview["counts"]["create"], &preview["counts"]["update"]), (&json!(0), &json!(1)), "{preview}");
    let shown = desk.read(&[&["restore", "preview", "--fate", "update"], &chosen[..]].concat()).await?;
    assert!(shown.contains(script.name()) && shown.contains("0 to create, 1 to update"), "{shown}");
    let fingerprint = |preview: &Value| preview["fingerprint"].as_str().map(str::to_owned).context("a fingerprint");
    let (stale, now) = (fingerprint(&before)?, fingerprint(&preview)?);
    let execute = ["restore", "execute", "--yes", "--wait", "--preview"];
    let stale = desk.run(&[&execute[..], &[stale.as_str()], &chosen[..]].concat()).await?;
    assert!(stale.code == 2 && stale.err.contains("RESTORE_PREVIEW_STALE"), "{stale:?}");
    let done = desk.run(&[&execute[..], &[now.as_str()], &chosen[..]].concat()).await?;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.err.contains("Execute restore") && done.err.contains(script.name()), "{done:?}");
    assert!(done.out.lines().last().is_some_and(|line| line.starts_with("Succeeded in ")), "{done:?}");
    let held = story.provider.objects(&tenant.external_id).await?;
    let again = held.iter().find(|held| held.id == script.id).context("it is still there")?;
    assert_eq!(again.body["description"], script.body["description"]);
    Ok(())
}

async fn the_directory_is_read_and_listed(desk: &Desk) -> Result<()> {
    let never = desk.read(&["directory", "groups", TARGET]).await?;
    assert!(never.contains("never read"), "{never}");
    desk.read(&["directory", "sync", "groups", TARGET, "--wait"]).await?;
    let groups = desk.read(&["directory", "groups", TARGET]).await?;
    assert!(groups.starts_with("NAME ") && !groups.contains("never read"), "{groups}");
    desk.read(&["directory", "sync", "roles", SOURCE, "--wait"]).await?;
    let roles = desk.json(&["directory", "roles", SOURCE]).await?;
    assert!(roles["freshness"].as_array().is_some_and(|all| !all.is_empty()), "{roles}");
    Ok(())
}

async fn what_ended_is_told_and_counted(desk: &Desk) -> Result<()> {
    let attention = desk.read(&["attention"]).await?;
    assert!(attention.starts_with("Nothing wants attention (ended within 24h).\n"), "{attention}");
    let unread = desk.read(&["notifications", "list", "--unread"]).await?;
    assert!(unread.contains("succeeded"), "{unread}");
    assert_eq!(desk.read(&["notifications", "read", "--all"]).await?, "0 unread.\n");
    assert_eq!(desk.read(&["notifications", "list", "--unread"]).await?, "There is no notification.\n");
    Ok(())
}

async fn a_comparison_is_exported(desk: &Desk) -> Result<()> {
    let csv = desk.read(&between("compare", &["--export", "csv"])).await?;
    assert!(csv.lines().next().is_some_and(|titles| titles.contains("subject_key")), "{csv}");
    let lines = desk.read(&between("compare", &["--export", "json-lines"])).await?;
    let objects: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(objects.len() > 20, "{lines}");
    Ok(())
}

async fn the_trail_is_exported_and_verified(desk: &Desk) -> Result<()> {
    let exported = desk.read(&["audit", "export"]).await?;
    let entries: Vec<Value> = exported.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let did = |action: &str| entries.iter().filter(|entry| entry["action"] == action).count();
    assert_eq!((did("tenant.archived"), did("tenant.restored")), (1, 1), "{exported}");
    let one = desk.read(&["audit", "export", "--action", "tenant.archived", "--from", "2026-01-01T00:00:00Z"]).await?;
    assert_eq!(one.lines().count(), 1, "{one}");
    let verified = desk.json(&["audit", "verify"]).await?;
    let through = &verified["verifiedThrough"];
    // Sealing comes a moment after writing: what was verified is known from here on.
    let known = match (through["position"].as_str(), through["hash"].as_str()) {
        (Some(position), Some(hash)) => format!("{position}:{hash}"),
        _ => return Err(anyhow::anyhow!("nothing was sealed: {verified}")),
    };
    let again = desk.read(&["audit", "verify", "--known", &known]).await?;
    assert!(again.starts_with("Whole: "), "{again}");
    let other = format!("{}:{}", through["position"].as_str().unwrap_or_default(), "00".repeat(32));
    let broken = desk.run(&["audit", "verify", "--known", &other]).await?;
    assert!(broken.code == 4 && broken.out.contains("CHECKPOINT_DIFFERS"), "{broken:?}");
    Ok(())
}
