//! Reads of what is no stored object: the tenant itself, templates and definitions that Microsoft ships.

use http::Method;
use serde_json::{Value, json};

use crate::call::{Call, Refusal, Reply, Version};
use crate::kinds;
use crate::odata::path::Segment;
use crate::outcome::Outcome;
use crate::read;
use crate::world::World;

/// Collections that exist and are empty here: clients that read a whole tenant list them and find nothing.
const EMPTY: &[&str] = &[
    "deviceManagement/configurationSettings",
    "deviceManagement/configurationCategories",
    "deviceManagement/groupPolicyUploadedDefinitionFiles",
    "deviceManagement/groupPolicyCategories",
    "deviceManagement/deviceEnrollmentConfigurations",
    "deviceManagement/windowsAutopilotDeploymentProfiles",
    "deviceManagement/depOnboardingSettings",
    "deviceManagement/complianceManagementPartners",
    "deviceManagement/deviceManagementPartners",
    "deviceManagement/remoteAssistancePartners",
    "deviceAppManagement/managedAppPolicies",
    "deviceAppManagement/mobileAppConfigurations",
    "deviceAppManagement/mobileApps",
    "deviceAppManagement/vppTokens",
];

/// Whether the caller may have anything from there at all.
pub(crate) fn admit(call: &Call, segments: &[Segment]) -> Result<(), Refusal> {
    let texts: Vec<&str> = segments.iter().map(Segment::text).collect();
    if !is_intune(&texts) {
        return Ok(());
    }
    if call.version == Version::V1 {
        return Err(unknown(&texts));
    }
    let roles =
        ["DeviceManagementConfiguration.Read.All", "DeviceManagementConfiguration.ReadWrite.All"].map(str::to_owned);
    if call.app.holds(&roles.iter().collect::<Vec<_>>()) { Ok(()) } else { Err(Refusal::forbidden(&roles)) }
}

fn is_intune(texts: &[&str]) -> bool {
    texts.first().is_some_and(|first| first.eq_ignore_ascii_case("deviceManagement"))
}

/// Answers a read that was admitted.
pub(crate) fn read(world: &World, call: &Call, segments: &[Segment]) -> Result<Outcome, Refusal> {
    let texts: Vec<&str> = segments.iter().map(Segment::text).collect();
    let lower: Vec<String> = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
    let names: Vec<&str> = lower.iter().map(String::as_str).collect();
    let intune = is_intune(&texts);
    let answer = match names.as_slice() {
        ["organization"] => list(call, vec![organization(world, call)], "organization"),
        ["organization", id] if id.eq_ignore_ascii_case(&call.tenant) => {
            entity(call, organization(world, call), "organization")
        }
        [_, "configurationpolicytemplates"] if intune => {
            list(call, world.catalogue.templates(), "deviceManagement/configurationPolicyTemplates")
        }
        [_, "configurationpolicytemplates", ..] if intune => template(world, call, &texts[2..]),
        [_, "grouppolicydefinitions", ..] if intune => definitions(world, call, &texts[2..]),
        [_, "templates", ..] if intune => intent_templates(world, call, &texts[2..]),
        names if EMPTY.iter().any(|path| path.eq_ignore_ascii_case(&names.join("/"))) => {
            list(call, Vec::new(), &texts.join("/"))
        }
        _ => Err(unknown(&texts)),
    };
    if answer.is_ok() && call.method != Method::GET {
        return Err(Refusal::method());
    }
    answer
}

/// The first segment that leads nowhere.
fn unknown(texts: &[&str]) -> Refusal {
    let known = |depth: usize| {
        let head = texts[..=depth].join("/").to_ascii_lowercase() + "/";
        kinds::all().iter().any(|kind| kind.path.to_ascii_lowercase().starts_with(&head))
    };
    let at = (0..texts.len()).find(|depth| !known(*depth)).unwrap_or(0);
    Refusal::segment(texts.get(at).copied().unwrap_or(""))
}

pub(crate) fn list(call: &Call, items: Vec<Value>, fragment: &str) -> Result<Outcome, Refusal> {
    let filter = call.options.filter.as_deref().map(crate::odata::filter::Filter::parse).transpose();
    let filter = filter.map_err(|why| Refusal::bad_request(&why))?;
    let mut items: Vec<Value> =
        items.into_iter().filter(|item| filter.as_ref().is_none_or(|filter| filter.admits(item))).collect();
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        crate::odata::json::select(item, &call.options.select);
    }
    read::collection(call, items, 1000, fragment, false)
}

fn entity(call: &Call, value: Value, fragment: &str) -> Result<Outcome, Refusal> {
    let mut map = value.as_object().cloned().unwrap_or_default();
    crate::odata::json::select(&mut map, &call.options.select);
    call.context(&mut map, &format!("{fragment}/$entity"));
    Ok(Outcome::reply(Reply::new(200, Value::Object(map))))
}

pub(crate) fn absent(id: &str) -> Refusal {
    Refusal::new(404, "ResourceNotFound", &format!("Resource not found: {id}")).nested()
}

fn organization(world: &World, call: &Call) -> Value {
    let name = world.tenant(&call.tenant).map_or("", |tenant| tenant.name.as_str());
    json!({"id": call.tenant, "displayName": name, "tenantType": "AAD", "verifiedDomains": [], "assignedPlans": []})
}

fn template(world: &World, call: &Call, rest: &[&str]) -> Result<Outcome, Refusal> {
    let path = "deviceManagement/configurationPolicyTemplates";
    let found = world.catalogue.templates().into_iter().find(|template| template.get("id") == Some(&json!(rest[0])));
    let found = found.ok_or_else(|| absent(rest[0]))?;
    match rest {
        [_] => entity(call, found, path),
        [id, child] if child.eq_ignore_ascii_case("settingTemplates") => {
            let items = world.catalogue.setting_templates(id).unwrap_or_default();
            list(call, items, &format!("{path}('{id}')/settingTemplates"))
        }
        _ => Err(Refusal::segment(rest[1])),
    }
}

fn definitions(world: &World, call: &Call, rest: &[&str]) -> Result<Outcome, Refusal> {
    let path = "deviceManagement/groupPolicyDefinitions";
    let Some((id, rest)) = rest.split_first() else {
        let all = world.catalogue.definitions(&call.tenant);
        return list(call, all.into_iter().map(|definition| Value::Object(definition.body.clone())).collect(), path);
    };
    let found = world.catalogue.definition(&call.tenant, id).ok_or_else(|| absent(id))?;
    let presentations = || found.presentations.values().cloned().map(Value::Object).collect::<Vec<_>>();
    match rest {
        [] => {
            let mut body = found.body.clone();
            if call.options.expands("presentations").is_some() {
                body.insert("presentations".into(), json!(presentations()));
            }
            entity(call, Value::Object(body), path)
        }
        [child] if child.eq_ignore_ascii_case("presentations") => {
            list(call, presentations(), &format!("{path}('{id}')/presentations"))
        }
        [child, presentation] if child.eq_ignore_ascii_case("presentations") => {
            let body = found.presentations.get(&presentation.to_lowercase()).ok_or_else(|| absent(presentation))?;
            entity(call, Value::Object(body.clone()), &format!("{path}('{id}')/presentations"))
        }
        [child, ..] => Err(Refusal::segment(child)),
    }
}

/// Legacy endpoint security templates, those that some intent uses, each with one category of settings: exports tell the settings of
/// an intent, not how Microsoft sorted them.
fn intent_templates(world: &World, call: &Call, rest: &[&str]) -> Result<Outcome, Refusal> {
    let path = "deviceManagement/templates";
    let ids = world.catalogue.intent_templates();
    let shown = |id: &String| {
        json!({
            "@odata.type": "#microsoft.graph.securityBaselineTemplate",
            "id": id,
            "displayName": format!("Template {id}"),
            "templateType": "securityTemplate",
            "isDeprecated": false
        })
    };
    let known = |id: &str| ids.iter().find(|known| known.eq_ignore_ascii_case(id));
    match rest {
        [] => list(call, ids.iter().map(shown).collect(), path),
        [id, ..] if known(id).is_none() => Err(absent(id)),
        [id] => entity(call, known(id).map(shown).unwrap_or_default(), path),
        [id, child] if child.eq_ignore_ascii_case("categories") => {
            list(call, vec![category(id)], &format!("{path}('{id}')/categories"))
        }
        [_, child, ..] => Err(Refusal::segment(child)),
    }
}

pub(crate) fn category(template: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementTemplateSettingCategory",
        "id": template,
        "displayName": "Settings",
        "hasRequiredSetting": false
    })
}
