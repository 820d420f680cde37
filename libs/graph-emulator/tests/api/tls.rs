//! HTTPS. The certificate beside this file is for localhost, signed by itself, and protects nothing.

use std::path::Path;

use graph_emulator::{Emulator, Identity};

use crate::harness::*;

#[tokio::test]
async fn https_works_and_links_say_so() {
    http();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let certificate = here.join("localhost.cert.pem");
    let identity = Identity::read(&certificate, &here.join("localhost.key.pem")).unwrap();
    let running = Emulator::builder().tenant(spec()).tls(identity).start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert!(running.base_url.starts_with("https://"));
    let root = reqwest::Certificate::from_pem(&std::fs::read(certificate).unwrap()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let graph = Graph { running, http };
    for name in ["a", "b"] {
        graph.group(name).await;
    }
    let pages = graph.pages("/v1.0/groups?$top=1").await;
    assert_eq!(pages.len(), 2, "the next link is followed over https");
    let discovery = graph.get(&format!("/{TENANT}/v2.0/.well-known/openid-configuration")).await.expect(200);
    assert_eq!(discovery.body["token_endpoint"], graph.running.token_url(TENANT));
}

#[test]
fn a_broken_identity_says_which_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cert.pem");
    std::fs::write(&path, "nonsense").unwrap();
    assert!(Identity::read(&path, &path).unwrap_err().to_string().contains("cert.pem"));
}
