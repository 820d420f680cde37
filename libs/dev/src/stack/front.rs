//! What stands before a server in tests of faults: connections that can be cut, or lose what comes back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// Stands before a server and hands everything through.
#[derive(Debug, Clone)]
pub struct Front {
    address: SocketAddr,
    swallow: Arc<AtomicBool>,
    cut: broadcast::Sender<()>,
}

impl Front {
    /// Hands everything through, until told otherwise. It goes with the runtime.
    pub async fn before(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let swallow = Arc::new(AtomicBool::new(false));
        let (cut, _) = broadcast::channel(1);
        let (swallows, cuts) = (Arc::clone(&swallow), cut.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (swallow, mut cut) = (Arc::clone(&swallows), cuts.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        // Either end going away ends the connection; that is all there is to know.
                        _ = hand_through(client, server, swallow) => {}
                        _ = cut.recv() => {}
                    }
                });
            }
        });
        Ok(Self { address, swallow, cut })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether what the server says is lost on the way; a connection that lost something stays mute until it is cut.
    pub fn swallow_replies(&self, yes: bool) {
        self.swallow.store(yes, Ordering::SeqCst);
    }

    /// Cuts every connection there is; returns how many.
    pub fn cut(&self) -> usize {
        // Without connections there is nobody to hear it.
        self.cut.send(()).unwrap_or_default()
    }
}

async fn hand_through(client: TcpStream, server: SocketAddr, swallow: Arc<AtomicBool>) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = async {
        let mut buffer = vec![0; 16 << 10];
        let mut lost = false;
        loop {
            let number = from_server.read(&mut buffer).await?;
            if number == 0 {
                return Ok(());
            }
            // A connection that has lost something delivers nothing after it: no network leaves a hole in a stream.
            lost |= swallow.load(Ordering::SeqCst);
            if !lost {
                to_client.write_all(&buffer[..number]).await?;
            }
        }
    };
    tokio::select! {
        done = copy(&mut from_client, &mut to_server) => done.map(drop),
        done = back => done,
    }
}
