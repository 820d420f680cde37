//! The binary.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::harness::*;

/// The process, killed at the end whatever happens.
struct Process {
    child: Child,
    base_url: String,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_graph-emulator"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, base_url: line.trim().to_owned() }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn it_prints_its_address_keeps_what_it_answered_and_ends_at_sigterm() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let (tenant, open, name) = (TENANT, format!("{TENANT}={TOKEN}"), format!("{TENANT}=Contoso"));
    let arguments = ["--data", data, "--tenant", tenant, "--open", &open, "--name", &name, "--client", "app:secret"];
    let http = http();
    let killed = Process::start(&arguments);
    let url = format!("{}{TAGS}", killed.base_url);
    for name in ["a", "b"] {
        let request = http.post(&url).bearer_auth(TOKEN).json(&json!({"displayName": name}));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    killed.signal("KILL");
    drop(killed);

    let mut process = Process::start(&arguments);
    let url = format!("{}{TAGS}/2", process.base_url);
    let tag: serde_json::Value = http.get(url).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap();
    assert_eq!(tag["displayName"], "b");
    process.signal("TERM");
    assert!(process.child.wait().unwrap().success());
}

#[test]
fn arguments_that_cannot_be_meant_are_refused() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_graph-emulator")).args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (fine, said) = run(&["--open", "nobody=token"]);
    assert!(!fine && said.contains("there is no --tenant nobody"), "{said}");
    let (fine, said) = run(&["--tenant", "t", "--client", "secretless"]);
    assert!(!fine && said.contains("--client"), "{said}");
}
