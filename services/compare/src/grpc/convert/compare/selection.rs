//! What a request selects.

use std::collections::BTreeSet;

use domain::compare::{CompareState, Filter, Selection};
use domain::contract::Registry;
use domain::id::{PolicyType, SubjectKey, TenantId};
use pb::compare as wire;
use serde::Serialize;
use server::failure::Failure;
use server::fields::{self, PageToken};

use super::super::inventory::parse_policy_types;
use crate::compare::{ExportFormat, Selected, is_governed};
use crate::error::Error;

/// The most characters of a subject key; a stored one has at most 2,000 bytes.
pub const MAX_SUBJECT_KEY_CHARS: usize = 2_000;
/// The most subject keys of a selection.
const MAX_SUBJECT_KEYS: usize = 5_000;
/// The most platforms of a selection.
const MAX_PLATFORMS: usize = 50;
/// The most characters of a platform or a part of a name.
const MAX_NEEDLE_CHARS: usize = 200;

/// A selection, checked.
pub fn parse_selection(message: Option<wire::CompareSelection>, registry: &Registry) -> Result<Selected, Failure> {
    let message = fields::required("selection", message)?;
    let workspace_id = fields::id("selection.workspace_id", &message.workspace_id)?;
    let source = fields::id::<TenantId>("selection.source_tenant_id", &message.source_tenant_id)?;
    let target = fields::id::<TenantId>("selection.target_tenant_id", &message.target_tenant_id)?;
    let filter = Filter {
        policy_types: governed(&message.policy_types, registry)?,
        platforms: texts("selection.platforms", &message.platforms, MAX_PLATFORMS, MAX_NEEDLE_CHARS)?
            .into_iter()
            .map(|platform| platform.to_ascii_lowercase())
            .collect(),
        name_contains: fields::optional_text("selection.name_contains", &message.name_contains, MAX_NEEDLE_CHARS)?
            .map(str::to_owned),
        subject_keys: texts("selection.subject_keys", &message.subject_keys, MAX_SUBJECT_KEYS, MAX_SUBJECT_KEY_CHARS)?
            .into_iter()
            .map(SubjectKey)
            .collect(),
    };
    if source == target {
        return Err(Error::SameTenant.into());
    }
    let selection = Selection { source, target, filter, include_assignments: message.include_assignments };
    Ok(Selected { workspace_id, selection })
}

/// Types that are compared. Naming one that is only read for its names would compare nothing, without saying why.
fn governed(values: &[String], registry: &Registry) -> Result<BTreeSet<PolicyType>, Failure> {
    let field = "selection.policy_types";
    for (index, value) in values.iter().enumerate() {
        if registry.get(value).is_some_and(|contract| !is_governed(contract)) {
            let why = "is only read to give names to references, and not compared";
            return Err(Failure::invalid_argument(format!("{field}[{index}]"), why));
        }
    }
    parse_policy_types(field, values, registry)
}

fn texts(field: &str, values: &[String], most: usize, most_chars: usize) -> Result<BTreeSet<String>, Failure> {
    if values.len() > most {
        return Err(Failure::invalid_argument(field, format!("must have at most {most} entries")));
    }
    values
        .iter()
        .enumerate()
        .map(|(index, value)| fields::text(&format!("{field}[{index}]"), value, most_chars).map(str::to_owned))
        .collect()
}

/// States of a request.
pub fn parse_states(values: &[i32]) -> Result<BTreeSet<CompareState>, Failure> {
    let parse = |(index, value): (usize, &i32)| {
        let field = format!("states[{index}]");
        Ok(match fields::choice::<wire::CompareState>(&field, *value)? {
            wire::CompareState::Identical => CompareState::Identical,
            wire::CompareState::Different => CompareState::Different,
            wire::CompareState::MissingInTarget => CompareState::MissingInTarget,
            wire::CompareState::OnlyInTarget => CompareState::OnlyInTarget,
            wire::CompareState::Ambiguous => CompareState::Ambiguous,
            wire::CompareState::NotComparable => CompareState::NotComparable,
            wire::CompareState::Unspecified => return Err(Failure::invalid_argument(field, "is required")),
        })
    };
    values.iter().enumerate().map(parse).collect()
}

/// The format of an export; JSON Lines when none is given.
pub fn parse_format(value: i32) -> Result<ExportFormat, Failure> {
    match wire::ExportFormat::try_from(value) {
        Ok(wire::ExportFormat::Unspecified | wire::ExportFormat::JsonLines) => Ok(ExportFormat::JsonLines),
        Ok(wire::ExportFormat::Csv) => Ok(ExportFormat::Csv),
        Err(_) => Err(Failure::invalid_argument("format", format!("{value} is not a known value"))),
    }
}

/// Page tokens of a list over this selection, narrowed to `classes`.
pub fn tokens<C: Serialize>(list: &str, selected: &Selected, classes: &BTreeSet<C>) -> Result<PageToken, Failure> {
    let parts = serde_json::to_string(&(selected.workspace_id, &selected.selection, classes));
    Ok(PageToken::bound_to(list, [parts.map_err(Failure::internal)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> wire::CompareSelection {
        wire::CompareSelection {
            workspace_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001".into(),
            source_tenant_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002".into(),
            target_tenant_id: "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a003".into(),
            ..Default::default()
        }
    }

    fn refused(message: wire::CompareSelection) -> (String, String) {
        let failure = parse_selection(Some(message), graph::registry()).unwrap_err();
        (failure.reason().to_owned(), failure.message().to_owned())
    }

    #[test]
    fn a_selection_is_the_same_however_it_is_written() {
        let plain = wire::CompareSelection { platforms: vec!["iOS".into(), "windows10".into()], ..message() };
        let other =
            wire::CompareSelection { platforms: vec!["Windows10".into(), "ios".into(), "iOS".into()], ..message() };
        let parse = |message| parse_selection(Some(message), graph::registry()).unwrap().selection;
        assert_eq!(parse(plain), parse(other));
    }

    #[test]
    fn each_mistake_names_its_field() {
        let same = wire::CompareSelection { target_tenant_id: message().source_tenant_id, ..message() };
        assert_eq!(refused(same).0, "SAME_TENANT");
        for (wrong, start) in [
            (wire::CompareSelection { workspace_id: "x".into(), ..message() }, "selection.workspace_id:"),
            (
                wire::CompareSelection { policy_types: vec!["nonsense".into()], ..message() },
                "selection.policy_types[0]:",
            ),
            (wire::CompareSelection { policy_types: vec!["group".into()], ..message() }, "selection.policy_types[0]:"),
            (wire::CompareSelection { subject_keys: vec!["a".into(); 5001], ..message() }, "selection.subject_keys:"),
            (wire::CompareSelection { platforms: vec![String::new()], ..message() }, "selection.platforms[0]:"),
        ] {
            let said = refused(wrong).1;
            assert!(said.starts_with(start), "{said}");
        }
        assert!(parse_selection(None, graph::registry()).is_err());
    }
}
