//! Stories of the specification, told with real processes: PostgreSQL, the provider's stand-in, the three services.
#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]

mod access_matrix;
mod archive;
mod atlasctl;
mod audit;
mod buf_lint;
mod cancel;
mod demo_data;
mod hidden_is_absent;
mod image;
mod mtls;
mod provider_down;
mod restore;
mod roundtrip;
mod secrets;
mod spec_086;
mod spec_148;
mod spec_264;
mod tour;
mod traces;
mod watch;
mod world;
