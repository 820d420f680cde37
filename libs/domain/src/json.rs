//! JSON as this crate needs it: one canonical spelling for hashing, and a small path language for rules about fields.

mod canonical;
mod path;

pub use canonical::{canonical, canonical_hash, canonical_number};
pub use path::{Path, PathError, Step, get, is_folded};
