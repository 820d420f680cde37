//! Scripts: content is base64, and Microsoft's own scripts cannot be touched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::call::Refusal;
use crate::object::Object;
use crate::scene::Scene;

const CONTENTS: &[&str] = &["scriptContent", "detectionScriptContent", "remediationScriptContent"];

pub(crate) fn check_content(scene: &Scene<'_>, object: &Object) -> Result<(), Refusal> {
    let broken = CONTENTS.iter().find(|name| object.text(name).is_some_and(|text| STANDARD.decode(text).is_err()));
    match broken {
        Some(name) => Err(Refusal::bad_request(&format!(
            "Cannot convert the literal in '{name}' to the expected type 'Edm.Binary'."
        ))),
        None if scene
            .kind
            .required
            .iter()
            .any(|name| CONTENTS.contains(&name.as_str()) && object.body.get(name).is_none_or(Value::is_null)) =>
        {
            Err(scene.refuse("The script content must not be empty."))
        }
        None => Ok(()),
    }
}

/// Global scripts exist in every tenant and belong to Microsoft.
pub(crate) fn check_global(scene: &Scene<'_>, before: Option<&Object>) -> Result<(), Refusal> {
    match before.and_then(|before| before.body.get("isGlobalScript")) {
        Some(global) if *global == json!(true) => Err(scene.refuse("Global scripts are read-only.")),
        _ => Ok(()),
    }
}
