//! A server that gives its replies in the order of a list, whatever is asked, and remembers what was asked.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// One scripted reply.
#[derive(Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    delay: Duration,
    cut: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string(), delay: Duration::ZERO, cut: false }
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::json(status, json!({"error": {"code": code, "message": "scripted"}}))
    }

    pub(crate) fn token(value: &str) -> Self {
        Self::json(200, json!({"token_type": "Bearer", "expires_in": 3599, "access_token": value}))
    }

    /// Reads the request, answers nothing, closes.
    pub(crate) fn cut() -> Self {
        Self { cut: true, ..Self::json(200, Value::Null) }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// One request as it came.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
}

/// The one tenant there is.
pub(crate) const TENANT: &str = "tenant-1";

pub(crate) struct Script {
    port: u16,
    shared: Arc<Shared>,
    /// Where the client of [`TENANT`] finds its secret, `s3cret`.
    secrets: tempfile::TempDir,
}

impl Script {
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared { replies: Mutex::new(replies.into()), seen: Mutex::default() });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        let secrets = tempfile::tempdir().expect("a folder");
        std::fs::write(secrets.path().join(TENANT), "s3cret\n").expect("writable");
        Self { port, shared, secrets }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The folder of secrets.
    pub(crate) fn secrets(&self) -> &Path {
        self.secrets.path()
    }

    pub(crate) fn push(&self, reply: Reply) {
        self.shared.replies.lock().expect("not poisoned").push_back(reply);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("not poisoned").clone()
    }
}

/// Several requests per connection, as HTTP/1.1 has it.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    while let Some(seen) = read_request(&mut stream, &mut buffer).await {
        shared.seen.lock().expect("not poisoned").push(seen);
        let reply = shared.replies.lock().expect("not poisoned").pop_front();
        let reply = reply.unwrap_or_else(|| Reply::error(418, "TheScriptHasEnded"));
        tokio::time::sleep(reply.delay).await;
        if reply.cut {
            return;
        }
        let mut head = format!(
            "HTTP/1.1 {} scripted\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            reply.status,
            reply.body.len()
        );
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        if stream.write_all(format!("{head}{}", reply.body).as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let length =
        headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("content-length")).and_then(|(_, v)| v.parse().ok());
    let end = head_end + 4 + length.unwrap_or(0);
    while buffer.len() < end {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&buffer[head_end + 4..end]).into_owned();
    buffer.drain(..end);
    Some(Seen { line, headers, body })
}
