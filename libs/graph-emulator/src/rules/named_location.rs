//! Named locations: what each type must carry, and what keeps one from being deleted.

use serde_json::{Value, json};

use crate::call::Refusal;
use crate::kinds;
use crate::object::Object;
use crate::odata::json::type_of;
use crate::rules::conditional_access;
use crate::scene::Scene;

pub(crate) fn check(scene: &Scene<'_>, object: &mut Object) -> Result<(), Refusal> {
    let needs = match type_of(&object.body) {
        Some("ipNamedLocation") => "ipRanges",
        Some("countryNamedLocation") => "countriesAndRegions",
        _ => return Ok(()),
    };
    if object.body.get(needs).and_then(Value::as_array).is_none_or(Vec::is_empty) {
        return Err(scene.refuse(&format!("1022: Invalid property {needs}: at least one value is required.")));
    }
    if needs == "ipRanges" {
        object.body.entry("isTrusted").or_insert(json!(false));
    }
    Ok(())
}

pub(crate) fn check_delete(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    if type_of(&object.body) == Some("ipNamedLocation") && object.body.get("isTrusted") == Some(&json!(true)) {
        return Err(scene.refuse("1072: A trusted named location cannot be deleted: set isTrusted to false first."));
    }
    let policies = kinds::by_key("conditionalAccessPolicy");
    let policies = policies.into_iter().flat_map(|kind| scene.tenant.view_all(kind, scene.call.now));
    let mut policies = policies.filter(|policy| conditional_access::locations(policy).contains(&object.id.as_str()));
    let used = policies.next();
    match used {
        Some(policy) => Err(scene.refuse(&format!("1066: Named location is referenced by policy {}.", policy.id))),
        None => Ok(()),
    }
}
