//! Where a secret lives, and the secret itself once read. The database stores the reference only; the value is resolved at
//! the moment of use, so that a rotated secret is picked up by the next token request without a restart.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{GraphError, Kind};

/// The reason of a secret that is not where it should be.
pub const CREDENTIAL_UNAVAILABLE: &str = "CREDENTIAL_UNAVAILABLE";
/// The largest secret read from a file, in bytes. A client secret is about 40 bytes; anything near this is a wrong path.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// A place a client secret is read from: `env:NAME` or `file:/absolute/path` (a Kubernetes secret is mounted as a file).
/// Safe to store, show and log: it names the place, not the value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CredentialReference {
    /// An environment variable of this process.
    Env(String),
    /// A file readable by this process; surrounding white space is not part of the secret.
    File(PathBuf),
}

/// Why a text is not a credential reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialReferenceError {
    /// Neither `env:` nor `file:`. The text is not repeated: somebody may have pasted the secret itself.
    #[error("a credential reference starts with `env:` or `file:`")]
    UnknownScheme,
    /// `env:` with a name no environment variable can have.
    #[error("`env:` needs a variable name of letters, digits and underscores")]
    InvalidVariable,
    /// `file:` without an absolute path.
    #[error("`file:` needs an absolute path")]
    RelativePath,
}

impl FromStr for CredentialReference {
    type Err = CredentialReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(name) = text.strip_prefix("env:") {
            let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let valid = starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            return if valid { Ok(Self::Env(name.to_owned())) } else { Err(CredentialReferenceError::InvalidVariable) };
        }
        let Some(path) = text.strip_prefix("file:") else { return Err(CredentialReferenceError::UnknownScheme) };
        // `file:///path` is the URL spelling of `file:/path`.
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        if path.is_absolute() { Ok(Self::File(path)) } else { Err(CredentialReferenceError::RelativePath) }
    }
}

impl fmt::Display for CredentialReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl CredentialReference {
    /// Reads the secret now.
    ///
    /// # Errors
    /// Kind `Unauthorized`, reason `CREDENTIAL_UNAVAILABLE`, when the place is absent, unreadable, empty or too large.
    pub async fn resolve(&self) -> Result<Secret, GraphError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| self.absent())?,
            Self::File(path) => {
                let found = tokio::fs::metadata(path).await.map_err(|_| self.absent())?;
                if found.len() > MAX_SECRET_BYTES {
                    return Err(self.unavailable("is too large for a secret"));
                }
                tokio::fs::read_to_string(path).await.map_err(|_| self.unavailable("cannot be read"))?
            }
        };
        let text = text.trim();
        if text.is_empty() { Err(self.unavailable("is empty")) } else { Ok(Secret::new(text)) }
    }

    /// What it is to find no secret there.
    pub(crate) fn absent(&self) -> GraphError {
        self.unavailable(match self {
            Self::Env(_) => "is not set",
            Self::File(_) => "cannot be read",
        })
    }

    fn unavailable(&self, what: &str) -> GraphError {
        GraphError::local(Kind::Unauthorized, CREDENTIAL_UNAVAILABLE, format!("the credential at {self} {what}"))
    }
}

/// A value that must not be printed, logged, stored or sent anywhere but to the token endpoint: it has no `Display` and no
/// `Serialize`, and its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value. Named so that every place that takes it out is found by a search.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back_as_written() {
        for text in ["env:ATLAS_SECRET", "env:_x1", "file:/run/secrets/graph"] {
            let parsed: CredentialReference = text.parse().expect(text);
            assert_eq!(parsed.to_string(), text);
        }
        assert_eq!("file:///run/a".parse(), Ok(CredentialReference::File("/run/a".into())));
    }

    #[test]
    fn what_is_not_a_reference_is_refused_without_repeating_it() {
        use CredentialReferenceError::{InvalidVariable, RelativePath, UnknownScheme};
        for (text, want) in [
            ("hunter2", UnknownScheme),
            ("", UnknownScheme),
            ("env:", InvalidVariable),
            ("env:1A", InvalidVariable),
            ("env:A B", InvalidVariable),
            ("file:secret", RelativePath),
            ("file:", RelativePath),
        ] {
            let error = text.parse::<CredentialReference>().unwrap_err();
            assert_eq!(error, want, "{text}");
        }
        assert!(!"hunter2".parse::<CredentialReference>().unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(Secret(redacted))");
    }

    /// A secret that another workspace uses is as absent as one that nobody has.
    #[tokio::test]
    async fn a_withheld_secret_cannot_be_told_from_an_absent_one() {
        let at = |place: &str| {
            let credential: CredentialReference = place.parse().expect("valid");
            crate::Connection::new("contoso", "app", credential, None, None).expect("valid")
        };
        // `PATH` is set wherever tests run, and so is this file there.
        for (there, absent) in [
            ("env:PATH", "env:ATLAS_SURELY_NOT_SET"),
            (concat!("file:", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "file:/surely/not/there"),
        ] {
            assert!(at(there).secret().await.is_ok());
            let withheld = at(there).withhold().secret().await.unwrap_err();
            let missing = at(absent).secret().await.unwrap_err();
            assert_eq!(withheld.message.replace(there, absent), missing.message);
            assert_eq!((withheld.kind, withheld.reason_code), (missing.kind, missing.reason_code));
        }
        assert_ne!(at("env:PATH"), at("env:PATH").withhold(), "they share no client, and no token");
    }

    #[tokio::test]
    async fn an_absent_variable_is_a_named_error() {
        let reference: CredentialReference = "env:ATLAS_SURELY_NOT_SET".parse().expect("valid");
        let error = reference.resolve().await.unwrap_err();
        assert_eq!((error.kind, error.reason_code), (Kind::Unauthorized, "CREDENTIAL_UNAVAILABLE"));
    }
}
