//! Reusable settings: who refers to one.

use serde_json::Value;

use crate::call::Refusal;
use crate::kinds;
use crate::object::Object;
use crate::odata::json::walk;
use crate::scene::Scene;

/// The number of policies that refer to the reusable setting.
pub(crate) fn references(scene: &Scene<'_>, id: &str) -> usize {
    let kinds = ["settingsCatalogPolicy", "compliancePolicyV2"];
    let policies =
        kinds.iter().filter_map(|key| kinds::by_key(key)).flat_map(|kind| scene.tenant.view_all(kind, scene.call.now));
    policies
        .filter(|policy| {
            let mut found = false;
            for setting in policy.child("settings") {
                walk(setting, &mut |map| {
                    found |=
                        map.get("value").and_then(Value::as_str).is_some_and(|value| value.eq_ignore_ascii_case(id));
                });
            }
            found
        })
        .count()
}

pub(crate) fn check_unused(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    match references(scene, &object.id) {
        0 => Ok(()),
        count => Err(scene.refuse(&format!("The reusable setting is referenced by {count} policies."))),
    }
}
