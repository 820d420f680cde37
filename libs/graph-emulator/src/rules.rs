//! What Graph enforces for particular kinds, one file per subject. A rule sees the object as it would be stored, may finish it
//! (ids of children, computed properties) and may refuse it.

pub(crate) mod admx;
mod assignment_filter;
mod conditional_access;
pub(crate) mod intent;
mod named_location;
mod notification;
pub(crate) mod oma_uri;
pub(crate) mod reusable_setting;
mod scheduled_actions;
mod scripts;
pub(crate) mod settings_catalog;
mod updates;

use serde_json::{Map, Value};

use crate::call::Refusal;
use crate::kinds::RuleName;
use crate::object::Object;
use crate::odata::path::Segment;
use crate::outcome::Outcome;
use crate::scene::{Scene, Verb};

/// Lets every rule of the kind look at a write.
pub(crate) fn check(
    scene: &Scene<'_>,
    verb: Verb,
    object: &mut Object,
    before: Option<&Object>,
    sent: &Map<String, Value>,
) -> Result<(), Refusal> {
    for rule in &scene.kind.rules {
        match rule {
            RuleName::SettingsCatalog => settings_catalog::check(scene, verb, object, before)?,
            RuleName::OmaUri => oma_uri::check(scene, verb, object, before, sent)?,
            RuleName::UpdateRing => updates::check_ring(scene, verb, sent)?,
            RuleName::ScheduledActions => scheduled_actions::check(scene, verb, object)?,
            RuleName::ScriptContent => scripts::check_content(scene, object)?,
            RuleName::GlobalScript => scripts::check_global(scene, before)?,
            RuleName::AssignmentFilter => assignment_filter::check(scene, object)?,
            RuleName::FeatureUpdate => updates::check_feature(scene, object)?,
            RuleName::DriverUpdate => updates::check_driver(scene, object)?,
            RuleName::ReusableSetting => settings_catalog::check_one(scene, object.body.get("settingInstance"))?,
            RuleName::ConditionalAccess => conditional_access::check(scene, object)?,
            RuleName::NamedLocation => named_location::check(scene, object)?,
            RuleName::ScopeTag if before.is_some_and(|before| before.id == "0") => {
                return Err(scene.refuse("The built-in scope tag cannot be changed."));
            }
            RuleName::ScopeTag
            | RuleName::ScheduledActionsV2
            | RuleName::Admx
            | RuleName::Notification
            | RuleName::Intent
            | RuleName::Group => {}
        }
    }
    Ok(())
}

/// Lets every rule of the kind look at a delete.
pub(crate) fn check_delete(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    for rule in &scene.kind.rules {
        match rule {
            RuleName::ScopeTag if object.id == "0" => {
                return Err(scene.refuse("The built-in scope tag cannot be deleted."));
            }
            RuleName::GlobalScript => scripts::check_global(scene, Some(object))?,
            RuleName::AssignmentFilter => assignment_filter::check_unused(scene, object)?,
            RuleName::ReusableSetting => reusable_setting::check_unused(scene, object)?,
            RuleName::NamedLocation => named_location::check_delete(scene, object)?,
            _ => {}
        }
    }
    Ok(())
}

/// An action or a write on a child: `rest` is what follows the object's key. `None` = no rule knows the path.
pub(crate) fn act(scene: &Scene<'_>, object: &Object, rest: &[Segment]) -> Option<Result<Outcome, Refusal>> {
    scene.kind.rules.iter().find_map(|rule| match rule {
        RuleName::OmaUri => oma_uri::act(scene, object, rest),
        RuleName::ScheduledActions | RuleName::ScheduledActionsV2 => scheduled_actions::act(scene, object, rest),
        RuleName::Admx => admx::act(scene, object, rest),
        RuleName::Notification => notification::act(scene, object, rest),
        RuleName::Intent => intent::act(scene, object, rest),
        _ => None,
    })
}
