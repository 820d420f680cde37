//! Windows update policies: what is operational state, out of support, or depends on another property.

use serde_json::{Map, Value, json};

use crate::call::Refusal;
use crate::object::Object;
use crate::odata::json::type_of;
use crate::scene::{Scene, Verb};

/// State of a running pause or rollback: answered by reads, refused in updates.
const RING_STATE: &[&str] = &[
    "qualityUpdatesPauseStartDate",
    "featureUpdatesPauseStartDate",
    "qualityUpdatesWillBeRolledBack",
    "featureUpdatesWillBeRolledBack",
];

/// Versions that Microsoft no longer offers.
const OUT_OF_SUPPORT: &[&str] = &["1803", "1809", "1903", "1909", "2004", "20H2", "21H1", "21H2"];

pub(crate) fn check_ring(scene: &Scene<'_>, verb: Verb, sent: &Map<String, Value>) -> Result<(), Refusal> {
    if verb != Verb::Patch || type_of(sent) != Some("windowsUpdateForBusinessConfiguration") {
        return Ok(());
    }
    match RING_STATE.iter().find(|name| sent.contains_key(**name)) {
        Some(name) => Err(scene.refuse(&format!("Property {name} cannot be updated by PATCH."))),
        None => Ok(()),
    }
}

pub(crate) fn check_feature(scene: &Scene<'_>, object: &mut Object) -> Result<(), Refusal> {
    let version = object.text("featureUpdateVersion").unwrap_or_default().to_owned();
    if version.starts_with("Windows 10") && OUT_OF_SUPPORT.iter().any(|old| version.ends_with(old)) {
        return Err(scene.refuse(&format!("Feature update version {version} is not supported.")));
    }
    object.body.insert("deployableContentDisplayName".into(), json!(version));
    object.body.insert("endOfSupportDate".into(), json!("2031-10-14T00:00:00Z"));
    Ok(())
}

pub(crate) fn check_driver(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    let deferral = object.body.get("deploymentDeferralInDays").filter(|days| !days.is_null());
    match (object.text("approvalType"), deferral) {
        (Some("automatic"), None) => Err(scene.refuse("Automatic approval needs deploymentDeferralInDays.")),
        (Some("manual"), Some(_)) => Err(scene.refuse("Manual approval takes no deploymentDeferralInDays.")),
        (Some("automatic" | "manual"), _) => Ok(()),
        _ => Err(Refusal::bad_request("Requested value of property 'approvalType' was not found.")),
    }
}
