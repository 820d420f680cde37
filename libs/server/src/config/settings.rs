//! Validated settings: what the rest of the chassis is built from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use jsonwebtoken::Algorithm;
use url::Url;

use super::{LogFormat, ServerArgs, TlsSettings, TokenType};
use crate::secret::Secret;

/// A setting that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {why}")]
pub struct ConfigError {
    /// The option: `--oidc-issuer`.
    pub name: &'static str,
    /// What is wrong with its value.
    pub why: String,
}

impl ConfigError {
    /// An error about the option `name`.
    pub fn new(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, why: why.into() }
    }
}

/// Refuses a value outside of its limits, both of which are allowed. `--help` tells the same limits.
///
/// # Errors
/// Names the option and its limits.
pub fn between<T: PartialOrd + std::fmt::Debug>(
    name: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigError> {
    if value < least || value > most {
        return Err(ConfigError::new(name, format!("must be from {least:?} to {most:?}, and is {value:?}")));
    }
    Ok(())
}

/// Shortest time that is no nothing.
const MOMENT: Duration = Duration::from_millis(1);
/// Nothing here is worth waiting longer for.
const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// Validated settings of the chassis.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address of the gRPC server.
    pub listen: SocketAddr,
    /// Address of the admin HTTP server.
    pub admin_listen: SocketAddr,
    /// TLS of the gRPC server and of calls.
    pub tls: TlsSettings,
    /// Whose tokens are accepted, and how they are checked.
    pub oidc: OidcSettings,
    /// This service's own identity, if it has one.
    pub credentials: Option<ClientCredentials>,
    /// Where traces and metrics go.
    pub otlp_endpoint: Option<Url>,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Filter of the log.
    pub log: String,
    /// Limits.
    pub limits: Limits,
    /// Origins allowed to call by gRPC-Web; `None` is any.
    pub cors_origins: Option<Vec<HeaderValue>>,
    /// From "not ready" to refusing work.
    pub drain_grace: Duration,
    /// From refusing work to cutting it.
    pub drain_cap: Duration,
}

/// How tokens are checked.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The issuer, exactly as in `iss`.
    pub issuer: String,
    /// The audience.
    pub audience: String,
    /// The algorithms accepted.
    pub algorithms: Vec<Algorithm>,
    /// The types of tokens accepted.
    pub token_types: Vec<TokenType>,
    /// Difference of clocks allowed.
    pub leeway: Duration,
    /// Age at which keys are fetched again.
    pub jwks_ttl: Duration,
    /// Least time between two fetches.
    pub jwks_cooldown: Duration,
}

/// An OAuth client that gets tokens for itself.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Client id.
    pub id: String,
    /// Its secret.
    pub secret: SecretSource,
}

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// Given as a value.
    Value(Secret),
    /// Read from a file each time it is needed.
    File(PathBuf),
}

impl SecretSource {
    /// The secret, without a trailing line break. Reads the file if it is one.
    pub async fn read(&self) -> std::io::Result<Secret> {
        match self {
            SecretSource::Value(secret) => Ok(secret.clone()),
            SecretSource::File(path) => {
                let text = tokio::fs::read_to_string(path).await?;
                Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
            }
        }
    }
}

/// Limits of one process.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request message, bytes.
    pub max_request_bytes: usize,
    /// Largest response message, bytes.
    pub max_response_bytes: usize,
    /// Unary calls in work at once.
    pub max_requests: usize,
    /// Streams open at once.
    pub max_streams: usize,
    /// Streams open at once by one caller.
    pub max_streams_per_caller: usize,
    /// Connections open at once.
    pub max_connections: usize,
    /// HTTP/2 streams on one connection.
    pub max_connection_streams: u32,
    /// Deadline of a unary call that has none.
    pub default_deadline: Duration,
    /// Longest deadline of a unary call.
    pub max_deadline: Duration,
}

impl ServerArgs {
    /// Checks every value; the first that cannot be used is named.
    pub fn validate(&self) -> Result<Settings, ConfigError> {
        if self.listen == self.admin_listen && self.listen.port() != 0 {
            return Err(ConfigError::new("--admin-listen", format!("{} is already --listen", self.admin_listen)));
        }
        between("--drain-grace", self.drain_grace, Duration::ZERO, Duration::from_secs(600))?;
        between("--drain-cap", self.drain_cap, Duration::ZERO, HOUR)?;
        Ok(Settings {
            listen: self.listen,
            admin_listen: self.admin_listen,
            tls: self.tls.validate()?,
            oidc: self.oidc()?,
            credentials: self.credentials()?,
            otlp_endpoint: self.otlp()?,
            log_format: self.log_format,
            log: self.log_filter()?,
            limits: self.limits()?,
            cors_origins: self.origins()?,
            drain_grace: self.drain_grace,
            drain_cap: self.drain_cap,
        })
    }

    fn oidc(&self) -> Result<OidcSettings, ConfigError> {
        check_web_url("--oidc-issuer", &self.oidc_issuer)?;
        if self.oidc_issuer.query().is_some() || self.oidc_issuer.fragment().is_some() {
            return Err(ConfigError::new("--oidc-issuer", "an issuer has neither a query nor a fragment"));
        }
        if self.oidc_audience.is_empty() {
            return Err(ConfigError::new("--oidc-audience", "must not be empty"));
        }
        // A shared secret would let every holder of the verification key sign: never, whatever is configured.
        let symmetric = |a: &&Algorithm| matches!(a, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
        if let Some(symmetric) = self.oidc_algorithms.iter().find(symmetric) {
            return Err(ConfigError::new("--oidc-algorithms", format!("{symmetric:?} is not asymmetric")));
        }
        if self.oidc_algorithms.is_empty() {
            return Err(ConfigError::new("--oidc-algorithms", "at least one is needed"));
        }
        if self.oidc_token_types.is_empty() {
            return Err(ConfigError::new("--oidc-token-types", "at least one is needed"));
        }
        // More than 5 minutes would make expiry meaningless.
        between("--oidc-leeway", self.oidc_leeway, Duration::ZERO, Duration::from_secs(300))?;
        between("--oidc-jwks-ttl", self.oidc_jwks_ttl, MOMENT, DAY)?;
        between("--oidc-jwks-cooldown", self.oidc_jwks_cooldown, Duration::ZERO, HOUR)?;
        Ok(OidcSettings {
            issuer: issuer_text(&self.oidc_issuer),
            audience: self.oidc_audience.clone(),
            algorithms: self.oidc_algorithms.clone(),
            token_types: self.oidc_token_types.clone(),
            leeway: self.oidc_leeway,
            jwks_ttl: self.oidc_jwks_ttl,
            jwks_cooldown: self.oidc_jwks_cooldown,
        })
    }

    fn credentials(&self) -> Result<Option<ClientCredentials>, ConfigError> {
        let secret = match (&self.client_secret, &self.client_secret_file) {
            (Some(secret), None) => Some(SecretSource::Value(secret.clone())),
            (None, Some(file)) => Some(SecretSource::File(file.clone())),
            (None, None) => None,
            (Some(_), Some(_)) => {
                return Err(ConfigError::new("--client-secret", "is given twice: as a value and as a file"));
            }
        };
        match (&self.client_id, secret) {
            (Some(id), Some(secret)) if !id.is_empty() => Ok(Some(ClientCredentials { id: id.clone(), secret })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConfigError::new("--client-secret", "is needed with --client-id")),
            _ => Err(ConfigError::new("--client-id", "is needed with a client secret")),
        }
    }

    fn otlp(&self) -> Result<Option<Url>, ConfigError> {
        match &self.otlp_endpoint {
            Some(url) if url.scheme() != "http" || url.host().is_none() => Err(ConfigError::new(
                "--otlp-endpoint",
                format!("{url} is no http URL with a host (a collector beside the service does the rest)"),
            )),
            other => Ok(other.clone()),
        }
    }

    fn log_filter(&self) -> Result<String, ConfigError> {
        tracing_subscriber::EnvFilter::try_new(&self.log)
            .map(|_| self.log.clone())
            .map_err(|error| ConfigError::new("--log", error.to_string()))
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        for (name, value) in [
            ("--max-request-bytes", self.max_request_bytes),
            ("--max-response-bytes", self.max_response_bytes),
            ("--max-requests", self.max_requests),
            ("--max-streams", self.max_streams),
            ("--max-streams-per-caller", self.max_streams_per_caller),
            ("--max-connections", self.max_connections),
            ("--max-connection-streams", self.max_connection_streams as usize),
        ] {
            // The upper bound is that of a gRPC length prefix, and below that of a tokio semaphore.
            between(name, value, 1, u32::MAX as usize)?;
        }
        between("--max-deadline", self.max_deadline, MOMENT, DAY)?;
        between("--default-deadline", self.default_deadline, MOMENT, self.max_deadline)?;
        Ok(Limits {
            max_request_bytes: self.max_request_bytes,
            max_response_bytes: self.max_response_bytes,
            max_requests: self.max_requests,
            max_streams: self.max_streams,
            max_streams_per_caller: self.max_streams_per_caller,
            max_connections: self.max_connections,
            max_connection_streams: self.max_connection_streams,
            default_deadline: self.default_deadline,
            max_deadline: self.max_deadline,
        })
    }

    fn origins(&self) -> Result<Option<Vec<HeaderValue>>, ConfigError> {
        if self.cors_origins.iter().any(|origin| origin == "*") {
            return Ok(None);
        }
        let parse = |origin: &String| {
            HeaderValue::from_str(origin)
                .map_err(|_| ConfigError::new("--cors-origins", format!("{origin:?} is no origin")))
        };
        self.cors_origins.iter().filter(|origin| !origin.is_empty()).map(parse).collect::<Result<_, _>>().map(Some)
    }
}

/// Refuses anything but https, or http to this very machine.
pub(crate) fn check_web_url(name: &'static str, url: &Url) -> Result<(), ConfigError> {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(host)) => host == "localhost",
        None => return Err(ConfigError::new(name, format!("{url} has no host"))),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err(ConfigError::new(name, format!("{url} is plain HTTP beyond this machine"))),
        other => Err(ConfigError::new(name, format!("{other} is neither https nor http"))),
    }
}

/// `Url` adds a slash to a bare host; issuers do not have it.
fn issuer_text(url: &Url) -> String {
    let text = url.as_str();
    if url.path() == "/" { text.trim_end_matches('/').to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        server: ServerArgs,
    }

    fn parse(issuer: &str, more: &[&str]) -> ServerArgs {
        Cli::try_parse_from([&["x", "--oidc-issuer", issuer], more].concat()).expect("the options parse").server
    }

    const LOCAL: &str = "http://127.0.0.1:1";

    #[test]
    fn the_defaults_are_valid() {
        let settings = parse(LOCAL, &[]).validate().unwrap();
        assert_eq!(settings.oidc.issuer, LOCAL);
        assert_eq!(settings.oidc.algorithms, [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256]);
        assert!(settings.cors_origins.is_none() && settings.credentials.is_none());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (more, name) in [
            (&["--admin-listen", "127.0.0.1:50051"][..], "--admin-listen"),
            (&["--oidc-algorithms", "HS256"], "--oidc-algorithms"),
            (&["--oidc-leeway", "1h"], "--oidc-leeway"),
            (&["--oidc-audience", ""], "--oidc-audience"),
            (&["--client-id", "a"], "--client-secret"),
            (&["--client-secret", "a"], "--client-id"),
            (&["--max-streams", "0"], "--max-streams"),
            (&["--default-deadline", "2m"], "--default-deadline"),
            (&["--otlp-endpoint", "unix:/x"], "--otlp-endpoint"),
            (&["--log", "a=nonsense"], "--log"),
        ] {
            assert_eq!(parse(LOCAL, more).validate().unwrap_err().name, name, "{more:?}");
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        // What only looks like this machine is not.
        for beyond in ["issuer.example", "10.0.0.1", "0.0.0.0", "localhost.example", "127.0.0.1.example", "[::]"] {
            let error = parse(&format!("http://{beyond}:8080"), &[]).validate().unwrap_err();
            assert_eq!(error.name, "--oidc-issuer", "{beyond}");
            parse(&format!("https://{beyond}:8080"), &[]).validate().unwrap();
        }
        for here in ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"] {
            parse(&format!("http://{here}:8080"), &[]).validate().unwrap();
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let args = parse(LOCAL, &["--client-id", "me", "--client-secret", "hunter2"]);
        let settings = args.validate().unwrap();
        assert!(!format!("{args:?} {settings:?}").contains("hunter2"));
    }
}
