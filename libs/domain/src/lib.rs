//! The brain: types and decisions over values. No IO, no clock, no randomness, no logging.

pub mod access;
pub mod id;
pub mod run;
