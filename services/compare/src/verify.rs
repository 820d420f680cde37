//! Works on runs of `provider_connection.verify`: tries the connection of a tenant, and remembers what that proves.
//!
//! [`VerifyWork`] takes a claimed run → the way to the provider is opened as for a sync → of each policy type the first page of its list
//! is read, which takes a token and the permission → `domain` decides what that proves → it is written to the connection that was
//! tried, if it is still the one in use. Doing it again after a crash tries what has no outcome yet.

mod work;

pub(crate) use work::VerifyWork;
