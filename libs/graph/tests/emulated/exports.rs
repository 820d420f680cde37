//! Real exports of other people, when they are at hand: every ready policy of a folder, promoted into an empty tenant, compares
//! identical. Skipped, and says so, without `ATLAS_EXPORTS_DIR` or `../shared/data` beside the repository.

use std::path::PathBuf;

use domain::contract::Promotion;
use domain::payload::target_payload;
use graph::{Outcome, registry};

use super::{Inventory, SOURCE, TARGET, World};

fn exports() -> Option<PathBuf> {
    let named = std::env::var_os("ATLAS_EXPORTS_DIR").map(PathBuf::from);
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

#[tokio::test]
#[allow(clippy::print_stderr)] // the only way a test can say that it was skipped
async fn exported_policies_promoted_into_an_empty_tenant_compare_identical() {
    let Some(folder) = exports() else {
        eprintln!("skipped: no exported policies (ATLAS_EXPORTS_DIR, ../shared/data)");
        return;
    };
    let world = World::start().await;
    let report = world.emulator.load_folder(SOURCE, &folder).expect("readable");
    assert_eq!(report.failures().count(), 0, "{:?}", report.failures().collect::<Vec<_>>());
    let source = Inventory::of(&world.client(SOURCE)).await;
    let client = world.client(TARGET);
    let mut target = Inventory::of(&client).await;
    let (mut promoted, mut held_back) = (0, Vec::new());
    for contract in registry().iter().filter(|contract| contract.promotion == Promotion::Promotable) {
        for subject in source.all(contract.policy_type.as_str()) {
            let facts = &subject.seen.facts;
            if facts.provider_default || !facts.invalid.is_empty() || !facts.secrets.is_empty() {
                held_back.push(format!("{}: {:?} {:?}", subject.seen.subject_key, facts.invalid, facts.secrets));
                continue;
            }
            let payload = match target_payload(contract, &subject.raw, &source.names, &target.names, false) {
                Ok(payload) => payload,
                Err(unmapped) => {
                    held_back.push(format!("{}: {unmapped}", subject.seen.subject_key));
                    continue;
                }
            };
            let outcome = graph::create(&client, contract, &payload).await;
            let Outcome::Applied(receipt) = outcome else { panic!("{}: {outcome:?}", subject.seen.subject_key) };
            let read =
                graph::read_one(&client, contract, &receipt.external_id).await.expect("readable").expect("there");
            assert!(read.complete, "{:?}", read.fault);
            let there = target.add(contract, read.raw);
            assert_eq!(subject.seen.normal_form, there.seen.normal_form, "{}", subject.seen.subject_key);
            assert_eq!(subject.seen.normal_hash, there.seen.normal_hash, "{}", subject.seen.subject_key);
            promoted += 1;
        }
    }
    eprintln!("{} documents loaded, {promoted} promoted identical, {} held back", report.objects(), held_back.len());
    held_back.iter().for_each(|line| eprintln!("  held back {line}"));
    assert!(promoted > 0, "nothing was promoted");
}
