//! `cargo dev token`: a token of the local issuer, by the key it keeps, for whoever is at the keyboard.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::paths;
use crate::persona::Persona;
use crate::stack::recipe;
use crate::up::{Running, running_file};

/// A working day.
const TTL: Duration = Duration::from_secs(8 * 3600);

/// A token for the stack that `cargo dev up` runs.
pub fn of_running_stack(persona: Persona) -> Result<String> {
    let file = fs::read(running_file()).context("nothing is up: run `cargo dev up` in another terminal first")?;
    let running: Running = serde_json::from_slice(&file)?;
    recipe::token_by_key(&running.issuer, &paths::state(), persona, TTL)
}
