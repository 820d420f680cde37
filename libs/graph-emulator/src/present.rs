//! How stored objects look on the wire: metadata level, masked secrets, expands, selection.

use serde_json::{Map, Value, json};

use crate::call::{Call, Refusal};
use crate::kinds::{Child, Kind, RuleName};
use crate::object::Object;
use crate::odata::json::{self, Metadata};
use crate::odata::query::Expand;
use crate::rules::{admx, oma_uri, reusable_setting, settings_catalog};
use crate::scene::Scene;
use crate::world::World;

/// One object as the answer to a read of that object, or to a write.
pub(crate) fn entity(scene: &Scene<'_>, object: &Object) -> Result<Value, Refusal> {
    let mut map = properties(scene, object, false);
    expand(scene, object, &mut map, &scene.call.options.expand, false)?;
    json::select(&mut map, &scene.call.options.select);
    scene.call.context(&mut map, &format!("{}{}/$entity", scene.kind.path, expanded(scene.call)));
    Ok(Value::Object(map))
}

/// One object inside a list; selection comes later, when filters have seen the whole.
pub(crate) fn list_item(scene: &Scene<'_>, object: &Object) -> Result<Map<String, Value>, Refusal> {
    let mut map = properties(scene, object, true);
    expand(scene, object, &mut map, &scene.call.options.expand, true)?;
    Ok(map)
}

/// `(assignments(),settings())`, as contexts name what was expanded.
pub(crate) fn expanded(call: &Call) -> String {
    let names: Vec<String> = call.options.expand.iter().map(|expand| format!("{}()", expand.name)).collect();
    if names.is_empty() { String::new() } else { format!("({})", names.join(",")) }
}

fn properties(scene: &Scene<'_>, object: &Object, in_list: bool) -> Map<String, Value> {
    let (kind, call) = (scene.kind, scene.call);
    let mut map = object.body.clone();
    map.retain(|name, _| !name.starts_with('_') && !name.contains("@odata.bind"));
    let own_type = map.remove("@odata.type");
    map.insert("id".into(), json!(object.id));
    if in_list {
        for name in &kind.list_null {
            map.insert(name.clone(), Value::Null);
        }
        map.retain(|name, _| {
            !kind.select_only.contains(name) || call.options.select.iter().any(|asked| asked.eq_ignore_ascii_case(name))
        });
    }
    if kind.defaults.contains_key("isAssigned") {
        map.insert("isAssigned".into(), json!(!object.assignments.is_empty()));
    }
    if kind.has(RuleName::OmaUri) {
        oma_uri::mask(&mut map);
    }
    if kind.has(RuleName::ReusableSetting) {
        let count = reusable_setting::references(scene, &object.id);
        map.insert("referencingConfigurationPolicyCount".into(), json!(count));
        map.values_mut().for_each(settings_catalog::reissue_tokens);
    }
    map.values_mut().for_each(|value| json::level(value, call.metadata));
    match (own_type, call.metadata) {
        (Some(own_type), Metadata::Minimal | Metadata::Full) => {
            map.insert("@odata.type".into(), own_type);
        }
        (None, Metadata::Full) => {
            map.insert("@odata.type".into(), json::wire_type(&kind.odata_type));
        }
        _ => {}
    }
    if call.metadata == Metadata::Full {
        links(kind, call, object, &mut map);
    }
    map
}

/// What `odata.metadata=full` adds to an object.
fn links(kind: &Kind, call: &Call, object: &Object, map: &mut Map<String, Value>) {
    let own = format!("{}('{}')", kind.path, object.id);
    map.insert("@odata.id".into(), json!(own));
    map.insert("@odata.editLink".into(), json!(own));
    let children = kind.children.iter().map(|child| child.name.as_str());
    for name in children.chain(kind.assign.as_ref().map(|_| "assignments")) {
        let link = format!("{}/{own}/{name}", call.base());
        map.insert(format!("{name}@odata.associationLink"), json!(format!("{link}/$ref")));
        map.insert(format!("{name}@odata.navigationLink"), json!(link));
    }
    if kind.assign.is_some() {
        let target = format!("{}/{own}/microsoft.graph.assign", call.base());
        map.insert("#microsoft.graph.assign".into(), json!({"title": "microsoft.graph.assign", "target": target}));
    }
}

fn expand(
    scene: &Scene<'_>,
    object: &Object,
    map: &mut Map<String, Value>,
    wanted: &[Expand],
    in_list: bool,
) -> Result<(), Refusal> {
    for expand in wanted {
        if expand.name.eq_ignore_ascii_case("assignments") && scene.kind.assign.is_some() {
            map.insert("assignments".into(), json!(assignments(scene, object)));
            continue;
        }
        let Some(child) = scene.kind.child(&expand.name) else {
            return Err(unexpandable(&expand.name, &scene.kind.odata_type));
        };
        if in_list && !child.collection_expand {
            return Err(Refusal::bad_request(&format!("$expand={} is not supported on a collection.", child.name)));
        }
        let items = children(scene, object, child, &expand.select, &expand.expand)?;
        map.insert(child.name.clone(), json!(items));
    }
    Ok(())
}

fn unexpandable(name: &str, on: &str) -> Refusal {
    Refusal::bad_request(&format!(
        "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.{on}'."
    ))
}

/// The assignments of an object.
pub(crate) fn assignments(scene: &Scene<'_>, object: &Object) -> Vec<Value> {
    let mut items = object.assignments.clone();
    items.iter_mut().for_each(|item| json::level(item, scene.call.metadata));
    items
}

/// The items of a child collection, navigation properties hidden unless expanded.
pub(crate) fn children(
    scene: &Scene<'_>,
    object: &Object,
    child: &Child,
    select: &[String],
    expands: &[Expand],
) -> Result<Vec<Value>, Refusal> {
    object.child(&child.name).iter().map(|item| child_item(scene, child, item, select, expands)).collect()
}

/// One item of a child collection.
pub(crate) fn child_item(
    scene: &Scene<'_>,
    child: &Child,
    item: &Value,
    select: &[String],
    expands: &[Expand],
) -> Result<Value, Refusal> {
    let stored = item.as_object().cloned().unwrap_or_default();
    let mut map = stored.clone();
    map.retain(|name, _| !name.starts_with('_') && !child.nested.contains(name));
    for expand in expands {
        let value = match child.nested.iter().find(|name| name.eq_ignore_ascii_case(&expand.name)) {
            Some(name) => {
                let items = stored.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
                let items = items.iter().map(|item| nested_item(scene.world, scene.call, item, &expand.expand));
                (name.clone(), Value::Array(items.collect::<Result<_, _>>()?))
            }
            None => match admx::definition_of(scene.world, scene.call, &stored, &expand.name) {
                Some(definition) => ("definition".into(), definition),
                None => return Err(unexpandable(&expand.name, &child.odata_type)),
            },
        };
        map.insert(value.0, value.1);
    }
    if scene.kind.has(RuleName::SettingsCatalog) {
        map.values_mut().for_each(settings_catalog::reissue_tokens);
    }
    json::select(&mut map, select);
    let mut value = Value::Object(map);
    json::level(&mut value, scene.call.metadata);
    Ok(value)
}

/// One item of a collection inside a child.
pub(crate) fn nested_item(world: &World, call: &Call, item: &Value, expands: &[Expand]) -> Result<Value, Refusal> {
    let stored = item.as_object().cloned().unwrap_or_default();
    let mut map = stored.clone();
    map.retain(|name, _| !name.starts_with('_'));
    for expand in expands {
        match admx::presentation_of(world, call, &stored, &expand.name) {
            Some(presentation) => map.insert("presentation".into(), presentation),
            None => return Err(unexpandable(&expand.name, "entity")),
        };
    }
    let mut value = Value::Object(map);
    json::level(&mut value, call.metadata);
    Ok(value)
}
