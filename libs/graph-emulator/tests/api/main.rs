//! Stories of what the emulator enforces, told over HTTP with a client that knows nothing of its inside.

mod access;
mod approval;
mod assignments;
mod batch;
mod catalog;
mod durable;
mod exports;
mod faults;
mod harness;
mod kinds;
mod metadata;
mod odata;
mod process;
mod tls;
