//! The brain: types and decisions over values. No IO, no clock, no randomness, no logging.
//!
//! Content, from the provider's JSON to a difference: [`contract`] says what a type is · [`observe`] reads one object by
//! it · [`normal_form`] is what two tenants' objects have in common · [`identity`] and [`reference`] carry subjects and
//! references across tenants by name · [`compare`] and [`diff`] tell differences · [`payload`] makes content safe for a
//! target. [`directory`] is what is cached of groups and role definitions.

pub mod compare;
pub mod contract;
pub mod diff;
pub mod directory;
pub mod id;
pub mod identity;
pub mod json;
pub mod normal_form;
pub mod observe;
pub mod payload;
pub mod reference;

pub mod access;
pub mod audit;
pub mod backup;
pub mod confirmation;
pub mod operability;
pub mod plan;
pub mod preflight;
pub mod restore;
pub mod run;
pub mod tenant;
