//! What every write and every rule looks at: one call on one kind of one tenant.

use serde_json::{Value, json};

use crate::ambient;
use crate::call::{Call, Refusal};
use crate::kinds::Kind;
use crate::object::Object;
use crate::world::{Tenant, World};

/// Which write is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Patch,
    Replace,
}

/// Everything a rule may look at.
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) tenant: &'a Tenant,
    pub(crate) call: &'a Call,
    pub(crate) kind: &'a Kind,
}

impl Scene<'_> {
    /// A refusal in the words of the service that owns the kind.
    pub(crate) fn refuse(&self, message: &str) -> Refusal {
        if self.kind.entra { Refusal::bad_request(message) } else { Refusal::intune(message) }
    }

    /// Whether the tenant has an object of this kind, as readers see it now.
    pub(crate) fn has(&self, kind: &str, id: &str) -> bool {
        crate::kinds::by_key(kind).is_some_and(|kind| self.tenant.view(kind, id, self.call.now).is_some())
    }

    pub(crate) fn not_found(&self, id: &str) -> Refusal {
        not_found(self.kind, id)
    }

    /// Every scope tag of a body must exist in the tenant: ids copied from another tenant are refused, or worse, mean something else.
    pub(crate) fn check_scope_tags(&self, object: &Object) -> Result<(), Refusal> {
        let tags = self.kind.scope_tags.as_ref().and_then(|name| object.body.get(name)).and_then(Value::as_array);
        for tag in tags.into_iter().flatten() {
            let known = tag.as_str().is_some_and(|id| self.has("roleScopeTag", id));
            if !known {
                let shown = tag.as_str().map_or_else(|| tag.to_string(), str::to_owned);
                return Err(self.refuse(&format!("Scope Tags validation failed : Scope tag {shown} was not found.")));
            }
        }
        Ok(())
    }

    /// Marks an object as changed now.
    pub(crate) fn stamp_changed(&self, object: &mut Object) {
        if let Some(modified) = &self.kind.modified {
            object.body.insert(modified.clone(), json!(ambient::stamp(self.call.now)));
        }
        if self.kind.versioned {
            let version = object.body.get("version").and_then(Value::as_u64).unwrap_or(0);
            object.body.insert("version".into(), json!(version + 1));
        }
    }
}

/// 404 for an object that is not there.
pub(crate) fn not_found(kind: &Kind, id: &str) -> Refusal {
    match (kind.key.as_str(), kind.entra) {
        ("group", _) => Refusal::new(
            404,
            "Request_ResourceNotFound",
            &format!(
                "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
            ),
        ),
        (_, true) => Refusal::new(404, "ResourceNotFound", &format!("{id} does not exist in the directory.")),
        _ => Refusal::new(404, "ResourceNotFound", &format!("Resource not found: {} {id}", kind.odata_type)).nested(),
    }
}
