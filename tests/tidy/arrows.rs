//! The arrows between the rooms, from cargo's own metadata.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// For each room: the rooms it may use, and outside crates it must never use, not even through others of ours.
struct Room {
    name: &'static str,
    ours: &'static [&'static str],
    never: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room { name: "domain", ours: &[], never: &["tokio", "tonic", "prost", "sqlx", "reqwest", "tracing", "rand"] },
    Room { name: "graph", ours: &["domain"], never: &["sqlx", "tonic"] },
    Room { name: "graph-emulator", ours: &[], never: &["sqlx", "tonic"] },
    Room { name: "pb", ours: &[], never: &["sqlx", "reqwest"] },
    Room { name: "pg", ours: &[], never: &["tonic", "domain"] },
    Room { name: "server", ours: &["pb", "pg", "domain"], never: &["graph"] },
    Room { name: "worker", ours: &["pb", "server", "domain"], never: &["graph"] },
    // Writing items to a tenant, whoever's run it is. Rows and requests are the services'.
    Room {
        name: "apply",
        ours: &["domain", "graph", "pb", "server", "worker"],
        never: &["compare-service", "promotion-service", "operation-run-service"],
    },
    Room {
        name: "compare-service",
        ours: &["domain", "pb", "pg", "server", "worker", "graph", "apply"],
        never: &["promotion-service", "operation-run-service"],
    },
    Room {
        name: "promotion-service",
        // pg for the access facts alone: it owns no table.
        ours: &["domain", "pb", "pg", "server", "worker", "graph", "apply"],
        never: &["compare-service", "operation-run-service"],
    },
    // Monitoring cannot call the provider because it does not link to it.
    Room { name: "operation-run-service", ours: &["domain", "pb", "pg", "server"], never: &["graph"] },
    // A client like any other: what it knows of the system is the API.
    Room { name: "atlasctl", ours: &["pb"], never: &["server", "domain", "pg", "graph", "sqlx"] },
    Room { name: "dev", ours: &["domain", "pb", "pg", "graph-emulator"], never: &["graph"] },
];

/// Direct, normal dependencies of every package in the tree; development dependencies do not ship.
fn dependencies() -> (BTreeSet<String>, BTreeMap<String, BTreeSet<String>>) {
    let metadata = MetadataCommand::new().exec().expect("cargo can describe its own workspace");
    let ours = metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (package.id.clone(), package.name.to_string())).collect();
    let resolve = metadata.resolve.as_ref().expect("metadata with dependencies is resolved");
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in &resolve.nodes {
        let normal = node
            .deps
            .iter()
            .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal))
            .map(|dependency| names[&dependency.pkg].clone());
        uses.entry(names[&node.id].clone()).or_default().extend(normal);
    }
    (ours, uses)
}

fn reachable(from: &str, uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        for next in uses.get(&name).into_iter().flatten() {
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    seen
}

#[test]
fn every_room_uses_only_the_rooms_it_may() {
    let (ours, uses) = dependencies();
    for room in ROOMS {
        let direct = uses.get(room.name).unwrap_or_else(|| panic!("there is no package {}", room.name));
        let allowed: BTreeSet<_> = room.ours.iter().map(|name| (*name).to_owned()).collect();
        let used: BTreeSet<_> = direct.intersection(&ours).cloned().collect();
        let beyond: Vec<_> = used.difference(&allowed).collect();
        assert!(beyond.is_empty(), "{} may not use {beyond:?}", room.name);
    }
}

#[test]
fn what_a_room_must_never_touch_is_out_of_its_reach() {
    let (_, uses) = dependencies();
    for room in ROOMS {
        let reach = reachable(room.name, &uses);
        let touched: Vec<_> = room.never.iter().filter(|name| reach.contains(**name)).collect();
        assert!(touched.is_empty(), "{} reaches {touched:?}", room.name);
    }
}

#[test]
fn every_package_of_ours_is_a_room_with_rules() {
    let (ours, _) = dependencies();
    let rooms: BTreeSet<_> = ROOMS.iter().map(|room| room.name.to_owned()).collect();
    let without: Vec<_> = ours.difference(&rooms).filter(|name| *name != "system-tests").collect();
    assert!(without.is_empty(), "no rules are written for {without:?}");
}
