//! PostgreSQL refuses to run as root. Who runs it instead.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;

/// How the server's programs are started so that they do not see root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunAs {
    /// We are not root: as ourselves.
    Ourselves,
    /// In a user namespace where our root is called by this user's id. Files stay root's, nothing is chowned.
    Namespace { uid: u32, gid: u32 },
    /// As this user, who owns the files. For machines without user namespaces.
    User { uid: u32, gid: u32 },
}

/// Whether this process is root.
pub(super) fn is_root() -> bool {
    // A file is made with the effective user's id; asking the kernel directly would need unsafe code.
    tempfile::tempfile().and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.uid() == 0)
}

/// Decides for a data directory: one that exists goes on being run as its owner.
pub(super) fn decide(existing: Option<&Path>) -> Result<RunAs, Error> {
    if !is_root() {
        return Ok(RunAs::Ourselves);
    }
    let (uid, gid) = named_user()?;
    if let Some(existing) = existing {
        let owner = existing.metadata().map_err(Error::file(existing))?;
        if owner.uid() != 0 {
            return Ok(RunAs::User { uid: owner.uid(), gid: owner.gid() });
        }
    }
    let namespace = RunAs::Namespace { uid, gid };
    let works = namespace.command(Path::new("true")).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match works.is_ok_and(|status| status.success()) {
        true => Ok(namespace),
        false => Ok(RunAs::User { uid, gid }),
    }
}

/// Whose id to use. The namespace needs one that has a name, too: initdb looks itself up.
fn named_user() -> Result<(u32, u32), Error> {
    let passwd = std::fs::read_to_string("/etc/passwd").map_err(Error::file("/etc/passwd"))?;
    unprivileged(&passwd).ok_or_else(|| Error::Command {
        command: "looking for a user to run PostgreSQL as".into(),
        output: "neither `postgres` nor `nobody` is in /etc/passwd".into(),
    })
}

/// What root does on a machine without user namespaces; `None` if we are not root.
#[cfg(test)]
pub(super) fn another_user() -> Option<RunAs> {
    let (uid, gid) = named_user().ok()?;
    is_root().then_some(RunAs::User { uid, gid })
}

fn unprivileged(passwd: &str) -> Option<(u32, u32)> {
    let ids_of = |wanted: &str| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == wanted).then_some(())?;
            Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
        })
    };
    ids_of("postgres").or_else(|| ids_of("nobody"))
}

impl RunAs {
    /// A command that runs `program` this way.
    pub(super) fn command(self, program: &Path) -> Command {
        let argv = self.argv(program);
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]);
        self.apply(&mut command);
        command
    }

    /// What to put in front of the arguments so that a shell started with [`RunAs::apply`] can run it.
    pub(super) fn argv(self, program: &Path) -> Vec<OsString> {
        let mut argv = match self {
            RunAs::Ourselves | RunAs::User { .. } => Vec::new(),
            RunAs::Namespace { uid, gid } => vec![
                "unshare".into(),
                "--user".into(),
                format!("--map-user={uid}").into(),
                format!("--map-group={gid}").into(),
            ],
        };
        argv.push(program.into());
        argv
    }

    /// The part of it that belongs to the process itself.
    pub(super) fn apply(self, command: &mut Command) {
        if let RunAs::User { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a fresh directory to who will use it.
    pub(super) fn own(self, directory: &Path) -> Result<(), Error> {
        match self {
            RunAs::User { uid, gid } => chown(directory, Some(uid), Some(gid)).map_err(Error::file(directory)),
            RunAs::Ourselves | RunAs::Namespace { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unprivileged_user_is_postgres_or_nobody() {
        let nobody = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
        assert_eq!(unprivileged(nobody), Some((65534, 65534)));
        assert_eq!(unprivileged(&format!("{nobody}postgres:x:101:104:PostgreSQL:/var:/bin/bash")), Some((101, 104)));
        assert_eq!(unprivileged("root:x:0:0::/root:/bin/sh"), None);
    }
}
