//! compare-service over a real socket, with a private PostgreSQL, a real issuer, the provider's stand-in, and a stand-in for
//! operation-run-service at the wire.
#![allow(clippy::disallowed_methods, reason = "tests and tools make their own ids and read the clock")]

// The dev crate links far more than a test of a service should; its issuer is one file.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../../libs/dev/src/issuer.rs"]
mod issuer;

mod access;
mod backup;
mod backup_schedule;
mod compare;
mod directory;
mod export;
mod fake_runs;
mod fill;
mod find_tenants;
mod hidden;
mod idempotent;
mod inventory;
mod lifecycle;
mod lifecycles;
mod onboarding;
mod operability;
mod outbox;
mod preflight;
mod races;
mod restore;
mod scale;
mod selection;
mod sync;
mod sync_faults;
mod sync_tenants;
mod synced;
mod tenant;
mod verification;
mod workspace;
mod world;
