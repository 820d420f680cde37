//! Applying captured content to a tenant: what the workers of `promotion.execute` and `restore.execute` do alike.
//!
//! [`apply`] takes a claimed run and brings each of its items to an outcome: read the target now, decide (`domain::plan::step`),
//! keep what is there, record the intent, write, read back, report. A write whose outcome is not known is looked at until it is;
//! nothing is guessed and nothing is written twice. Where content comes from, where what it replaces is kept and what is told to
//! people is the run type's own: its [`Ground`].
//!
//! It keeps nothing of its own: what it knows of earlier attempts stands in the run.

mod applying;
mod effort;
mod ground;
mod item;
mod report;
mod trouble;

pub use applying::{Means, Pace, apply, ending};
pub use ground::{Ground, Refusal};
pub use trouble::Trouble;
