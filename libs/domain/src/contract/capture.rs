//! How a type is read: the list, the object by itself, its children.

use serde::Deserialize;

use crate::json::Path;

/// The collection a type is listed from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Below the API version, without leading or trailing slash: `deviceManagement/configurationPolicies`.
    pub path: String,
    /// The query, without `?`: `$filter=isBuiltIn eq false`. Not URL-encoded.
    #[serde(default)]
    pub query: String,
}

/// Reading one object by itself: `GET <list path>/<id>?<query>`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The query, without `?`: `$expand=scheduledActionsForRule($expand=scheduledActionConfigurations)`.
    #[serde(default)]
    pub query: String,
}

/// A collection below an object that is part of its content.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Child {
    /// Below the object's own URL (`settings`); for a nested child below its element's URL. With a leading slash, below
    /// the API version. `{name}` stands for the field `name` of the object (of the element, for a nested child).
    pub path: String,
    /// The query, without `?`.
    #[serde(default)]
    pub query: String,
    /// The top-level field of the object (of the element) that takes what was read.
    pub field: String,
    /// One object instead of a collection.
    #[serde(default)]
    pub single: bool,
    /// A field of the object that says how many elements there are: a read of fewer is incomplete, and says so.
    /// (`@odata.count` is per page and no check.)
    #[serde(default)]
    pub count_field: Option<Path>,
    /// Read for every element of this child.
    #[serde(default)]
    pub children: Vec<Child>,
}
