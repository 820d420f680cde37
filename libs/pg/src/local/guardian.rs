//! A shell between us and the server. It holds the reading end of a pipe whose writing end only we have: when we close
//! it, exit, crash or are killed, the shell reads the end of it and shuts the server down. So no server outlives its
//! owner, not even one that got SIGKILL and could clean up nothing itself.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Error;
use super::home::open_log;
use super::run_as::RunAs;

// $1: signal that stops the server, $2: directory to remove afterwards (or empty), then the server's command line.
// The server itself gets neither the pipe nor the terminal's signals.
const SCRIPT: &str = r#"
trap '' HUP INT
signal=$1; remove=$2; shift 2
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -s "$signal" "$server"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"; status=$?
kill "$watcher" 2>/dev/null
[ -z "$remove" ] || rm -rf "$remove"
exit "$status"
"#;

/// A server and the shell that guards it. Dropping it ends both.
#[derive(Debug)]
pub(super) struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Starts `argv`; its output goes to `log`. `stop_signal` is what ends it (`INT`: fast, `QUIT`: at once).
    pub(super) fn start(
        run_as: RunAs,
        argv: Vec<OsString>,
        stop_signal: &str,
        remove: Option<&Path>,
        log: &Path,
    ) -> Result<Self, Error> {
        let output = open_log(log)?;
        let errors = output.try_clone().map_err(Error::file(log))?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "guardian", stop_signal])
            .arg(remove.unwrap_or(Path::new("")))
            .args(argv)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C in the terminal is for us: we stop what uses the database first, then the database.
            .process_group(0);
        run_as.apply(&mut command);
        let shell = command
            .spawn()
            .map_err(|error| Error::Command { command: "/bin/sh (guardian)".into(), output: error.to_string() })?;
        Ok(Self { shell })
    }

    /// How the server ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().ok().flatten()
    }

    /// Asks the server to end and waits for it; returns whether it did in time.
    pub(super) fn stop(&mut self, limit: Duration) -> bool {
        drop(self.shell.stdin.take());
        let deadline = Instant::now() + limit;
        while self.ended().is_none() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}
