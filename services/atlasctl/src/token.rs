//! Where the caller's token comes from. It is read when it is needed, and never printed.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tonic::metadata::{Ascii, MetadataValue};

use crate::failure::Failure;
use crate::login::Login;

/// Past this it is no token.
const LONGEST: usize = 16 << 10;

/// A token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

impl Token {
    /// One word of ASCII; `source` is named when it is not.
    pub(crate) fn new(text: &str, source: &str) -> Result<Self, Failure> {
        let text = text.trim();
        match text {
            "" => Err(Failure::new(format!("there is no token in {source}"))),
            text if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(Failure::new(format!("what is in {source} is no token")))
            }
            text => Ok(Self(text.to_owned())),
        }
    }

    /// For the wire.
    pub(crate) fn header(&self) -> Result<MetadataValue<Ascii>, Failure> {
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {}", self.0).parse().map_err(|_| Failure::new("the token cannot be sent"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// What the token says about its bearer, unverified: only the services decide whether it is true.
    pub(crate) fn claims(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        let payload = self.0.split('.').nth(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// A source of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// `TENANTATLAS_TOKEN`.
    Environment(Token),
    /// A file somebody else keeps fresh.
    File(PathBuf),
    /// A command of the user's.
    Command(String),
    /// `atlasctl login`.
    Login(Login),
    /// None: calls go out without one.
    Nowhere,
}

impl TokenSource {
    /// The token as it is now.
    pub(crate) async fn token(&self) -> Result<Option<Token>, Failure> {
        match self {
            Self::Environment(token) => Ok(Some(token.clone())),
            Self::File(file) => {
                let text = tokio::fs::read_to_string(file)
                    .await
                    .map_err(|error| Failure::new(format!("cannot read the token file {}: {error}", file.display())))?;
                Token::new(&text, &format!("the token file {}", file.display())).map(Some)
            }
            Self::Command(command) => of_command(command).await.map(Some),
            Self::Login(login) => login.token().await,
            Self::Nowhere => Ok(None),
        }
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Environment(_) => "TENANTATLAS_TOKEN".to_owned(),
            Self::File(file) => format!("file {}", file.display()),
            Self::Command(command) => format!("command `{command}`"),
            Self::Login(login) => format!("login at {}", login.issuer),
            Self::Nowhere => "none".to_owned(),
        }
    }
}

/// What it says on standard error is the user's to read, so it is passed through.
async fn of_command(command: &str) -> Result<Token, Failure> {
    let fail = |why: String| Failure::with_fix(format!("the token command {why}"), format!("try it: {command}"));
    let output = tokio::process::Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .await
        .map_err(|error| fail(format!("cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(fail(format!("failed: {}", output.status)));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| fail("printed no text".to_owned()))?;
    Token::new(&text, "the output of the token command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_is_never_printed() {
        let token = Token::new(" abc.def.ghi\n", "a test").unwrap();
        assert_eq!(token.header().unwrap().to_str().unwrap(), "Bearer abc.def.ghi");
        assert!(!format!("{token:?} {:?}", TokenSource::Environment(token.clone())).contains("abc"));
        for bad in ["", " \n", "two words", "sch\u{f6}n"] {
            let told = Token::new(bad, "a test").unwrap_err().to_string();
            assert!(told.contains("a test") && !told.contains("words"), "{told}");
        }
    }

    #[test]
    fn claims_are_read_without_trust() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"oscar"}"#);
        let token = Token::new(&format!("e30.{payload}.sig"), "a test").unwrap();
        assert_eq!(token.claims().unwrap()["sub"], "oscar");
        assert_eq!(Token::new("opaque", "a test").unwrap().claims(), None);
    }

    #[tokio::test]
    async fn a_token_is_read_where_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "from-file\n").unwrap();
        let read = |source: TokenSource| async move { source.token().await.map(|token| token.unwrap().0) };
        assert_eq!(read(TokenSource::File(file)).await.unwrap(), "from-file");
        assert_eq!(read(TokenSource::Command("echo from-command".into())).await.unwrap(), "from-command");
        let failed = read(TokenSource::Command("echo secret; exit 3".into())).await.unwrap_err().to_string();
        assert!(failed.contains("exit status: 3") && !failed.contains("secret\n"), "{failed}");
        let gone = read(TokenSource::File(folder.path().join("none"))).await.unwrap_err().to_string();
        assert!(gone.contains("cannot read the token file"), "{gone}");
    }
}
