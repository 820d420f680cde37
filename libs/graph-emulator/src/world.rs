//! Everything the emulator remembers: tenants with their objects, and what is the same in every tenant.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use crate::catalogue::Catalogue;
use crate::kinds::{self, Kind};
use crate::object::Object;

/// An application registration of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Application (client) id.
    pub id: String,
    /// Client secret.
    pub secret: String,
    /// Granted app roles; absent = all.
    #[serde(default)]
    pub permissions: Option<Vec<String>>,
}

/// A tenant with its objects.
#[derive(Debug, Default)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) clients: Vec<Client>,
    /// Bearer tokens that are always good, for clients that bring their own.
    pub(crate) open_tokens: Vec<String>,
    collections: BTreeMap<String, Collection>,
    next_order: u64,
    highest_scope_tag: u64,
    stale: Vec<Stale>,
}

#[derive(Debug, Default)]
struct Collection {
    by_order: BTreeMap<u64, Arc<Object>>,
    order_of: HashMap<String, u64>,
}

/// What readers still see of an object after a write, until the moment passes.
#[derive(Debug)]
struct Stale {
    kind: String,
    id: String,
    before: Option<Arc<Object>>,
    until: OffsetDateTime,
}

impl Tenant {
    /// The object as it is now.
    pub(crate) fn get(&self, kind: &Kind, id: &str) -> Option<Arc<Object>> {
        let collection = self.collections.get(&kind.key)?;
        collection.by_order.get(collection.order_of.get(&id.to_lowercase())?).cloned()
    }

    /// The object as a reader sees it at `now`.
    pub(crate) fn view(&self, kind: &Kind, id: &str, now: OffsetDateTime) -> Option<Arc<Object>> {
        match self.stale.iter().find(|stale| stale.is(kind, id) && stale.until > now) {
            Some(stale) => stale.before.clone(),
            None => self.get(kind, id),
        }
    }

    /// All objects of a kind as a reader sees them at `now`, in list order.
    pub(crate) fn view_all(&self, kind: &Kind, now: OffsetDateTime) -> Vec<Arc<Object>> {
        let mut objects = self.collections.get(&kind.key).map(|held| held.by_order.clone()).unwrap_or_default();
        for stale in self.stale.iter().filter(|stale| stale.kind == kind.key && stale.until > now) {
            objects.retain(|_, object| !object.id.eq_ignore_ascii_case(&stale.id));
            if let Some(before) = &stale.before {
                objects.insert(before.order, before.clone());
            }
        }
        objects.into_values().collect()
    }

    /// All objects of all kinds, as they are.
    pub(crate) fn everything(&self) -> Vec<Arc<Object>> {
        self.collections.values().flat_map(|collection| collection.by_order.values().cloned()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.collections.values().all(|collection| {
            collection.by_order.values().all(|object| object.kind == "roleScopeTag" && object.id == "0")
        })
    }

    /// The next list position.
    pub(crate) fn take_order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// Scope tag ids are small integers, never used twice.
    pub(crate) fn next_scope_tag(&self) -> String {
        (self.highest_scope_tag + 1).to_string()
    }

    /// Stores an object; readers see the state before it until `stale_until`, if given.
    pub(crate) fn put(&mut self, object: Object, stale_until: Option<OffsetDateTime>) {
        self.remember(&object.kind, &object.id, stale_until);
        self.next_order = self.next_order.max(object.order);
        if let ("roleScopeTag", Ok(number)) = (object.kind.as_str(), object.id.parse()) {
            self.highest_scope_tag = self.highest_scope_tag.max(number);
        }
        let collection = self.collections.entry(object.kind.clone()).or_default();
        let order = *collection.order_of.entry(object.id.to_lowercase()).or_insert(object.order);
        collection.by_order.insert(order, Arc::new(Object { order, ..object }));
    }

    /// Removes an object; readers see it until `stale_until`, if given.
    pub(crate) fn remove(&mut self, kind: &str, id: &str, stale_until: Option<OffsetDateTime>) {
        self.remember(kind, id, stale_until);
        if let Some(collection) = self.collections.get_mut(kind)
            && let Some(order) = collection.order_of.remove(&id.to_lowercase())
        {
            collection.by_order.remove(&order);
        }
    }

    /// A second write within the window keeps the oldest state visible, and prolongs the window.
    fn remember(&mut self, kind: &str, id: &str, until: Option<OffsetDateTime>) {
        let Some(until) = until else { return };
        if let Some(stale) = self.stale.iter_mut().find(|stale| stale.kind == kind && stale.id.eq_ignore_ascii_case(id))
        {
            stale.until = stale.until.max(until);
            return;
        }
        let before = kinds::by_key(kind).and_then(|kind| self.get(kind, id));
        self.stale.push(Stale { kind: kind.to_owned(), id: id.to_owned(), before, until });
    }

    /// Forgets windows that have passed.
    pub(crate) fn settle(&mut self, now: OffsetDateTime) {
        self.stale.retain(|stale| stale.until > now);
    }

    /// The scope tag that every tenant has.
    pub(crate) fn default_scope_tag(order: u64) -> Object {
        let body = json!({"displayName": "Default", "description": "", "isBuiltIn": true});
        Object {
            id: "0".into(),
            kind: "roleScopeTag".into(),
            order,
            body: body.as_object().cloned().unwrap_or_default(),
            children: BTreeMap::new(),
            assignments: Vec::new(),
        }
    }
}

impl Stale {
    fn is(&self, kind: &Kind, id: &str) -> bool {
        self.kind == kind.key && self.id.eq_ignore_ascii_case(id)
    }
}

/// All tenants, and what Microsoft ships to every one of them.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) tenants: BTreeMap<String, Tenant>,
    pub(crate) catalogue: Catalogue,
    /// Encrypt every text value of an OMA-URI setting, as the real service does, not only those sent as encrypted.
    pub(crate) encrypt_oma_strings: bool,
}

impl World {
    /// The tenant with this id, in any letter case.
    pub(crate) fn tenant(&self, id: &str) -> Option<&Tenant> {
        self.tenants.get(&id.to_lowercase())
    }

    pub(crate) fn tenant_mut(&mut self, id: &str) -> Option<&mut Tenant> {
        self.tenants.get_mut(&id.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    fn group(id: &str, name: &str, order: u64) -> Object {
        let body = json!({"displayName": name}).as_object().cloned().unwrap();
        Object { id: id.into(), kind: "group".into(), order, body, children: BTreeMap::new(), assignments: Vec::new() }
    }

    #[test]
    fn readers_see_the_old_state_until_the_window_closes() {
        let kind = kinds::by_key("group").unwrap();
        let (now, mut tenant) = (OffsetDateTime::UNIX_EPOCH, Tenant::default());
        let until = now + Duration::seconds(5);
        tenant.put(group("a", "old", 1), None);
        tenant.put(group("a", "new", 1), Some(until));
        tenant.put(group("b", "created", 2), Some(until));
        let seen = |tenant: &Tenant, at| {
            tenant.view_all(kind, at).iter().map(|o| o.body["displayName"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(seen(&tenant, now), [json!("old")]);
        assert!(tenant.view(kind, "b", now).is_none());
        assert_eq!(seen(&tenant, until), [json!("new"), json!("created")]);
        tenant.settle(until);
        assert_eq!(seen(&tenant, now), [json!("new"), json!("created")]);
    }
}
