//! Contexts: which installation is meant, and how one gets a token for it. Kept in a file of the user's own; a token is
//! never in it, only where one is found.

use std::collections::BTreeMap;
use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The context that is used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// By name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// One installation. Unknown keys are refused, so that a token written in here by hand is found at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// compare-service, such as `https://compare.example:443`.
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compare: Option<String>,
    /// promotion-service.
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) promotion: Option<String>,
    /// operation-run-service.
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation_run: Option<String>,
    /// The workspace, by name or id.
    #[arg(long, value_name = "WORKSPACE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workspace: Option<String>,
    /// File that holds a token.
    #[arg(long, value_name = "FILE", conflicts_with = "token_command")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    /// Command that prints a token; run by the shell.
    #[arg(long, value_name = "COMMAND")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_command: Option<String>,
    /// OpenID Connect issuer, for `atlasctl login`.
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    /// Client id of atlasctl at the issuer; `atlasctl` when not given.
    #[arg(long, value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    /// Certificates (PEM) to trust beside the system's.
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Send tokens over plain http to another machine, too. On this machine plain http needs no permission.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow_plaintext: Option<bool>,
}

impl Context {
    /// What `change` says, and the rest as it was. A token has one source: naming one takes the other away.
    fn changed(self, change: Self) -> Self {
        let renewed = change.token_file.is_some() || change.token_command.is_some();
        let (token_file, token_command) = match renewed {
            true => (change.token_file, change.token_command),
            false => (self.token_file, self.token_command),
        };
        Self {
            compare: change.compare.or(self.compare),
            promotion: change.promotion.or(self.promotion),
            operation_run: change.operation_run.or(self.operation_run),
            workspace: change.workspace.or(self.workspace),
            token_file,
            token_command,
            issuer: change.issuer.or(self.issuer),
            client_id: change.client_id.or(self.client_id),
            ca_file: change.ca_file.or(self.ca_file),
            allow_plaintext: change.allow_plaintext.or(self.allow_plaintext),
        }
    }
}

impl Contexts {
    /// As the file has them; none without a file.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::new(format!("cannot read {}: {error}", file.display()))),
        };
        toml::from_str(&text).map_err(|error| {
            // The library would quote the line; there might be a token in it.
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Failure::with_fix(
                format!("{}, line {line}: {}", file.display(), error.message()),
                "mend the file, or delete it and use `atlasctl context set`; tokens do not belong in it",
            )
        })
    }

    /// Writes the file, readable by its owner only.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = toml::to_string_pretty(self).map_err(|error| Failure::new(format!("cannot be written: {error}")))?;
        write_private(file, &text)
    }

    /// The named one, or the current one; nothing at all when there is neither.
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<(Option<&str>, Context), Failure> {
        let Some(name) = name.or(self.current.as_deref()) else { return Ok((None, Context::default())) };
        match self.contexts.get_key_value(name) {
            Some((name, context)) => Ok((Some(name), context.clone())),
            None => {
                let known: Vec<_> = self.contexts.keys().map(String::as_str).collect();
                let fix = match known.is_empty() {
                    true => "make it with `atlasctl context set`".to_owned(),
                    false => format!("there are {}; `atlasctl context set` makes another", known.join(", ")),
                };
                Err(Failure::with_fix(format!("there is no context {name:?}"), fix))
            }
        }
    }

    /// Makes or changes a context. The first one becomes the current one.
    pub(crate) fn set(&mut self, name: &str, change: Context) {
        let changed = self.contexts.remove(name).unwrap_or_default().changed(change);
        self.contexts.insert(name.to_owned(), changed);
        self.current.get_or_insert_with(|| name.to_owned());
    }
}

/// Where the contexts are: `ATLASCTL_CONFIG`, or in the user's folder of configuration.
pub(crate) fn file() -> Result<PathBuf, Failure> {
    match env::var_os("ATLASCTL_CONFIG") {
        Some(file) => Ok(file.into()),
        None => Ok(folder("XDG_CONFIG_HOME", ".config")?.join("config.toml")),
    }
}

/// Where the tokens of `atlasctl login` are, one file a context.
pub(crate) fn token_file(context: &str) -> Result<PathBuf, Failure> {
    Ok(folder("XDG_STATE_HOME", ".local/state")?.join("tokens").join(format!("{context}.json")))
}

fn folder(variable: &str, otherwise: &str) -> Result<PathBuf, Failure> {
    let given = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = given.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(otherwise)));
    let base = base.ok_or_else(|| Failure::with_fix("HOME is not set", "set HOME, or ATLASCTL_CONFIG"))?;
    Ok(base.join("atlasctl"))
}

/// Replaces a file; nobody but its owner can read it at any moment, and a crash leaves the old one or the new one.
pub(crate) fn write_private(file: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = file.parent() {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder)?;
        }
        let beside = file.with_extension("new");
        // An older one may have another mode, which opening would keep.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut open = options.open(&beside)?;
        open.write_all(text.as_bytes())?;
        open.sync_all()?;
        std::fs::rename(&beside, file)
    };
    write().map_err(|error| Failure::new(format!("cannot write {}: {error}", file.display())))
}

/// Names end in file names, so they are plain.
pub(crate) fn context_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('.');
    if fits { Ok(text.to_owned()) } else { Err("letters, digits, `-`, `_` and `.`, at most 64".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Context {
        Context { compare: Some(url.into()), ..Context::default() }
    }

    #[test]
    fn the_first_context_is_current_until_another_is_chosen() {
        let mut contexts = Contexts::default();
        assert_eq!(contexts.chosen(None).unwrap(), (None, Context::default()));
        contexts.set("prod", at("https://a"));
        contexts.set("dev", at("http://b"));
        assert_eq!(contexts.chosen(None).unwrap(), (Some("prod"), at("https://a")));
        assert_eq!(contexts.chosen(Some("dev")).unwrap().1, at("http://b"));
        let missing = contexts.chosen(Some("test")).unwrap_err().to_string();
        assert!(missing.contains("\"test\"") && missing.contains("dev, prod"), "{missing}");
    }

    #[test]
    fn setting_again_changes_what_is_said_and_a_token_has_one_source() {
        let mut contexts = Contexts::default();
        contexts.set("dev", Context { token_command: Some("print-token".into()), ..at("http://a") });
        contexts.set("dev", Context { promotion: Some("http://b".into()), ..Context::default() });
        let dev = contexts.contexts["dev"].clone();
        assert_eq!((dev.compare.as_deref(), dev.promotion.as_deref()), (Some("http://a"), Some("http://b")));
        assert_eq!(dev.token_command.as_deref(), Some("print-token"));
        contexts.set("dev", Context { token_file: Some("/run/token".into()), ..Context::default() });
        assert_eq!(contexts.contexts["dev"].token_command, None);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_comes_back_as_it_was_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/config.toml");
        assert_eq!(Contexts::read(&file).unwrap(), Contexts::default());
        let mut contexts = Contexts::default();
        contexts.set("dev", Context { allow_plaintext: Some(true), ..at("http://a") });
        contexts.write(&file).unwrap();
        contexts.write(&file).unwrap();
        assert_eq!(Contexts::read(&file).unwrap(), contexts);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_token_in_the_file_is_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "current = \"dev\"\n[contexts.dev]\ntoken = \"eyJhbGciOi\"\n").unwrap();
        let told = Contexts::read(&file).unwrap_err().to_string();
        assert!(told.contains("line 3") && told.contains("unknown field `token`"), "{told}");
        assert!(!told.contains("eyJ"), "{told}");
    }

    #[test]
    fn names_are_plain() {
        for (name, good) in
            [("dev", true), ("eu-1.prod", true), ("", false), ("../x", false), ("a/b", false), (".x", false)]
        {
            assert_eq!(context_name(name).is_ok(), good, "{name:?}");
        }
    }
}
