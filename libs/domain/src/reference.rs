//! References between objects: ids inside a tenant, names across tenants.
//!
//! An id means something in one tenant only (scope tag `2` exists on both sides and means different things), so a
//! reference is carried over by name, and only when the name belongs to exactly one object on either side.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{PolicyType, SubjectKey};
use crate::identity::{folded_name, name_in_key};

/// The names of one tenant's objects by kind and id, and back.
#[derive(Debug, Clone, Default)]
pub struct NameTable {
    kinds: BTreeMap<PolicyType, KindNames>,
    /// See [`NameTable::keeping_ids`].
    keeps_ids: bool,
}

#[derive(Debug, Clone, Default)]
struct KindNames {
    name_of: BTreeMap<String, String>,
    /// By name, then by folded id, so that one id in two spellings stays one.
    ids_of: BTreeMap<String, BTreeMap<String, String>>,
    label_of: BTreeMap<String, String>,
    /// Folded ids of what may be gone.
    doubted: BTreeSet<String>,
}

impl NameTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object by its display name alone, for kinds without discriminators (groups, scope tags).
    pub fn insert(&mut self, kind: impl Into<PolicyType>, id: &str, display_name: &str) {
        self.put(kind.into(), id, folded_name(display_name), display_name);
    }

    /// Adds an observed object. Its discriminators are part of the name that references to it carry (an assignment
    /// filter's platform), so that a reference cannot land on an object of the same name and another sort.
    pub fn insert_subject(&mut self, kind: impl Into<PolicyType>, id: &str, key: &SubjectKey, display_name: &str) {
        let kind = kind.into();
        let name = name_in_key(&kind, key).to_owned();
        self.put(kind, id, name, display_name);
    }

    /// Says of an object that it may be gone. It still counts as a namesake, and nothing is mapped to it.
    pub fn doubt(&mut self, kind: impl Into<PolicyType>, id: &str) {
        self.kinds.entry(kind.into()).or_default().doubted.insert(id_key(id));
    }

    /// The table of a tenant that its own content is written back to: an id means there what it meant when the content was read,
    /// so that references keep theirs. Only what is known to be gone is looked for by the name it had.
    pub fn keeping_ids(self) -> Self {
        Self { keeps_ids: true, ..self }
    }

    /// Adds the name of an object that is gone, as references to it carry it: they still mean that name, and nothing is mapped to
    /// the old id. What is there keeps its own name.
    pub fn recall(&mut self, kind: impl Into<PolicyType>, id: &str, name: &str, display_name: &str) {
        let names = self.kinds.entry(kind.into()).or_default();
        let key = id_key(id);
        if !names.holds(&key) {
            names.label_of.insert(key.clone(), display_name.trim().to_owned());
            names.name_of.insert(key, name.to_owned());
        }
    }

    /// Whether an object is known to be gone: its name is recalled, and nothing more.
    pub fn is_recalled(&self, kind: &str, id: &str) -> bool {
        let key = id_key(id);
        self.kinds.get(kind).is_some_and(|names| names.name_of.contains_key(&key) && !names.holds(&key))
    }

    fn is_doubted(&self, kind: &str, id: &str) -> bool {
        self.kinds.get(kind).is_some_and(|names| names.doubted.contains(&id_key(id)))
    }

    fn put(&mut self, kind: PolicyType, id: &str, name: String, display_name: &str) {
        let names = self.kinds.entry(kind).or_default();
        let key = id_key(id);
        if let Some(old) = names.name_of.insert(key.clone(), name.clone())
            && let Some(ids) = names.ids_of.get_mut(&old)
        {
            ids.remove(&key);
        }
        names.label_of.insert(key.clone(), display_name.trim().to_owned());
        names.ids_of.entry(name).or_default().insert(key, id.to_owned());
    }

    /// The name that references to this object carry.
    pub fn name(&self, kind: &str, id: &str) -> Option<&str> {
        self.kinds.get(kind)?.name_of.get(&id_key(id)).map(String::as_str)
    }

    /// The object's display name as the tenant writes it, for people.
    pub fn display_name(&self, kind: &str, id: &str) -> Option<&str> {
        self.kinds.get(kind)?.label_of.get(&id_key(id)).map(String::as_str)
    }

    /// The ids of all objects with that name: none, one, or too many to choose from.
    pub fn ids(&self, kind: &str, name: &str) -> impl Iterator<Item = &str> {
        self.kinds
            .get(kind)
            .and_then(|names| names.ids_of.get(name))
            .into_iter()
            .flat_map(BTreeMap::values)
            .map(String::as_str)
    }

    /// True when the name belongs to several objects, so that it does not say which one is meant.
    pub fn is_shared(&self, kind: &str, name: &str) -> bool {
        self.ids(kind, name).nth(1).is_some()
    }

    /// True when the name belongs to exactly one object.
    pub fn is_unique(&self, kind: &str, name: &str) -> bool {
        self.ids(kind, name).take(2).count() == 1
    }

    /// How many objects of a kind are known.
    pub fn count(&self, kind: &str) -> usize {
        self.kinds.get(kind).map_or(0, |names| names.name_of.len())
    }
}

impl KindNames {
    /// Whether the object is there, and not only its name.
    fn holds(&self, key: &str) -> bool {
        let ids = self.name_of.get(key).and_then(|name| self.ids_of.get(name));
        ids.is_some_and(|ids| ids.contains_key(key))
    }
}

/// Guids are compared without regard to case; other ids (`c1`, `T_<guid>`) lose nothing by it.
fn id_key(id: &str) -> String {
    id.trim().to_ascii_lowercase()
}

/// A reference found in an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// The policy type of what is referred to.
    pub kind: PolicyType,
    /// Its id in the tenant the object was read from.
    pub id: String,
    /// The name it goes by across tenants; `None` when this tenant's names do not know the id.
    pub name: Option<String>,
    /// The name as people know it, for messages; the id when there is none.
    pub display_name: String,
    /// Where the reference stands, for messages: `assignments[].target.groupId`.
    pub path: String,
    /// How far the reference carries.
    pub standing: Standing,
}

/// How far a reference carries beyond its own tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The id is the same in every tenant (scope tag 0, the virtual group All users): nothing to map.
    Fixed,
    /// By a name that belongs to one object of its tenant.
    Named,
    /// Its name belongs to several objects of its tenant: carrying it over would be a guess.
    Ambiguous,
    /// The id is unknown in its own tenant.
    Unresolved,
}

/// Why a reference has no counterpart in the target tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingFault {
    /// The source tenant's own names do not know the id.
    UnknownInSource,
    /// Several objects of the source tenant have that name.
    AmbiguousInSource,
    /// No object of the target tenant has that name.
    MissingInTarget,
    /// Several objects of the target tenant have that name.
    AmbiguousInTarget,
}

impl Reference {
    /// The id that this reference has in the target tenant.
    ///
    /// # Errors
    /// Why there is none; a name that is not unique on either side is never guessed at.
    pub fn target_id<'t>(&'t self, target: &'t NameTable) -> Result<&'t str, MappingFault> {
        if target.keeps_ids && !target.is_recalled(self.kind.as_str(), &self.id) {
            return Ok(&self.id);
        }
        let name = match (self.standing, &self.name) {
            (Standing::Fixed, _) => return Ok(&self.id),
            (Standing::Named, Some(name)) => name,
            (Standing::Ambiguous, _) => return Err(MappingFault::AmbiguousInSource),
            (Standing::Unresolved, _) | (Standing::Named, None) => return Err(MappingFault::UnknownInSource),
        };
        let mut ids = target.ids(self.kind.as_str(), name);
        match (ids.next(), ids.next()) {
            (None, _) => Err(MappingFault::MissingInTarget),
            (Some(id), None) if target.is_doubted(self.kind.as_str(), id) => Err(MappingFault::MissingInTarget),
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => Err(MappingFault::AmbiguousInTarget),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(standing: Standing) -> Reference {
        Reference {
            kind: "group".into(),
            id: "1".into(),
            name: Some("pilot".into()),
            display_name: "Pilot".into(),
            path: "p".into(),
            standing,
        }
    }

    #[test]
    fn a_reference_is_carried_by_a_name_that_is_unique_on_both_sides() {
        let mut target = NameTable::new();
        assert_eq!(reference(Standing::Named).target_id(&target), Err(MappingFault::MissingInTarget));
        target.insert("group", "T-1", " PILOT");
        target.insert("user", "T-2", "pilot");
        assert_eq!(reference(Standing::Named).target_id(&target), Ok("T-1"));
        assert_eq!(reference(Standing::Fixed).target_id(&target), Ok("1"));
        assert_eq!(reference(Standing::Ambiguous).target_id(&target), Err(MappingFault::AmbiguousInSource));
        assert_eq!(reference(Standing::Unresolved).target_id(&target), Err(MappingFault::UnknownInSource));
        target.insert("group", "T-3", "Pilot");
        assert_eq!(reference(Standing::Named).target_id(&target), Err(MappingFault::AmbiguousInTarget));
    }

    #[test]
    fn what_may_be_gone_is_a_namesake_and_no_counterpart() {
        let mut target = NameTable::new();
        target.insert("group", "T-1", "Pilot");
        target.doubt("group", "t-1");
        assert_eq!(reference(Standing::Named).target_id(&target), Err(MappingFault::MissingInTarget));
        target.insert("group", "T-2", "Pilot");
        assert_eq!(reference(Standing::Named).target_id(&target), Err(MappingFault::AmbiguousInTarget));
    }

    #[test]
    fn written_back_to_its_own_tenant_a_reference_keeps_its_id_unless_that_is_gone() {
        let mut names = NameTable::new();
        names.insert("group", "1", "Pilot");
        names.insert("group", "2", "Pilot");
        let names = names.keeping_ids();
        for standing in [Standing::Fixed, Standing::Named, Standing::Ambiguous, Standing::Unresolved] {
            assert_eq!(reference(standing).target_id(&names), Ok("1"), "{standing:?}");
        }

        let mut names = NameTable::new().keeping_ids();
        names.recall("group", "1", "pilot", "Pilot");
        assert!(names.is_recalled("group", "1") && !names.is_shared("group", "pilot"));
        assert_eq!(names.name("group", "1"), Some("pilot"), "what is gone still has its name");
        assert_eq!(reference(Standing::Named).target_id(&names), Err(MappingFault::MissingInTarget));
        names.insert("group", "7", "Pilot");
        assert_eq!(reference(Standing::Named).target_id(&names), Ok("7"), "made anew under another id");
        names.recall("group", "7", "another", "Another");
        assert_eq!(names.name("group", "7"), Some("pilot"), "what is there is not recalled");
        names.insert("group", "8", "Pilot");
        assert_eq!(reference(Standing::Named).target_id(&names), Err(MappingFault::AmbiguousInTarget));
    }

    #[test]
    fn a_table_knows_ids_in_any_case_and_follows_a_rename() {
        let mut names = NameTable::new();
        names.insert("group", "ABC", "One ");
        assert_eq!((names.name("group", "abc"), names.display_name("group", "Abc")), (Some("one"), Some("One")));
        names.insert("group", "abc", "Two");
        assert_eq!(names.name("group", "ABC"), Some("two"));
        assert_eq!(
            (names.ids("group", "one").count(), names.ids("group", "two").count(), names.count("group")),
            (0, 1, 1)
        );
        let key = SubjectKey::from("assignmentFilter: corp [iOS]");
        names.insert_subject("assignmentFilter", "f", &key, "Corp");
        assert_eq!(names.name("assignmentFilter", "f"), Some("corp [iOS]"));
        assert!(names.is_unique("assignmentFilter", "corp [iOS]"));
    }
}
