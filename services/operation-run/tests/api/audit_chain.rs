//! The chain of seals: what is written is sealed, and whoever tampers with it, with whatever rights, is found.

use std::process::Command;

use futures::future::join_all;
use pb::audit::{
    AuditCheckpoint, AuditEvent, BrokenEntry, ExportAuditEventsRequest, ListAuditEventsRequest,
    RecordAuditEventRequest, VerifyAuditTrailRequest, VerifyAuditTrailResponse,
};
use tonic::Code;
use uuid::Uuid;

use crate::harness::{SOON, World, assert_refused};

async fn record(world: &World, action: &str, actor: &str) {
    let event = AuditEvent {
        entry_id: Uuid::now_v7().to_string(),
        workspace_id: world.workspace.to_string(),
        action: action.into(),
        actor_subject: actor.into(),
        tenant_id: world.target.to_string(),
        ..Default::default()
    };
    let request = RecordAuditEventRequest { event: Some(event) };
    world.audit(None, Some("compare-service")).record_audit_event(request).await.unwrap();
}

fn verify_request(world: &World) -> VerifyAuditTrailRequest {
    VerifyAuditTrailRequest { workspace_id: world.workspace.to_string(), ..Default::default() }
}

async fn verify(world: &World, request: VerifyAuditTrailRequest) -> VerifyAuditTrailResponse {
    world.audit(Some("ada"), None).verify_audit_trail(request).await.unwrap().into_inner()
}

/// Waits until everything is sealed, and verifies.
async fn sealed(world: &World) -> VerifyAuditTrailResponse {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let verified = verify(world, verify_request(world)).await;
        assert_eq!(verified.broken, None, "{verified:?}");
        if verified.unsealed_count == Some(0) {
            return verified;
        }
        assert!(tokio::time::Instant::now() < deadline, "never sealed: {verified:?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn list_request(world: &World) -> ListAuditEventsRequest {
    ListAuditEventsRequest { workspace_id: world.workspace.to_string(), ..Default::default() }
}

async fn list(world: &World, request: ListAuditEventsRequest) -> Vec<AuditEvent> {
    world.audit(Some("ada"), None).list_audit_events(request).await.unwrap().into_inner().events
}

/// Five entries, all sealed; the oldest first.
async fn five(world: &World) -> Vec<AuditEvent> {
    for number in 1..=5 {
        record(world, &format!("thing.done_{number}"), "ada").await;
        sealed(world).await;
    }
    let mut events = list(world, list_request(world)).await;
    events.reverse();
    events
}

#[tokio::test]
async fn every_entry_is_sealed_in_its_turn() {
    let world = World::new().await;
    let events = five(&world).await;
    assert_eq!(events.iter().map(|event| event.seal_position).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let verified = sealed(&world).await;
    assert_eq!((verified.verified_count, verified.complete()), (Some(5), true));
    let through = verified.verified_through.unwrap();
    assert_eq!((through.position, &through.hash), (5, &events[4].seal_hash));
    // In two steps, and from a point kept from before.
    let first = verify(&world, VerifyAuditTrailRequest { max_entries: 2, ..verify_request(&world) }).await;
    assert_eq!((first.verified_count, first.complete(), first.unsealed_count), (Some(2), false, None));
    let rest = verify(
        &world,
        VerifyAuditTrailRequest {
            after: first.verified_through.clone(),
            known: Some(through),
            ..verify_request(&world)
        },
    )
    .await;
    assert_eq!((rest.broken, rest.verified_count, rest.complete), (None, Some(3), Some(true)));
    // A checkpoint of something else.
    let other = AuditCheckpoint { position: 2, hash: events[3].seal_hash.clone() };
    let differs =
        verify(&world, VerifyAuditTrailRequest { known: Some(other.clone()), ..verify_request(&world) }).await;
    assert_eq!(differs.broken.unwrap().code, "CHECKPOINT_DIFFERS");
    let differs = verify(&world, VerifyAuditTrailRequest { after: Some(other), ..verify_request(&world) }).await;
    assert_eq!(differs.broken.unwrap().code, "CHECKPOINT_DIFFERS");
}

#[tokio::test]
async fn tampering_with_every_right_is_found() {
    let world = World::new().await;
    let events = five(&world).await;
    let known = sealed(&world).await.verified_through;
    let db = world.superuser.pool();
    for copy in ["CREATE TABLE public.entries AS TABLE audit.entry", "CREATE TABLE public.seals AS TABLE audit.seal"] {
        sqlx::query(copy).execute(db).await.unwrap();
    }
    // Past triggers and grants, as only the owner of everything can.
    const PAST: &str = "BEGIN; SET LOCAL session_replication_role = replica; ";
    let tampered = async |sql: &str| -> BrokenEntry {
        let all = format!("{PAST}{sql}; COMMIT");
        sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(db).await.unwrap();
        let request = VerifyAuditTrailRequest { known: known.clone(), ..verify_request(&world) };
        let broken = verify(&world, request).await.broken.unwrap_or_else(|| panic!("not found: {sql}"));
        let restore = format!(
            "{PAST} DELETE FROM audit.entry; DELETE FROM audit.seal; DELETE FROM audit.unsealed;
             INSERT INTO audit.entry SELECT * FROM public.entries; INSERT INTO audit.seal SELECT * FROM public.seals; COMMIT"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(restore)).execute(db).await.unwrap();
        assert_eq!(sealed(&world).await.verified_through, known);
        broken
    };
    let third = &events[2].entry_id;
    let at = |broken: BrokenEntry| (broken.position, broken.entry_id, broken.code);
    for change in [
        "actor_subject = 'eve'",
        "actor_name = 'Eve'",
        "action = 'thing.undone'",
        "at = at + interval '1 microsecond'",
        "outcome = 'failed'",
        "detail = '{\"a\": 1}'",
        "tenant_id = NULL",
        "related_tenant_ids = ARRAY[id]",
        "run_id = id",
        "target_id = ''",
        "target_kind = 'x'",
        "actor_kind = 'service'",
        "request_id = id",
    ] {
        let broken = tampered(&format!("UPDATE audit.entry SET {change} WHERE id = '{third}'")).await;
        assert_eq!(at(broken), (3, third.clone(), "ENTRY_CHANGED".to_owned()), "{change}");
    }
    let sealed_earlier =
        format!("UPDATE audit.seal SET sealed_at = sealed_at - interval '1 day' WHERE entry_id = '{third}'");
    assert_eq!(at(tampered(&sealed_earlier).await), (3, third.clone(), "ENTRY_CHANGED".to_owned()));
    let removed = format!("DELETE FROM audit.entry WHERE id = '{third}'");
    assert_eq!(at(tampered(&removed).await), (3, third.clone(), "ENTRY_MISSING".to_owned()));
    let with_seal = format!("{removed}; DELETE FROM audit.seal WHERE entry_id = '{third}'");
    assert_eq!(at(tampered(&with_seal).await), (4, events[3].entry_id.clone(), "SEAL_MISSING".to_owned()));
    let renumbered = format!("{with_seal}; UPDATE audit.seal SET position = position - 1 WHERE position > 3");
    assert_eq!(at(tampered(&renumbered).await), (3, events[3].entry_id.clone(), "SEAL_CHANGED".to_owned()));
    // Cut off with its seal: only somebody who kept a checkpoint can tell.
    let last = &events[4].entry_id;
    let cut = format!("DELETE FROM audit.entry WHERE id = '{last}'; DELETE FROM audit.seal WHERE entry_id = '{last}'");
    assert_eq!(tampered(&cut).await.code, "CHECKPOINT_MISSING");
    // Slipped in between, past the queue.
    let slipped_in = format!(
        "INSERT INTO audit.entry SELECT workspace_id, '{}', at + interval '1 microsecond', action, actor_kind, actor_subject,
             actor_name, target_kind, target_id, tenant_id, related_tenant_ids, run_id, outcome, detail, request_id
         FROM audit.entry WHERE id = '{third}'",
        Uuid::now_v7()
    );
    assert_eq!(tampered(&slipped_in).await.code, "ENTRY_NOT_SEALED");
    // Taken out before it was sealed.
    let unsealed = format!(
        "INSERT INTO audit.unsealed (workspace_id, entry_id) VALUES ('{}', '{}')",
        world.workspace,
        Uuid::now_v7()
    );
    assert_eq!(tampered(&unsealed).await.code, "ENTRY_MISSING");
    // The whole chain rewritten around a change, seals recomputed: the checkpoint differs.
    let rewritten = "UPDATE audit.entry SET actor_name = 'Eve'; DELETE FROM audit.seal;
        INSERT INTO audit.unsealed (workspace_id, entry_id) SELECT workspace_id, id FROM audit.entry ORDER BY at, id;
        SELECT audit.seal_entries(100)";
    assert_eq!(tampered(rewritten).await.code, "CHECKPOINT_DIFFERS");
}

#[tokio::test]
async fn an_entry_that_tells_of_the_past_shows_when_it_came() {
    let world = World::new().await;
    five(&world).await;
    // By the ordinary way, with grants and triggers, but with a time of its own.
    world
        .execute(
            "INSERT INTO audit.entry (workspace_id, id, at, action, actor_kind, actor_subject, actor_name, target_kind,
                 target_id, outcome)
             VALUES ($1, $2, now() - interval '3 hours', 'thing.forged', 'user', 'ada', 'Ada', 'workspace', 'x', '')",
            &[world.workspace, Uuid::now_v7()],
        )
        .await;
    sealed(&world).await;
    let late = list(&world, list_request(&world)).await.pop().unwrap();
    // The oldest by its own word, the last in the chain.
    assert_eq!((late.action.as_str(), late.seal_position), ("thing.forged", 6));
    assert!(late.seal_time.unwrap().seconds - late.event_time.unwrap().seconds >= 3 * 3600);
}

#[tokio::test]
async fn replicas_seal_beside_each_other_without_a_break() {
    let mut world = World::new().await;
    world.add_replica(&[]).await;
    join_all((0..100).map(|number| {
        let world = &world;
        async move { record(world, &format!("thing.done_{number}"), "ada").await }
    }))
    .await;
    assert_eq!(sealed(&world).await.verified_count, Some(100));
}

#[tokio::test]
async fn the_service_itself_cannot_write_seals() {
    let world = World::new().await;
    five(&world).await;
    let db = world.database.connect("tenantatlas_operation").await.unwrap();
    for statement in [
        "DELETE FROM audit.seal",
        "UPDATE audit.seal SET position = 9",
        "INSERT INTO audit.seal (workspace_id, position, entry_id, previous, hash)
         SELECT workspace_id, 6, gen_random_uuid(), hash, hash FROM audit.seal",
        "DELETE FROM audit.unsealed",
        "INSERT INTO audit.unsealed (workspace_id, entry_id) SELECT workspace_id, id FROM audit.entry",
    ] {
        let mut tx = db.system().await.unwrap();
        let refused = sqlx::query(statement).execute(&mut *tx).await.expect_err(statement);
        assert_eq!(pg::failure(&refused), pg::Failure::PermissionDenied, "{statement}");
    }
    // Nor does a superuser change one by mistake.
    let refused = sqlx::query("DELETE FROM audit.seal").execute(world.superuser.pool()).await.unwrap_err();
    assert_eq!(pg::failure(&refused).constraint(), Some("seal_append_only"));
}

#[tokio::test]
async fn the_command_says_what_is_whole_and_what_is_not() {
    let world = World::new().await;
    let events = five(&world).await;
    let url = world.database.url_for("tenantatlas_operation");
    let run = async |known: Option<String>| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tenantatlas-audit-verify"));
            command.env("TENANTATLAS_DATABASE_URL", url);
            command.args(known.iter().flat_map(|known| ["--known", known]));
            let done = command.output().unwrap();
            (done.status.success(), String::from_utf8(done.stdout).unwrap())
        })
        .await
        .unwrap()
    };
    let (whole, said) = run(None).await;
    let checkpoint = format!("{}:5:{}", world.workspace, events[4].seal_hash);
    assert_eq!((whole, said.trim()), (true, format!("{checkpoint} whole: 5 entries, 0 not sealed yet").as_str()));
    assert!(run(Some(checkpoint.clone())).await.0);
    let tamper = format!(
        "BEGIN; SET LOCAL session_replication_role = replica; UPDATE audit.entry SET actor_name = 'Eve' WHERE id = '{}'; COMMIT",
        events[1].entry_id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(tamper)).execute(world.superuser.pool()).await.unwrap();
    let (whole, said) = run(Some(checkpoint)).await;
    let expected = format!("BROKEN at position 2, entry {}: ENTRY_CHANGED", events[1].entry_id);
    assert!(!whole && said.contains(&expected), "{said}");
}

async fn export(world: &World, request: ExportAuditEventsRequest) -> Vec<serde_json::Value> {
    let mut stream = world.audit(Some("ada"), None).export_audit_events(request).await.unwrap().into_inner();
    let mut file = Vec::new();
    while let Some(piece) = stream.message().await.unwrap() {
        assert!(piece.chunk.len() <= 64 << 10);
        file.extend(piece.chunk);
    }
    let text = String::from_utf8(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn the_trail_is_filtered_and_exported_line_by_line() {
    let world = World::new().await;
    for number in 0..450 {
        let actor = if number % 3 == 0 { "rob" } else { "ada" };
        record(&world, &format!("thing.done_{}", number % 2), actor).await;
    }
    sealed(&world).await;
    let whole = ExportAuditEventsRequest { workspace_id: world.workspace.to_string(), ..Default::default() };
    let lines = export(&world, whole.clone()).await;
    assert_eq!(lines.len(), 450);
    let listed = list(&world, ListAuditEventsRequest { page_size: 1000, ..list_request(&world) }).await;
    for (line, event) in lines.iter().zip(&listed) {
        assert_eq!(
            (line["entry_id"].as_str(), line["seal_hash"].as_str(), line["actor_subject"].as_str()),
            (Some(event.entry_id.as_str()), Some(event.seal_hash.as_str()), Some(event.actor_subject.as_str()))
        );
    }
    let by_rob = ListAuditEventsRequest {
        actor_subjects: vec!["rob".into()],
        actions: vec!["thing.done_0".into()],
        ..list_request(&world)
    };
    let found = list(&world, by_rob).await;
    assert_eq!(found.len(), 75);
    assert!(found.iter().all(|event| event.actor_subject == "rob" && event.action == "thing.done_0"));
    // From the 200th to the 100th newest.
    let (from_time, before_time) = (listed[199].event_time, listed[99].event_time);
    let cut = export(&world, ExportAuditEventsRequest { from_time, before_time, ..whole.clone() }).await;
    assert_eq!(cut.len(), 100);
    let backwards = ExportAuditEventsRequest { from_time: before_time, before_time: from_time, ..whole.clone() };
    let refused = world.audit(Some("ada"), None).export_audit_events(backwards).await;
    assert_refused(refused, Code::InvalidArgument, "FIELD_INVALID");
    for (subject, code, reason) in
        [("rob", Code::PermissionDenied, "CAPABILITY_MISSING"), ("eve", Code::NotFound, "NOT_FOUND")]
    {
        assert_refused(world.audit(Some(subject), None).export_audit_events(whole.clone()).await, code, reason);
        let verify = world.audit(Some(subject), None).verify_audit_trail(verify_request(&world)).await;
        assert_refused(verify, code, reason);
    }
}

/// What sealing costs a start, printed: `cargo test -p operation-run-service --test api -- --ignored --nocapture cost`.
#[tokio::test]
#[ignore = "a figure, for people"]
#[expect(clippy::print_stdout, reason = "figures are for people")]
async fn the_cost_of_sealing_to_a_start() {
    const STARTS: usize = 400;
    let world = World::new().await;
    for round in 0..6 {
        let on = round % 2 == 0;
        let switch = if on {
            "ALTER TABLE audit.entry ENABLE TRIGGER entry_await_seal"
        } else {
            "ALTER TABLE audit.entry DISABLE TRIGGER entry_await_seal"
        };
        world.execute(switch, &[]).await;
        let began = std::time::Instant::now();
        for _ in 0..STARTS / 16 {
            join_all((0..16).map(|_| world.start(world.sync(world.target, 1)))).await;
        }
        let per_second = STARTS as f64 / began.elapsed().as_secs_f64();
        println!("sealing {}: {per_second:.0} starts/s", if on { "on " } else { "off" });
    }
}
