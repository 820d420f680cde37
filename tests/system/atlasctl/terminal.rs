//! A terminal with nobody in front of it: the other side of a pseudo-terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::process::Command;
use tokio::time::timeout;

/// What was on the screen, with everything that moves the cursor, and how it ended.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) code: i32,
}

/// Runs a command in a terminal that is `columns` wide; whenever the first text of `replies` has been shown, types the second.
pub(super) async fn run(mut command: Command, columns: u16, replies: &[(&str, &str)]) -> Result<Shown> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let terminal = File::options().read(true).write(true).open(name.to_str()?)?;
    tcsetwinsize(&terminal, Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    command.stdin(terminal.try_clone()?).stdout(terminal.try_clone()?).stderr(terminal);
    let mut child = command.spawn()?;
    // The command holds the terminal's other side as well; once the child has ended nobody else may.
    drop(command);
    let replies = replies.iter().map(|(shown, typed)| ((*shown).to_owned(), (*typed).to_owned())).collect();
    let screen = tokio::task::spawn_blocking(move || read(master, replies));
    let status = timeout(super::LIMIT, child.wait()).await.context("the command does not end")??;
    let text = timeout(super::LIMIT, screen).await.context("the terminal stays open")???;
    Ok(Shown { text, code: status.code().context("it ended by itself")? })
}

/// Everything until the last one who writes is gone, which a terminal tells by an error.
fn read(master: OwnedFd, mut replies: Vec<(String, String)>) -> Result<String> {
    let mut master = File::from(master);
    let mut shown = Vec::new();
    let mut answered = 0;
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = master.read(&mut piece) {
        shown.extend_from_slice(&piece[..length]);
        let unanswered = String::from_utf8_lossy(&shown[answered..]).into_owned();
        if let Some((_, typed)) = replies.first().filter(|(awaited, _)| unanswered.contains(awaited.as_str())) {
            master.write_all(typed.as_bytes())?;
            answered = shown.len();
            replies.remove(0);
        }
    }
    Ok(String::from_utf8(shown)?)
}
