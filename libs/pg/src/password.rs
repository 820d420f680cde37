//! The password of the role, in a file: what a mounted secret is. A new one counts for the connections made from then on, without
//! a restart; open connections have shown theirs already.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::io::AsyncReadExt as _;

/// Longer ones are no passwords: the wrong file was named.
const MAX_BYTES: u64 = 4096;

/// What is in the file, without the line break at its end.
pub(crate) async fn read(file: &Path) -> Result<String, sqlx::Error> {
    let refused = |why: String| sqlx::Error::Configuration(format!("the password in {}: {why}", file.display()).into());
    let mut text = String::new();
    let opened = tokio::fs::File::open(file).await.map_err(|error| refused(error.to_string()))?;
    opened.take(MAX_BYTES + 1).read_to_string(&mut text).await.map_err(|error| refused(error.to_string()))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(refused(format!("is longer than {MAX_BYTES} bytes")));
    }
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(refused("is empty".to_owned()));
    }
    Ok(password.to_owned())
}

/// Gives a pool the options with each new password, until it is closed. `used` is the one it has.
pub(crate) async fn follow(
    pool: PgPool,
    file: PathBuf,
    interval: Duration,
    mut used: String,
    options_with: impl Fn(&str) -> Result<PgConnectOptions, sqlx::Error>,
) {
    let closed = pool.close_event();
    tokio::pin!(closed);
    let mut complaint = None;
    loop {
        tokio::select! {
            () = &mut closed => return,
            () = tokio::time::sleep(interval) => {}
        }
        let options = match read(&file).await {
            Ok(password) if password == used => continue,
            Ok(password) => options_with(&password).map(|options| (options, password)),
            Err(error) => Err(error),
        };
        // Said once, not at every look.
        complaint = match options {
            Ok((options, password)) => {
                tracing::info!("a new password of the database is in use for new connections");
                pool.set_connect_options(options);
                used = password;
                None
            }
            Err(error) => {
                let text = error.to_string();
                if complaint.as_ref() != Some(&text) {
                    tracing::warn!(%error, "a new password of the database cannot be used; the last one stays in use");
                }
                Some(text)
            }
        };
    }
}
