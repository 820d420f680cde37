//! Reads: lists with paging, filter and selection; single objects; children and single properties.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::call::{Call, Refusal, Reply};
use crate::kinds::{Child, Kind, OverTop, RuleName};
use crate::object::Object;
use crate::odata::filter::Filter;
use crate::odata::json;
use crate::odata::path::{self, Segment};
use crate::odata::query;
use crate::outcome::Outcome;
use crate::present;
use crate::scene::Scene;

/// `GET` on the collection, optionally narrowed to one type by a cast segment.
pub(crate) fn list(scene: &Scene<'_>, cast: Option<&str>) -> Result<Outcome, Refusal> {
    let (kind, call) = (scene.kind, scene.call);
    let filter = filter(scene)?;
    let mut objects = scene.tenant.view_all(kind, call.now);
    objects.retain(|object| cast.is_none_or(|cast| json::type_of(&object.body) == Some(cast)));
    let window = Window::of(call, page_size(kind, call)?)?;
    let asks_all = filter.is_some() || call.options.search.is_some() || call.options.orderby.is_some();
    let (shown, total) = if asks_all {
        let mut items = Vec::new();
        for object in &objects {
            let map = present::list_item(scene, object)?;
            if filter.as_ref().is_none_or(|filter| filter.admits(&typed(object, &map))) && search_admits(scene, &map) {
                items.push(map);
            }
        }
        order(call, &mut items)?;
        let total = items.len();
        (window.cut(items), total)
    } else {
        // Large tenants are read page by page: only this page's objects are brought into shape.
        let total = objects.len();
        let page = window.cut(objects);
        (page.iter().map(|object| present::list_item(scene, object)).collect::<Result<_, _>>()?, total)
    };
    let mut body = window.next_link(call, shown.len(), total);
    if kind.count_per_page {
        body.insert("@odata.count".into(), json!(shown.len()));
    } else if call.options.count {
        body.insert("@odata.count".into(), json!(total));
    }
    let selected = shown.into_iter().map(|mut map| {
        json::select(&mut map, &call.options.select);
        Value::Object(map)
    });
    body.insert("value".into(), selected.collect());
    let names = &call.options.select;
    let selection = if names.is_empty() { String::new() } else { format!("({})", names.join(",")) };
    call.context(&mut body, &format!("{}{selection}{}", kind.path, present::expanded(call)));
    Ok(Outcome::reply(Reply::new(200, Value::Object(body))))
}

/// What a filter looks at: it sees the type even where metadata hides it.
fn typed(object: &Object, map: &Map<String, Value>) -> Value {
    let mut map = map.clone();
    if let Some(name) = object.body.get("@odata.type") {
        map.entry("@odata.type").or_insert_with(|| name.clone());
    }
    Value::Object(map)
}

/// `GET {collection}/$count`: the bare number.
pub(crate) fn count(scene: &Scene<'_>) -> Result<Outcome, Refusal> {
    let filter = filter(scene)?;
    let mut count = 0;
    for object in scene.tenant.view_all(scene.kind, scene.call.now) {
        let seen = typed(&object, &present::list_item(scene, &object)?);
        count += usize::from(filter.as_ref().is_none_or(|filter| filter.admits(&seen)));
    }
    Ok(Outcome::reply(Reply::new(200, json!(count))))
}

/// `GET {id}/{rest}`: assignments, a child collection, one of its items, a nested collection, or a single property.
pub(crate) fn below(scene: &Scene<'_>, object: &Object, rest: &[Segment]) -> Result<Outcome, Refusal> {
    let names = path::names(rest);
    let fragment = |tail: &str| format!("{}('{}')/{tail}", scene.kind.path, object.id);
    match names.as_slice() {
        [name, tail @ ..] if name.eq_ignore_ascii_case("assignments") && scene.kind.assign.is_some() => {
            let items = present::assignments(scene, object);
            match tail {
                [] => collection(scene.call, items, 1000, &fragment("assignments"), false),
                [id] => one(scene, &items, id, &fragment("assignments/$entity")),
                _ => Err(Refusal::segment(tail[1])),
            }
        }
        [name, tail @ ..] => match scene.kind.child(name) {
            Some(child) => in_child(scene, object, child, tail, &fragment(&child.name)),
            None => property(scene, object, &names),
        },
        [] => Err(Refusal::method()),
    }
}

fn in_child(
    scene: &Scene<'_>,
    object: &Object,
    child: &Child,
    tail: &[&str],
    fragment: &str,
) -> Result<Outcome, Refusal> {
    let options = &scene.call.options;
    if tail.is_empty() {
        let items = present::children(scene, object, child, &options.select, &options.expand)?;
        let per_page = scene.kind.has(RuleName::SettingsCatalog);
        return collection(scene.call, items, child.page, fragment, per_page);
    }
    let named =
        |item: &&Value| item.get("id").and_then(Value::as_str).is_some_and(|id| id.eq_ignore_ascii_case(tail[0]));
    let stored = object.child(&child.name).iter().find(named).ok_or_else(|| scene.not_found(tail[0]))?;
    match &tail[1..] {
        [] => {
            let mut item = present::child_item(scene, child, stored, &options.select, &options.expand)?;
            if let Some(map) = item.as_object_mut() {
                scene.call.context(map, &format!("{fragment}/$entity"));
            }
            Ok(Outcome::reply(Reply::new(200, item)))
        }
        [nested, more @ ..] if more.len() <= 1 => {
            let known = child.nested.iter().find(|name| name.eq_ignore_ascii_case(nested));
            let known = known.ok_or_else(|| Refusal::segment(nested))?;
            let items = stored.get(known).and_then(Value::as_array).cloned().unwrap_or_default();
            let items: Vec<Value> = items
                .iter()
                .map(|item| present::nested_item(scene.world, scene.call, item, &options.expand))
                .collect::<Result<_, _>>()?;
            let fragment = format!("{fragment}('{}')/{known}", tail[0]);
            match more {
                [id] => one(scene, &items, id, &format!("{fragment}/$entity")),
                _ => collection(scene.call, items, 1000, &fragment, false),
            }
        }
        _ => Err(Refusal::segment(tail[1])),
    }
}

/// One structural property: `{"value": ...}`.
fn property(scene: &Scene<'_>, object: &Object, names: &[&str]) -> Result<Outcome, Refusal> {
    let shown = present::entity(scene, object)?;
    let found = shown
        .as_object()
        .into_iter()
        .flatten()
        .find(|(key, _)| key.eq_ignore_ascii_case(names[0]) && !key.contains('@'));
    let (Some((key, value)), 1) = (found, names.len()) else { return Err(Refusal::segment(names[0])) };
    let mut map = Map::from_iter([("value".to_owned(), value.clone())]);
    scene.call.context(&mut map, &format!("{}('{}')/{key}", scene.kind.path, object.id));
    Ok(Outcome::reply(Reply::new(200, Value::Object(map))))
}

fn one(scene: &Scene<'_>, items: &[Value], id: &str, fragment: &str) -> Result<Outcome, Refusal> {
    let named =
        |item: &&Value| item.get("id").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(id));
    let found = items.iter().find(named).ok_or_else(|| scene.not_found(id))?;
    let mut map = found.as_object().cloned().unwrap_or_default();
    scene.call.context(&mut map, fragment);
    Ok(Outcome::reply(Reply::new(200, Value::Object(map))))
}

/// A list that is no collection of objects: paged, counted per page where the settings catalog does so.
pub(crate) fn collection(
    call: &Call,
    items: Vec<Value>,
    size: usize,
    fragment: &str,
    count_per_page: bool,
) -> Result<Outcome, Refusal> {
    let size = match top(call)? {
        Some(top) if count_per_page => top.clamp(1, 100),
        Some(top) => top.clamp(1, size.max(1000)),
        None => size,
    };
    let total = items.len();
    let window = Window::of(call, size)?;
    let items = window.cut(items);
    let mut body = window.next_link(call, items.len(), total);
    if count_per_page || call.options.count {
        let count = if count_per_page { items.len() } else { total };
        body.insert("@odata.count".into(), json!(count));
    }
    body.insert("value".into(), json!(items));
    call.context(&mut body, fragment);
    Ok(Outcome::reply(Reply::new(200, Value::Object(body))))
}

/// The part of a list that one page shows.
struct Window {
    start: usize,
    size: usize,
}

impl Window {
    fn of(call: &Call, size: usize) -> Result<Self, Refusal> {
        let start = match (&call.options.skiptoken, &call.options.skip) {
            (Some(token), _) => read_token(token)?,
            (None, Some(skip)) => skip.parse().map_err(|_| Refusal::bad_request("Invalid value for $skip."))?,
            (None, None) => 0,
        };
        Ok(Self { start, size })
    }

    fn cut<T>(&self, items: Vec<T>) -> Vec<T> {
        items.into_iter().skip(self.start).take(self.size).collect()
    }

    /// A body with the link to the page after one of `shown` items, if there is one.
    fn next_link(&self, call: &Call, shown: usize, total: usize) -> Map<String, Value> {
        let mut body = Map::new();
        let end = self.start.min(total) + shown;
        if end < total {
            let query = query::next(&call.query, &token(end));
            let path = call.path.trim_start_matches('/');
            body.insert("@odata.nextLink".into(), json!(format!("{}/{path}?{query}", call.base())));
        }
        body
    }
}

/// Opaque to clients: a position, wrapped so that nobody computes the next one.
fn token(position: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("+RID:emulator#RT:1#TRC:{position}"))
}

fn read_token(token: &str) -> Result<usize, Refusal> {
    let bad = || Refusal::bad_request("Invalid value specified for the skip token.");
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?).map_err(|_| bad())?;
    text.rsplit("TRC:").next().and_then(|position| position.parse().ok()).ok_or_else(bad)
}

fn top(call: &Call) -> Result<Option<usize>, Refusal> {
    match call.options.top.as_deref().map(str::parse::<usize>) {
        None => Ok(None),
        Some(Ok(top)) if top > 0 => Ok(Some(top)),
        Some(_) => Err(Refusal::bad_request("Invalid value for $top.")),
    }
}

fn page_size(kind: &Kind, call: &Call) -> Result<usize, Refusal> {
    let max = kind.max_top.unwrap_or(1000).max(kind.page);
    match top(call)? {
        None => Ok(kind.page),
        Some(top) if top > max && kind.over_top == OverTop::Reject => Err(Refusal::bad_request(&format!(
            "The limit of '{max}' for Top query has been exceeded. The value from the incoming request is '{top}'."
        ))),
        Some(top) => Ok(top.min(max)),
    }
}

fn filter(scene: &Scene<'_>) -> Result<Option<Filter>, Refusal> {
    let Some(text) = scene.call.options.filter.as_deref().filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let filter = Filter::parse(text).map_err(|why| Refusal::bad_request(&why))?;
    if filter.paths().contains(&"isGlobalScript") {
        return Err(scene.refuse("Filtering by isGlobalScript is not supported."));
    }
    Ok(Some(filter))
}

/// `$search` is answered for names only; groups write it as `"displayName:text"`.
fn search_admits(scene: &Scene<'_>, map: &Map<String, Value>) -> bool {
    let Some(wanted) = &scene.call.options.search else { return true };
    let wanted = wanted.trim_matches('"').trim_start_matches("displayName:").to_lowercase();
    let name = scene.kind.name.as_ref().and_then(|name| map.get(name)).and_then(Value::as_str).unwrap_or_default();
    name.to_lowercase().contains(&wanted)
}

fn order(call: &Call, items: &mut [Map<String, Value>]) -> Result<(), Refusal> {
    let Some(text) = call.options.orderby.as_deref() else { return Ok(()) };
    let mut words = text.split(',').next().unwrap_or_default().split_whitespace();
    let Some(name) = words.next() else { return Err(Refusal::bad_request("Invalid value for $orderby.")) };
    let key = |map: &Map<String, Value>| match map.get(name) {
        Some(Value::String(text)) => text.to_lowercase(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    items.sort_by_key(key);
    if words.next() == Some("desc") {
        items.reverse();
    }
    Ok(())
}
