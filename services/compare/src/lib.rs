//! compare-service: who may see what, which tenants there are, what was last observed in them, and how two of them differ.
//! It owns the schemas `access`, `tenant` and `inventory`.
//!
//! A request travels: [`grpc`] parses it once → a use case ([`workspace`], [`tenant`], [`inventory`], [`directory`], [`compare`]) authorises
//! ([`state`]), reads and writes through [`store`], and lets `domain` decide → [`grpc::convert`] makes the answer.
//! Beside the server, [`handlers`] work on runs: `inventory.sync` in [`sync`], the directory's caches in [`directory`],
//! `provider_connection.verify` in [`verify`], backups in [`backup`], `restore.execute` in [`restore`]. They alone call the provider.

pub mod answered;
pub mod audit;
pub mod backup;
pub mod client;
pub mod compare;
pub mod config;
pub mod directory;
pub mod error;
pub mod grpc;
mod handlers;
pub mod identity;
pub mod inventory;
pub mod names;
pub mod restore;
pub mod serve;
mod start_reading;
pub mod state;
pub mod store;
pub mod sync;
pub mod tenant;
pub mod verify;
pub mod workspace;
