//! `cargo dev token`: a token of the local issuer, by the key it keeps, for whoever is at the keyboard.

use std::fs;

use anyhow::{Context, Result};

use crate::persona::Persona;
use crate::stack::recipe;
use crate::up::{Running, running_file};

/// A token for the stack that `cargo dev up` runs.
pub fn of_running_stack(persona: Persona) -> Result<String> {
    let file = fs::read(running_file()).context("nothing is up: run `cargo dev up` in another terminal first")?;
    let running: Running = serde_json::from_slice(&file)?;
    recipe::token_by_key(&running.issuer, persona)
}
