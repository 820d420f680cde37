//! The whole space, printed: `table.txt` beside the module is what a reviewer reads, and a change of rule is a change of it.
//!
//! It is printed by steps (who, where, in which state), because the steps are independent; that they are is not assumed:
//! every point of the whole space is decided and held against the steps.

use std::fmt::Write as _;

use super::super::*;
use super::world::{Actor, TENANT, actor, facts};
use crate::access::Role;
use crate::tenant::{Connection, Lifecycle};

const PRINTED: &str = include_str!("../table.txt");
/// Set to write the table anew after a rule was changed on purpose.
const REWRITE: &str = "ATLAS_REWRITE_TABLES";

#[test]
fn the_printed_table_is_what_is_decided() {
    let decided = print();
    if std::env::var_os(REWRITE).is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/operability/table.txt");
        std::fs::write(path, &decided).expect("the table is written");
        return;
    }
    assert!(decided == PRINTED, "the rules are not those of table.txt; print it anew with {REWRITE}=1 and review");
}

#[test]
fn every_point_of_the_space_is_its_first_refusing_step() {
    let mut points = 0;
    for question in Question::ALL {
        for who in Actor::all() {
            let actor = actor(who);
            for lane in Lane::ALL {
                for (lifecycle, connection) in states() {
                    let tenant = Some(facts(lifecycle, connection));
                    let asked = Asked { lane, question, tenant_id: TENANT, tenant, actor: actor.as_ref() };
                    let steps = [access(question, who), place(question, lane), state(question, lifecycle, connection)];
                    let expected = steps.into_iter().find(|step| step != "yes").unwrap_or_else(|| "yes".to_owned());
                    assert_eq!(told(evaluate(&asked)), expected, "{question} {who} {lane} {lifecycle} {connection:?}");
                    points += 1;
                }
            }
        }
    }
    assert_eq!(points, 20 * 21 * 6 * 12);
}

fn states() -> impl Iterator<Item = (Lifecycle, Connection)> {
    Lifecycle::ALL.into_iter().flat_map(|lifecycle| Connection::ALL.map(|connection| (lifecycle, connection)))
}

fn told(answer: Result<(), Denied>) -> String {
    match answer {
        Ok(()) => "yes".to_owned(),
        Err(Denied { missing_capability: Some(capability), .. }) => format!("lacks {capability}"),
        Err(denied) => denied.reason.as_str().to_owned(),
    }
}

/// Asked in its first lane, of a tenant whose state allows it.
fn access(question: Question, who: Actor) -> String {
    let good = states().map(|(lifecycle, connection)| facts(lifecycle, connection));
    let good = good.into_iter().find(|facts| state_allows(question, *facts).is_ok());
    let tenant = Some(good.expect("some state allows it"));
    let actor = actor(who);
    let lane = question.lanes()[0];
    told(evaluate(&Asked { lane, question, tenant_id: TENANT, tenant, actor: actor.as_ref() }))
}

fn place(question: Question, lane: Lane) -> String {
    if question.lanes().contains(&lane) { "yes".to_owned() } else { Reason::WrongLane.as_str().to_owned() }
}

fn state(question: Question, lifecycle: Lifecycle, connection: Connection) -> String {
    told(state_allows(question, facts(lifecycle, connection)))
}

fn print() -> String {
    let mut out = String::from(
        "What a tenant is good for: every question by who asks, from where, and the state of the tenant.\n\
         The first step that refuses is the answer. Printed and checked by libs/domain/src/operability/tests/table.rs.\n",
    );
    for question in Question::ALL {
        print_question(&mut out, question).expect("a string takes it");
    }
    out
}

fn print_question(out: &mut String, question: Question) -> std::fmt::Result {
    writeln!(out, "\n== {question} ==")?;
    writeln!(out, "who (role in the workspace by role on the tenant)")?;
    let hidden = [Actor::NotAMember].into_iter().chain(Role::ALL.map(Actor::Unentitled));
    let hidden: Vec<String> = hidden.map(|who| access(question, who)).collect();
    let same = hidden.iter().all(|answer| *answer == hidden[0]);
    assert!(same, "whoever is not entitled is told one thing");
    writeln!(out, "  not a member, or not entitled  {}", hidden[0])?;
    for workspace in Role::ALL {
        let row: Vec<String> = Role::ALL.map(|tenant| access(question, Actor::Entitled { workspace, tenant })).to_vec();
        let mut parts: Vec<(String, Vec<&str>)> = Vec::new();
        for (role, answer) in Role::ALL.into_iter().zip(row) {
            match parts.iter_mut().find(|(known, _)| *known == answer) {
                Some((_, roles)) => roles.push(role.as_str()),
                None => parts.push((answer, vec![role.as_str()])),
            }
        }
        for (answer, roles) in parts {
            writeln!(out, "  {:<9}by {:<35} {answer}", workspace.as_str(), roles.join(" "))?;
        }
    }
    let lanes: Vec<&str> = question.lanes().iter().map(|lane| lane.as_str()).collect();
    writeln!(out, "where\n  {}", lanes.join(" "))?;
    writeln!(out, "state (by connection: missing, unverified, verified)")?;
    for lifecycle in Lifecycle::ALL {
        let answers = Connection::ALL.map(|connection| state(question, lifecycle, connection));
        let answers =
            if answers.iter().all(|answer| *answer == answers[0]) { answers[0].clone() } else { answers.join(", ") };
        writeln!(out, "  {:<11}{answers}", lifecycle.as_str())?;
    }
    Ok(())
}
