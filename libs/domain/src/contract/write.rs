//! How a type is written: verbs, exact success codes, what stays out of which body, and what needs a second request.

use serde::Deserialize;
use serde_json::Value;

use crate::json::Path;

/// Creating and updating an object of a type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The collection that takes writes, when it is not the one that is listed.
    #[serde(default)]
    pub path: Option<String>,
    /// Whether the body is the whole content or part of it travels by itself.
    #[serde(default)]
    pub style: WriteStyle,
    /// Creating.
    #[serde(default)]
    pub create: Create,
    /// Updating.
    pub update: Update,
    /// Constants that Graph demands (`ruleName` of a compliance policy's scheduled action).
    #[serde(default)]
    pub set: Vec<SetRule>,
    /// The second request of a style other than `whole`.
    #[serde(default)]
    pub follow_up: Option<FollowUp>,
}

/// What becomes of a content's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteStyle {
    /// One request carries everything.
    #[default]
    Whole,
    /// Compliance: the actions for non-compliance are replaced by a POST of their own.
    ScheduledActions,
    /// ADMX: definition values are added, updated and deleted by a POST of their own.
    DefinitionValues,
    /// Notification templates: each locale's message is an object of its own.
    LocalizedMessages,
}

/// `POST <collection>`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Where to POST when it is not the collection: below the API version, `{name}` a field of the content.
    #[serde(default)]
    pub path: Option<String>,
    /// The exact codes that mean success; everything else is a failure.
    #[serde(default = "created")]
    pub success: Vec<u16>,
    /// Fields that are compared but must not be in this body.
    #[serde(default)]
    pub omit: Vec<Path>,
}

impl Default for Create {
    fn default() -> Self {
        Self { path: None, success: created(), omit: Vec::new() }
    }
}

fn created() -> Vec<u16> {
    vec![201]
}

/// `PUT` or `PATCH <collection>/<id>`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// PUT replaces the whole; PATCH leaves alone what the body does not name.
    pub method: UpdateMethod,
    /// The exact codes that mean success.
    pub success: Vec<u16>,
    /// Fields that are compared but must not be in this body (`platform` of an assignment filter).
    #[serde(default)]
    pub omit: Vec<Path>,
}

/// The verb of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum UpdateMethod {
    /// Replace.
    #[serde(rename = "PUT")]
    Put,
    /// Merge.
    #[serde(rename = "PATCH")]
    Patch,
}

/// The verb a payload is sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Create, or an action.
    Post,
    /// Replace.
    Put,
    /// Merge.
    Patch,
}

impl From<UpdateMethod> for Method {
    fn from(method: UpdateMethod) -> Self {
        match method {
            UpdateMethod::Put => Self::Put,
            UpdateMethod::Patch => Self::Patch,
        }
    }
}

/// A constant in every body.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetRule {
    /// The field; every object on the way must exist, the field itself need not.
    pub path: Path,
    /// Its value.
    pub value: Value,
}

/// The request that carries a part of the content by itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// The top-level field of the content that travels here, and is left out of the update's body.
    pub field: String,
    /// Below the object's own URL: `scheduleActionsForRules`.
    pub path: String,
    /// The key of the body that takes the field's value, where the style has one.
    #[serde(default)]
    pub body_key: Option<String>,
    /// The exact codes that mean success.
    pub success: Vec<u16>,
    /// True when the create's body leaves the field out as well, so that the follow-up comes after a create too.
    #[serde(default)]
    pub on_create: bool,
}

/// How an object of the type is assigned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignments {
    /// Below the object's own URL: `assign`.
    #[serde(default = "assign")]
    pub path: String,
    /// The key of the body: `assignments`, `deviceManagementScriptAssignments`, ...
    #[serde(default = "assignments")]
    pub body_key: String,
    /// The exact codes that mean success.
    #[serde(default = "ok")]
    pub success: Vec<u16>,
    /// Whether one request replaces the whole set.
    #[serde(default)]
    pub style: AssignmentStyle,
    /// The query of the list of assignments is `<object>/assignments`; true when the object is read with them expanded
    /// or brings them along (notification templates have none at all and leave this table out).
    #[serde(default)]
    pub inline: bool,
    /// Fields of an assignment besides `target` that are content: `runSchedule`, `runRemediationScript`, `intent`, `settings`.
    #[serde(default)]
    pub keep: Vec<String>,
    /// True when only groups can be assigned (app protection).
    #[serde(default)]
    pub groups_only: bool,
}

/// What one assignment request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentStyle {
    /// The body is the whole set afterwards.
    #[default]
    Replace,
    /// One POST per target, one DELETE per assignment (Autopilot profiles, terms and conditions).
    OneByOne,
}

fn assign() -> String {
    "assign".to_owned()
}
fn assignments() -> String {
    "assignments".to_owned()
}
fn ok() -> Vec<u16> {
    vec![200]
}
