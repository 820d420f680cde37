//! The device authorization grant (RFC 8628): a person says yes in a browser, on whatever device has one, and this tool gets
//! tokens. They lie in a file of the user's own and are refreshed when they run out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::ambient;
use crate::context::{Context, write_private};
use crate::failure::Failure;
use crate::session::is_encrypted;
use crate::token::Token;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// For a refresh token, so that a person is not asked every hour.
const SCOPE: &str = "openid offline_access";
/// A token is renewed this long before it runs out, so that it does not run out under way.
const MARGIN: Duration = Duration::from_secs(60);
/// Of an issuer that does not say (RFC 8628 §3.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// What `slow_down` asks for (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// No answer of an issuer is longer.
const ANSWER_LIMIT: usize = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// Who logs in where, and where the tokens lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) file: PathBuf,
}

/// What the file holds. No `Debug`: these are secrets.
#[derive(Serialize, Deserialize)]
struct Stored {
    issuer: String,
    client_id: String,
    access_token: String,
    refresh_token: Option<String>,
    /// Seconds since 1970; absent where the issuer does not say.
    expires_at: Option<i64>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
}

/// What a person is asked to do.
#[derive(Debug, Deserialize)]
pub(crate) struct Invitation {
    device_code: String,
    /// To be typed in.
    pub(crate) user_code: String,
    /// Where.
    pub(crate) verification_uri: String,
    /// The same with the code in it, where the issuer offers that.
    pub(crate) verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<i64>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl Login {
    /// Of a context; `None` for one without an issuer.
    pub(crate) fn of(context: &Context, file: PathBuf) -> Option<Self> {
        Some(Self {
            issuer: context.issuer.clone()?,
            client_id: context.client_id.clone().unwrap_or_else(|| "atlasctl".to_owned()),
            ca_file: context.ca_file.clone(),
            file,
        })
    }

    /// Asks for the device grant, shows the invitation, and waits until the person has answered it.
    pub(crate) async fn log_in(&self, invite: impl FnOnce(&Invitation)) -> Result<(), Failure> {
        let http = self.client()?;
        let endpoints = self.discover(&http).await?;
        let Some(device) = &endpoints.device_authorization_endpoint else {
            return Err(Failure::with_fix(
                format!("the issuer {} offers no device login", self.issuer),
                "use a token of another source: `context set NAME --token-command ...`",
            ));
        };
        let form = [("client_id", self.client_id.as_str()), ("scope", SCOPE)];
        let invitation: Invitation = match self.post(&http, device, &form).await? {
            Ok(invitation) => invitation,
            Err(error) => return Err(self.refused(&error)),
        };
        invite(&invitation);
        let granted = self.wait(&http, &endpoints.token_endpoint, &invitation).await?;
        self.store(granted, None)
    }

    /// The token of the last login, renewed when it has run out; `None` before the first one.
    pub(crate) async fn token(&self) -> Result<Option<Token>, Failure> {
        let Some(stored) = self.stored()? else { return Ok(None) };
        let place = "the file of the login";
        if !is_over(stored.expires_at, ambient::now()) {
            return Token::new(&stored.access_token, place).map(Some);
        }
        let again = || Failure::with_fix("the login has run out", "atlasctl login");
        let Some(refresh_token) = stored.refresh_token else { return Err(again()) };
        let http = self.client()?;
        let endpoints = self.discover(&http).await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.as_str()),
            ("client_id", self.client_id.as_str()),
        ];
        let granted: Granted = match self.post(&http, &endpoints.token_endpoint, &form).await? {
            Ok(granted) => granted,
            Err(_refused) => return Err(again()),
        };
        let token = Token::new(&granted.access_token, "the issuer's answer")?;
        self.store(granted, Some(refresh_token))?;
        Ok(Some(token))
    }

    async fn wait(&self, http: &Client, endpoint: &str, invitation: &Invitation) -> Result<Granted, Failure> {
        let deadline = Instant::now() + Duration::from_secs(invitation.expires_in.min(3600));
        let mut interval = invitation.interval.map_or(INTERVAL, |seconds| Duration::from_secs(seconds.clamp(1, 60)));
        let form = [
            ("grant_type", GRANT),
            ("device_code", invitation.device_code.as_str()),
            ("client_id", self.client_id.as_str()),
        ];
        while Instant::now() + interval < deadline {
            sleep(interval).await;
            match self.post::<Granted>(http, endpoint, &form).await? {
                Ok(granted) => return Ok(granted),
                Err(error) => match error.as_str() {
                    "authorization_pending" => {}
                    "slow_down" => interval += SLOWER,
                    _ => return Err(self.refused(&error)),
                },
            }
        }
        Err(self.refused("expired_token"))
    }

    fn refused(&self, error: &str) -> Failure {
        match error {
            "access_denied" => Failure::new("the login was refused in the browser"),
            "expired_token" => Failure::with_fix("nobody answered in time", "atlasctl login"),
            "unauthorized_client" | "invalid_client" => Failure::with_fix(
                format!(
                    "the issuer {} does not know the client {:?}, or not for a device login",
                    self.issuer, self.client_id
                ),
                "`context set NAME --client-id ID`, with the id that is registered there",
            ),
            // The issuer's own word, but only as much of it as is a word.
            other => {
                let word: String = other.chars().filter(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
                Failure::new(format!("the issuer {} refused: {word}", self.issuer))
            }
        }
    }

    fn client(&self) -> Result<Client, Failure> {
        // A redirect would carry codes and tokens to where nobody sent them.
        let mut client = Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none());
        if let Some(file) = &self.ca_file {
            let unusable = |why: String| Failure::new(format!("the CA file {}: {why}", file.display()));
            let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
            let all = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
            client = client.tls_certs_merge(all);
        }
        client.build().map_err(|error| Failure::new(format!("cannot speak HTTP: {error}")))
    }

    async fn discover(&self, http: &Client) -> Result<Discovery, Failure> {
        let issuer = self.issuer.trim_end_matches('/');
        let url = self.checked(&format!("{issuer}/.well-known/openid-configuration"))?;
        let answer = http.get(url).send().await.map_err(|error| self.away(&error))?;
        let found: Discovery = self.read(answer).await?.map_err(|error| self.refused(&error))?;
        if found.issuer.trim_end_matches('/') != issuer {
            return Err(Failure::new(format!("{issuer} calls itself by another name; it is not trusted")));
        }
        Ok(found)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        http: &Client,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<Result<T, String>, Failure> {
        let answer = http.post(self.checked(url)?).form(form).send().await.map_err(|error| self.away(&error))?;
        self.read(answer).await
    }

    /// The answer, or the issuer's word for its refusal.
    async fn read<T: DeserializeOwned>(&self, mut answer: reqwest::Response) -> Result<Result<T, String>, Failure> {
        let is_good = answer.status().is_success();
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.away(&error))? {
            body.extend_from_slice(&piece);
            if body.len() > ANSWER_LIMIT {
                return Err(Failure::new(format!("the issuer {} answers without end", self.issuer)));
            }
        }
        let unreadable = || Failure::new(format!("the issuer {} answered {status} in no form known here", self.issuer));
        if is_good {
            return serde_json::from_slice(&body).map(Ok).map_err(|_| unreadable());
        }
        serde_json::from_slice(&body).map(|refused: Refused| Err(refused.error)).map_err(|_| unreadable())
    }

    fn checked(&self, url: &str) -> Result<Url, Failure> {
        let wrong = |why: String| Failure::new(format!("the issuer {}: {url} {why}", self.issuer));
        is_encrypted(url, false).map_err(wrong)?;
        Url::parse(url).map_err(|error| wrong(error.to_string()))
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let why = if error.is_timeout() { "does not answer" } else { "cannot be reached" };
        Failure::with_fix(format!("the issuer {} {why}", self.issuer), "check --issuer of the context")
    }

    /// A login elsewhere, or as another client, is none here.
    fn stored(&self) -> Result<Option<Stored>, Failure> {
        let Some(text) = read_file(&self.file)? else { return Ok(None) };
        let stored: Stored = serde_json::from_str(&text)
            .map_err(|_| Failure::with_fix(format!("{} cannot be read", self.file.display()), "atlasctl login"))?;
        Ok(Some(stored).filter(|stored| stored.issuer == self.issuer && stored.client_id == self.client_id))
    }

    /// An issuer may keep the refresh token it gave before.
    fn store(&self, granted: Granted, before: Option<String>) -> Result<(), Failure> {
        let stored = Stored {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            access_token: granted.access_token,
            refresh_token: granted.refresh_token.or(before),
            expires_at: granted.expires_in.map(|seconds| ambient::now().unix_timestamp().saturating_add(seconds)),
        };
        let text = serde_json::to_string(&stored).map_err(|_| Failure::new("the tokens cannot be written"))?;
        write_private(&self.file, &text)
    }
}

fn read_file(file: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(format!("cannot read {}: {error}", file.display()))),
    }
}

fn is_over(expires_at: Option<i64>, now: OffsetDateTime) -> bool {
    expires_at.is_some_and(|expires_at| expires_at <= (now + MARGIN).unix_timestamp())
}

#[cfg(test)]
mod tests;
