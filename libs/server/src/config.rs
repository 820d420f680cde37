//! What every service can be told, by option or by environment, and its validation: a wrong value is refused with its
//! name before anything is bound or connected.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jsonwebtoken::Algorithm;
use url::Url;

use crate::secret::Secret;

mod settings;
mod tls;

pub(crate) use settings::check_web_url;
pub use settings::{ClientCredentials, ConfigError, Limits, OidcSettings, Settings, between};
pub use tls::{CertificateFiles, ClientAuth, TlsArgs, TlsSettings};

/// The options of the chassis, flattened into each service's own.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Address of the gRPC server (HTTP/2, and gRPC-Web over HTTP/1.1; TLS with --tls-cert); port 0 picks a free one.
    #[arg(long, env = "TENANTATLAS_LISTEN", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,
    /// Address of the HTTP server for /metrics, /healthz and /readyz; port 0 picks a free one.
    #[arg(long, env = "TENANTATLAS_ADMIN_LISTEN", default_value = "127.0.0.1:9464")]
    pub admin_listen: SocketAddr,

    /// TLS.
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Issuer whose tokens are accepted; its discovery document is read from under this URL. Plain HTTP is for an issuer on
    /// this machine (development); no option allows it beyond.
    #[arg(long, env = "TENANTATLAS_OIDC_ISSUER")]
    pub oidc_issuer: Url,
    /// Audience that a token must name.
    #[arg(long, env = "TENANTATLAS_OIDC_AUDIENCE", default_value = "tenantatlas")]
    pub oidc_audience: String,
    /// Signature algorithms that are accepted, whatever a token's header says.
    #[arg(long, env = "TENANTATLAS_OIDC_ALGORITHMS", value_delimiter = ',', default_value = "EdDSA,ES256,RS256")]
    pub oidc_algorithms: Vec<Algorithm>,
    /// Types of tokens that are accepted, by the `typ` of their header. `at+jwt` alone is the stricter choice, for issuers
    /// that follow RFC 9068; a `JWT` that is an ID token is refused in any case.
    #[arg(long, env = "TENANTATLAS_OIDC_TOKEN_TYPES", value_enum, value_delimiter = ',', default_value = "at+jwt,JWT")]
    pub oidc_token_types: Vec<TokenType>,
    /// How far the clocks of the issuer and of this process may differ. From 0s to 5m.
    #[arg(long, env = "TENANTATLAS_OIDC_LEEWAY", value_parser = duration, default_value = "30s")]
    pub oidc_leeway: Duration,
    /// How long fetched signing keys are used before they are fetched again. From 1ms to 24h.
    #[arg(long, env = "TENANTATLAS_OIDC_JWKS_TTL", value_parser = duration, default_value = "10m")]
    pub oidc_jwks_ttl: Duration,
    /// Least time from a fetch of signing keys in vain to the next one, so that tokens with invented key ids cannot make
    /// us hammer the issuer. From 0s to 1h.
    #[arg(long, env = "TENANTATLAS_OIDC_JWKS_COOLDOWN", value_parser = duration, default_value = "10s")]
    pub oidc_jwks_cooldown: Duration,

    /// Client id by which this service gets its own token.
    #[arg(long, env = "TENANTATLAS_CLIENT_ID")]
    pub client_id: Option<String>,
    /// Client secret. For development: --client-secret-file is not seen by whoever lists processes or their variables.
    #[arg(long, env = "TENANTATLAS_CLIENT_SECRET", hide_env_values = true, conflicts_with = "client_secret_file")]
    pub client_secret: Option<Secret>,
    /// File with the client secret; read again whenever a token is fetched, so that it can be replaced in place.
    #[arg(long, env = "TENANTATLAS_CLIENT_SECRET_FILE")]
    pub client_secret_file: Option<PathBuf>,

    /// OTLP/gRPC endpoint for traces and metrics; nothing is exported without it (metrics stay readable at /metrics).
    #[arg(long, env = "TENANTATLAS_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<Url>,
    /// Form of the log, on standard error.
    #[arg(long, env = "TENANTATLAS_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What is logged, in the syntax of tracing's EnvFilter.
    #[arg(long, env = "TENANTATLAS_LOG", default_value = "info")]
    pub log: String,

    /// Largest request message. From 1 to 4294967295.
    #[arg(long, env = "TENANTATLAS_MAX_REQUEST_BYTES", default_value_t = 4 << 20)]
    pub max_request_bytes: usize,
    /// Largest response message. From 1 to 4294967295.
    #[arg(long, env = "TENANTATLAS_MAX_RESPONSE_BYTES", default_value_t = 16 << 20)]
    pub max_response_bytes: usize,
    /// Unary calls in work at once, over all connections; more are refused at once with RESOURCE_EXHAUSTED. From 1 to
    /// 4294967295.
    #[arg(long, env = "TENANTATLAS_MAX_REQUESTS", default_value_t = 512)]
    pub max_requests: usize,
    /// Streams open at once, over all connections. From 1 to 4294967295.
    #[arg(long, env = "TENANTATLAS_MAX_STREAMS", default_value_t = 10_000)]
    pub max_streams: usize,
    /// Streams open at once by one caller (a user, or a service). From 1 to 4294967295.
    #[arg(long, env = "TENANTATLAS_MAX_STREAMS_PER_CALLER", default_value_t = 100)]
    pub max_streams_per_caller: usize,
    /// Connections open at once; more are closed as they come. From 1 to 4294967295.
    #[arg(long, env = "TENANTATLAS_MAX_CONNECTIONS", default_value_t = 10_000)]
    pub max_connections: usize,
    /// HTTP/2 streams open at once on one connection. From 1 to 4294967295.
    #[arg(long, env = "TENANTATLAS_MAX_CONNECTION_STREAMS", default_value_t = 256)]
    pub max_connection_streams: u32,
    /// Deadline of a unary call whose caller gives none. From 1ms to --max-deadline.
    #[arg(long, env = "TENANTATLAS_DEFAULT_DEADLINE", value_parser = duration, default_value = "30s")]
    pub default_deadline: Duration,
    /// Longest deadline of a unary call, whatever its caller asks. From 1ms to 24h.
    #[arg(long, env = "TENANTATLAS_MAX_DEADLINE", value_parser = duration, default_value = "60s")]
    pub max_deadline: Duration,
    /// Origins of browsers that may call by gRPC-Web; `*` for any (bearer tokens are used, never cookies).
    #[arg(long, env = "TENANTATLAS_CORS_ORIGINS", value_delimiter = ',', default_value = "*")]
    pub cors_origins: Vec<String>,

    /// Time between saying "not ready" and refusing work, for load balancers to look away. From 0s to 10m.
    #[arg(long, env = "TENANTATLAS_DRAIN_GRACE", value_parser = duration, default_value = "5s")]
    pub drain_grace: Duration,
    /// Longest time after that for what is in work to end; then it is cut. From 0s to 1h.
    #[arg(long, env = "TENANTATLAS_DRAIN_CAP", value_parser = duration, default_value = "20s")]
    pub drain_cap: Duration,
}

/// What the `typ` of a token's header says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenType {
    /// An access token (RFC 9068).
    #[value(name = "at+jwt")]
    AtJwt,
    /// Any token. A header without `typ` says no more.
    #[value(name = "JWT")]
    Jwt,
}

impl TokenType {
    /// By the header's `typ`, a media type with or without its `application/`, in any case; `None` for one that is not
    /// for us.
    pub(crate) fn of(typ: Option<&str>) -> Option<Self> {
        let typ = typ.unwrap_or("jwt").to_ascii_lowercase();
        match typ.strip_prefix("application/").unwrap_or(&typ) {
            "at+jwt" => Some(Self::AtJwt),
            "jwt" => Some(Self::Jwt),
            _ => None,
        }
    }
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Reads `500ms`, `30s`, `10m` or `1h`: a whole number and its unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no duration such as 500ms, 30s, 10m or 1h"))?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("{text:?} has no unit of time (ms, s, m or h)")),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| format!("{text:?} is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        for bad in ["", "s", "10", "-1s", "1.5s", "5 s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(duration(bad).is_err(), "{bad:?} was taken");
        }
    }
}
