//! From a path to what serves it: the kinds of the table, what Microsoft ships, or the refusals Graph gives for everything else.

use http::Method;

use crate::assign;
use crate::call::{Call, Refusal, Reply, Version};
use crate::kinds::{self, Kind};
use crate::odata::path::{self, Segment};
use crate::outcome::Outcome;
use crate::present;
use crate::read;
use crate::rules::{self, intent};
use crate::scene::Scene;
use crate::shipped;
use crate::world::World;
use crate::write;

/// Decides a call against the world. Changes nothing.
pub(crate) fn decide(world: &World, call: &Call) -> Result<Outcome, Refusal> {
    let segments = path::parse(&call.path);
    let Some((kind, rest)) = kind_of(&segments) else {
        shipped::admit(call, &segments)?;
        return match intent::template_to_instantiate(call, &segments) {
            Some(template) => intent::create(world, call, template),
            None => shipped::read(world, call, &segments),
        };
    };
    if call.version == Version::V1 && !kind.v1 {
        return Err(Refusal::segment(kind.path.rsplit('/').next().unwrap_or(&kind.path)));
    }
    authorise(call, kind)?;
    let tenant =
        world.tenant(&call.tenant).ok_or_else(|| Refusal::new(401, "InvalidAuthenticationToken", "Unknown tenant."))?;
    let scene = Scene { world, tenant, call, kind };
    match rest {
        [] => on_collection(&scene, None),
        [Segment::Name(name)] if name == "$count" => read::count(&scene),
        [Segment::Name(cast)] if is_cast(cast) => {
            on_collection(&scene, Some(cast.trim_start_matches("microsoft.graph.")))
        }
        [key, rest @ ..] => on_object(&scene, key.text(), rest),
    }
}

/// The kind whose collection path begins the segments, and what follows.
pub(crate) fn kind_of(segments: &[Segment]) -> Option<(&'static Kind, &[Segment])> {
    (1..=segments.len().min(4)).rev().find_map(|length| {
        let (head, rest) = segments.split_at(length);
        if !head.iter().all(|segment| matches!(segment, Segment::Name(_))) {
            return None;
        }
        let joined = head.iter().map(Segment::text).collect::<Vec<_>>().join("/");
        Some((kinds::by_path(&joined)?, rest))
    })
}

/// `microsoft.graph.windows10CustomConfiguration` is a cast; `microsoft.graph.assign` on an object is an action.
fn is_cast(name: &str) -> bool {
    name.starts_with("microsoft.graph.")
}

fn authorise(call: &Call, kind: &Kind) -> Result<(), Refusal> {
    let write: Vec<&String> = kind.write.iter().collect();
    let read: Vec<&String> = kind.read.iter().chain(&kind.write).collect();
    let (held, wanted) =
        if call.writes() { (call.app.holds(&write), &kind.write) } else { (call.app.holds(&read), &kind.read) };
    if held { Ok(()) } else { Err(Refusal::forbidden(wanted)) }
}

fn on_collection(scene: &Scene<'_>, cast: Option<&str>) -> Result<Outcome, Refusal> {
    match scene.call.method {
        Method::GET => read::list(scene, cast),
        Method::POST if cast.is_none() => write::create(scene),
        _ => Err(Refusal::method()),
    }
}

fn on_object(scene: &Scene<'_>, key: &str, rest: &[Segment]) -> Result<Outcome, Refusal> {
    // A read sees what readers see; a write meets the object as it is.
    let found = if scene.call.writes() {
        scene.tenant.get(scene.kind, key)
    } else {
        scene.tenant.view(scene.kind, key, scene.call.now)
    };
    let object = found.ok_or_else(|| scene.not_found(key))?;
    let rest = match rest {
        [Segment::Name(cast), rest @ ..]
            if is_cast(cast) && scene.kind.admits(cast.trim_start_matches("microsoft.graph.")) =>
        {
            rest
        }
        rest => rest,
    };
    if rest.is_empty() {
        return match scene.call.method {
            Method::GET => Ok(Outcome::reply(Reply::new(200, present::entity(scene, &object)?))),
            Method::PATCH => write::patch(scene, &object),
            Method::PUT => write::replace(scene, &object),
            Method::DELETE => write::delete(scene, &object),
            _ => Err(Refusal::method()),
        };
    }
    if let Some(outcome) = rules::act(scene, &object, rest) {
        return outcome;
    }
    let names = path::names(rest);
    match (names.as_slice(), &scene.call.method) {
        ([name], &Method::POST) if name.eq_ignore_ascii_case("assign") => assign::assign(scene, &object),
        (_, &Method::GET) => read::below(scene, &object, rest),
        ([name, ..], _) if scene.kind.child(name).is_some() => Err(Refusal::method()),
        ([name, ..], _) => Err(Refusal::segment(name)),
        ([], _) => Err(Refusal::method()),
    }
}
