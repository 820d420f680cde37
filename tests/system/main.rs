//! Stories of the specification, told with real processes: PostgreSQL, the provider's stand-in, the three services.

mod access_matrix;
mod audit;
mod buf_lint;
mod demo_data;
mod hidden_is_absent;
mod roundtrip;
mod secrets;
mod spec_264;
mod tour;
mod watch;
