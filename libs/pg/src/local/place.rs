//! Where a cluster lives and how it is started.

use std::path::PathBuf;

/// Where a cluster lives.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a temporary directory, removed with the cluster. Not synced to disk: it need not survive a power cut.
    Temporary,
    /// In this directory, kept and opened again the next time. Synced to disk.
    Kept(PathBuf),
}

/// How to start a cluster.
#[derive(Debug, Clone)]
pub struct Start {
    /// Where it lives.
    pub place: Place,
    /// The server's limit of connections.
    pub max_connections: u32,
    /// Whether a commit waits for the disk. A temporary cluster does not, unless a test is about crashes.
    pub durable: bool,
}

impl Start {
    /// A temporary cluster for tests.
    pub fn temporary() -> Self {
        Self { place: Place::Temporary, max_connections: 300, durable: false }
    }

    /// A cluster kept in this directory.
    pub fn kept(directory: impl Into<PathBuf>) -> Self {
        Self { place: Place::Kept(directory.into()), max_connections: 300, durable: true }
    }
}
