//! Kubernetes's own schemas, strictly: a field that it would drop in silence is found here.

use std::process::Command;

use super::objects::{OVERLAYS, render};

#[test]
fn every_object_is_of_its_schema() {
    let Some(validate) = std::env::var_os("ATLAS_KUBERNETES_VALIDATE") else {
        let why = "ATLAS_KUBERNETES_VALIDATE names no kubernetes-validate; `cargo dev test` brings one";
        return system_tests::skipped("schemas of Kubernetes objects", why);
    };
    for overlay in OVERLAYS {
        let Some(text) = render(overlay) else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("objects.yaml");
        std::fs::write(&file, text).expect("a file");
        let done = Command::new(&validate)
            .args(["--strict", "--kubernetes-version", "1.33"])
            .arg(&file)
            .output()
            .expect("it can be run");
        let said = String::from_utf8_lossy(&done.stdout);
        let said = said.lines().filter(|line| !line.starts_with("INFO") && !line.contains("Couldn't find schema"));
        let told: Vec<&str> = said.collect();
        assert!(
            done.status.success() && told.is_empty(),
            "{overlay}: {told:?} {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}
