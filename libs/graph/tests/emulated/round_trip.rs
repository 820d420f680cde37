//! Every promotable type: created in an empty tenant, read back equal; changed, updated, read back equal; and cut off at every
//! request on the way, brought to the same end by reading and updating.

use std::collections::BTreeSet;

use domain::contract::{Contract, Promotion};
use domain::observe::{Observation, observe};
use domain::payload::{Payload, target_payload};
use domain::reference::NameTable;
use graph::{Client, Outcome, registry};
use graph_emulator::{FaultAction, FaultRule};

use super::samples::{self, changed};
use super::{Inventory, SOURCE, Subject, TARGET, World, contract};

/// The source's subject as it must mean in the target.
fn payload(contract: &Contract, subject: &Subject, source: &Inventory, target: &Inventory) -> Payload {
    target_payload(contract, &subject.raw, &source.names, &target.names, true)
        .unwrap_or_else(|unmapped| panic!("{}: {unmapped}", contract.policy_type))
}

async fn read(client: &Client, contract: &Contract, id: &str, names: &NameTable) -> Observation {
    let object = graph::read_one(client, contract, id).await.expect("readable").expect("there");
    assert!(object.complete, "{:?}", object.fault);
    observe(contract, &object.raw, names).expect("has an id")
}

fn assert_equal(what: &str, source: &Observation, target: &Observation) {
    assert_eq!(source.subject_key, target.subject_key, "{what}");
    assert_eq!(source.normal_form, target.normal_form, "{what}");
    assert_eq!(source.assignments_form, target.assignments_form, "{what}");
    assert_eq!((source.normal_hash, source.assignments_hash), (target.normal_hash, target.assignments_hash), "{what}");
}

/// The only sample of a type.
fn the<'i>(inventory: &'i Inventory, policy_type: &str) -> &'i Subject {
    let own: Vec<&Subject> = inventory.all(policy_type).iter().filter(|s| !s.seen.facts.provider_default).collect();
    assert_eq!(own.len(), 1, "{policy_type}");
    own[0]
}

async fn loaded() -> (World, Inventory) {
    let world = World::start().await;
    world.load(SOURCE, samples::background());
    world.load(TARGET, samples::target_background());
    world.load(SOURCE, samples::promotable().into_iter().map(|(_, document, _)| document));
    let source = Inventory::of(&world.client(SOURCE)).await;
    (world, source)
}

/// The same tenant after the administrator's changes: a second world, since loading does not edit.
async fn loaded_changed() -> Inventory {
    let world = World::start().await;
    world.load(SOURCE, samples::background());
    world.load(SOURCE, samples::promotable().into_iter().map(|(_, document, changes)| changed(&document, &changes)));
    Inventory::of(&world.client(SOURCE)).await
}

#[test]
fn every_promotable_type_has_a_sample() {
    let sampled: BTreeSet<&str> = samples::promotable().iter().map(|(policy_type, _, _)| *policy_type).collect();
    let promotable = registry().iter().filter(|contract| contract.promotion == Promotion::Promotable);
    assert_eq!(sampled, promotable.map(|contract| contract.policy_type.as_str()).collect());
}

#[tokio::test]
async fn what_is_created_reads_back_equal_and_what_is_updated_too() {
    let (world, source) = loaded().await;
    let later = loaded_changed().await;
    let client = world.client(TARGET);
    let mut target = Inventory::of(&client).await;
    for (policy_type, _, _) in samples::promotable() {
        let contract = contract(policy_type);
        let subject = the(&source, policy_type);
        let payload = payload(contract, subject, &source, &target);
        let outcome = graph::create(&client, contract, &payload).await;
        let Outcome::Applied(receipt) = outcome else { panic!("{policy_type}: {outcome:?}") };
        assert!(receipt.request_id.is_some());
        let object = graph::read_one(&client, contract, &receipt.external_id).await.expect("readable").expect("there");
        let created = target.add(contract, object.raw);
        assert_equal(&format!("{policy_type} created"), &subject.seen, &created.seen);
        assert_eq!(created.seen.external_id.as_str(), receipt.external_id);
    }
    for (policy_type, _, _) in samples::promotable() {
        let contract = contract(policy_type);
        let wanted = the(&later, policy_type);
        let current = the(&target, policy_type);
        assert_ne!(
            wanted.seen.normal_hash, current.seen.normal_hash,
            "{policy_type}: the sample's change changes nothing"
        );
        let payload = payload(contract, wanted, &later, &target);
        let id = current.seen.external_id.as_str();
        for round in ["updated", "updated again"] {
            let outcome = graph::update(&client, contract, id, &payload, &current.raw).await;
            assert!(matches!(outcome, Outcome::Applied(_)), "{policy_type} {round}: {outcome:?}");
            let seen = read(&client, contract, id, &target.names).await;
            assert_equal(&format!("{policy_type} {round}"), &wanted.seen, &seen);
        }
    }
}

/// Does what a worker does after doubt: look, and if the object is there but not as desired, update.
async fn resolve(
    client: &Client,
    contract: &Contract,
    payload: &Payload,
    subject: &Subject,
    names: &NameTable,
) -> usize {
    let mut writes = 0;
    loop {
        let found = graph::find_by_key(client, contract, &subject.seen.subject_key).await.expect("readable");
        let outcome = match found.as_slice() {
            [] => graph::create(client, contract, payload).await,
            [one] => {
                let seen = observe(contract, &one.raw, names).expect("has an id");
                if (seen.normal_hash, seen.assignments_hash)
                    == (subject.seen.normal_hash, subject.seen.assignments_hash)
                {
                    return writes;
                }
                graph::update(client, contract, seen.external_id.as_str(), payload, &one.raw).await
            }
            several => panic!("{} exists {} times", subject.seen.subject_key, several.len()),
        };
        writes += 1;
        assert!(!matches!(outcome, Outcome::NotApplied(_)), "{}: {outcome:?}", contract.policy_type);
        assert!(writes < 10, "{} does not converge", subject.seen.subject_key);
    }
}

#[tokio::test]
async fn a_write_cut_at_any_request_converges_and_exists_once() {
    let cuts = [FaultAction::TimeoutAfterCommit { hold_ms: 0 }, FaultAction::CutBeforeCommit { hold_ms: 0 }];
    for cut in cuts {
        // The n-th write of every object is lost; types written in one request see the first only.
        for nth in 0..3 {
            let (world, source) = loaded().await;
            let client = world.client(TARGET);
            let mut target = Inventory::of(&client).await;
            for (policy_type, _, _) in samples::promotable() {
                let contract = contract(policy_type);
                let subject = the(&source, policy_type);
                let payload = payload(contract, subject, &source, &target);
                let rule = FaultRule::new(cut.clone()).tenant(TARGET).method("WRITE").path("/deviceManagement");
                world.emulator.add_fault(rule.times(1).skip(nth));
                resolve(&client, contract, &payload, subject, &target.names).await;
                world.emulator.remove_faults(None);
                let found = graph::find_by_key(&client, contract, &subject.seen.subject_key).await.expect("readable");
                assert_eq!(found.len(), 1, "{policy_type}");
                let there = target.add(contract, found[0].raw.clone());
                assert_equal(&format!("{policy_type}, write {nth} lost"), &subject.seen, &there.seen);
            }
        }
    }
}
