//! One of our binaries as a child process: started, found by the addresses it prints, killed without mercy or asked to stop.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A debug build on two busy cores may need this long to print its address.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(40);

/// How a binary is started; kept, so that it can be started again in the same way.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Name of this process, for its log file; unique within a stack.
    pub name: String,
    /// Name of the binary, beside the running one or in its target folder.
    pub binary: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment beyond the inherited one.
    pub env: BTreeMap<String, String>,
    /// The files of an image: the binary is the one in there, and they are all it sees.
    pub image: Option<PathBuf>,
}

impl Recipe {
    /// How the binary is started, without its arguments.
    fn command(&self) -> Result<Command> {
        let Some(image) = &self.image else { return Ok(Command::new(binary_path(&self.binary)?)) };
        // As a container runtime does it: nothing beside the image but the devices that each gives (static programs get their
        // randomness from one), read-only, as the image's user, and only the variables given.
        const WITHIN: &str = r#"
            mkdir -p "$0/dev" && mount --bind "$0" "$0" && mount -t tmpfs dev "$0/dev" &&
            for device in null zero random urandom; do
                : > "$0/dev/$device" && mount --bind "/dev/$device" "$0/dev/$device" || exit
            done &&
            mount -o remount,ro,bind "$0" &&
            program=$1 && shift && exec chroot --userspec=65532:65532 "$0" "/usr/bin/$program" "$@""#;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", WITHIN]).arg(image).arg(&self.binary);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        Ok(command)
    }
}

/// A running child.
pub struct Process {
    recipe: Recipe,
    child: Child,
    log: PathBuf,
    addresses: BTreeMap<String, SocketAddr>,
}

impl Process {
    /// Starts it and waits for its `listening name=address ...` line.
    pub async fn start(recipe: Recipe, logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs)?;
        let log = logs.join(format!("{}.log", recipe.name));
        let errors = OpenOptions::new().create(true).append(true).open(&log)?;
        let mut child = recipe
            .command()?
            .args(&recipe.args)
            .envs(&recipe.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", recipe.binary))?;
        let stdout = child.stdout.take().context("standard output was piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let found = timeout(START_LIMIT, async {
            while let Some(line) = lines.next_line().await? {
                if let Some(rest) = line.strip_prefix("listening ") {
                    return parse_addresses(rest);
                }
                // The provider's stand-in has one address and prints it as the URL that it is.
                if let Some(address) = line.strip_prefix("http://") {
                    return parse_addresses(&format!("http={address}"));
                }
            }
            bail!("it ended without saying where it listens")
        })
        .await;
        let addresses = match found {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => bail!("{}: {error:#}\n{}", recipe.name, tail(&log)),
            Err(_) => bail!("{} did not say where it listens within {START_LIMIT:?}\n{}", recipe.name, tail(&log)),
        };
        // Whatever else it prints goes to its log: a full pipe would stop it.
        let mut sink = tokio::fs::File::from_std(File::options().append(true).open(&log)?);
        tokio::spawn(async move {
            let mut rest = lines.into_inner();
            let _ = tokio::io::copy(&mut rest, &mut sink).await;
        });
        Ok(Self { recipe, child, log, addresses })
    }

    /// Where it listens for `what`, as it said itself.
    pub fn address(&self, what: &str) -> Result<SocketAddr> {
        self.addresses.get(what).copied().with_context(|| format!("{} does not listen for {what}", self.recipe.name))
    }

    /// Name of this process within its stack.
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Operating system's id; absent once it was waited for.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// A variable of its environment beyond the inherited one.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.recipe.env.get(name).map(String::as_str)
    }

    /// Where its log is.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Kills it as a power cut would (SIGKILL) and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.with_context(|| format!("cannot kill {}", self.recipe.name))
    }

    /// Sends a signal by name, such as `STOP`, `CONT` or `TERM`.
    pub async fn signal(&self, name: &str) -> Result<()> {
        let id = self.id().context("the process is gone")?;
        let done = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).status().await?;
        if done.success() { Ok(()) } else { bail!("kill -{name} {id} failed") }
    }

    /// Starts the same binary again, as it was started, after [`Process::kill`].
    pub async fn restart(&mut self) -> Result<()> {
        let logs = self.log.parent().context("a log lies in a folder")?.to_path_buf();
        *self = Process::start(self.recipe.clone(), &logs).await?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM), waits until it has, and starts it again: what a rollout does to it.
    pub async fn replace(&mut self) -> Result<()> {
        self.signal("TERM").await?;
        let ended = timeout(STOP_LIMIT, self.child.wait()).await.context("it does not stop")??;
        if !ended.success() {
            bail!("{} ended with {ended}", self.recipe.name);
        }
        self.restart().await
    }

    /// Changes a variable of its environment, from its next start on.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.recipe.env.insert(variable.to_owned(), value.to_owned());
    }

    /// Asks it to stop (SIGTERM) and kills it if it does not.
    pub async fn stop(mut self) -> Result<()> {
        // It may have been asked already: Ctrl-C in a terminal reaches every process of it.
        if self.child.try_wait()?.is_none() && self.signal("TERM").await.is_err() && self.child.try_wait()?.is_none() {
            bail!("{} cannot be asked to stop", self.recipe.name);
        }
        match timeout(STOP_LIMIT, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if status.success() { Ok(()) } else { bail!("{} ended with {status}", self.recipe.name) }
            }
            Err(_) => {
                self.kill().await?;
                bail!("{} did not stop within {STOP_LIMIT:?} and was killed", self.recipe.name)
            }
        }
    }
}

/// The binary beside the running one, which may itself lie in `deps/` (tests do).
pub fn binary_path(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    for folder in own.ancestors().skip(1).take(2) {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    bail!("{name} is not built: run `cargo build --workspace --bins` first (`cargo dev` does)")
}

fn parse_addresses(text: &str) -> Result<BTreeMap<String, SocketAddr>> {
    text.split_whitespace()
        .map(|pair| {
            let (name, address) = pair.split_once('=').with_context(|| format!("{pair:?} is not name=address"))?;
            Ok((name.to_owned(), address.parse().with_context(|| format!("{address:?} is no address"))?))
        })
        .collect()
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
