//! Traces say what happened and keep to themselves what nobody may read.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::script::{Reply, Script};
use super::{client, policies};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Page {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_and_no_id_is_traced() {
    let page = Page::default();
    // For the whole process: a subscriber of one thread misses events whose call sites other threads reached first. So what
    // the other tests of this binary trace is read along, which is all the better.
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(page.clone());
    tracing::subscriber::set_global_default(subscriber.with_ansi(false).finish()).expect("nobody else listens");
    let secret_content = json!({"id": "policy-4711", "scriptContent": "c2VjcmV0IHNjcmlwdA=="});
    let replies = vec![
        Reply::token("token-abc"),
        Reply::error(429, "TooManyRequests").with("Retry-After", "0"),
        Reply::json(200, secret_content).with("request-id", "r-77"),
        Reply::error(404, "ResourceNotFound"),
    ];
    let script = Script::start(replies).await;
    let client = client(&script).await;
    let path = policies().below("{id}", &[("id", "policy-4711")]);
    client.get(&path).await.expect("answered");
    client.get(&path).await.expect_err("gone");
    let written = String::from_utf8(page.0.lock().expect("not poisoned").clone()).expect("text");
    let ours: String =
        written.lines().filter(|line| line.contains("graph.call")).map(|line| format!("{line}\n")).collect();
    assert!(ours.contains("/deviceManagement/configurationPolicies/{id}"), "{ours}");
    assert!(ours.contains("PROVIDER_THROTTLED") && ours.contains("r-77"), "{ours}");
    assert!(!ours.contains("policy-4711"), "{ours}");
    for secret in ["s3cret", "token-abc", "c2VjcmV0"] {
        assert!(!written.contains(secret), "{secret} was traced: {written}");
    }
}
