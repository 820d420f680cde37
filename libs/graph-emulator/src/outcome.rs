//! What a request leads to: a reply, and the changes that must be durable before the reply is true.

use serde::{Deserialize, Serialize};

use crate::call::Reply;
use crate::object::Object;

/// One change of one tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(crate) enum Change {
    Put { object: Object },
    Remove { kind: String, id: String },
}

/// A decided request: nothing has happened yet.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) reply: Reply,
    pub(crate) changes: Vec<Change>,
}

impl Outcome {
    /// A read, or a write that changed nothing.
    pub(crate) fn reply(reply: Reply) -> Self {
        Self { reply, changes: Vec::new() }
    }

    /// A write of one object.
    pub(crate) fn put(object: Object, reply: Reply) -> Self {
        let reply = reply.touching(&object.id);
        Self { reply, changes: vec![Change::Put { object }] }
    }
}
