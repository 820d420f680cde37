//! The options of TLS, and which of them belong together. What the files hold is looked at by [`tls`](crate::tls).

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{ConfigError, between, duration};

/// Longest trust domain, as SPIFFE has it.
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// TLS of the gRPC port, of calls to other services, and what certificates prove. All of it is off by default.
#[derive(Debug, Clone, Args)]
pub struct TlsArgs {
    /// This service's certificate and its chain (PEM). With it the gRPC port speaks TLS and nothing else; services that
    /// are called are shown the same certificate.
    #[arg(long, env = "TENANTATLAS_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, env = "TENANTATLAS_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Whether callers show certificates. `optional` lets callers without one in (users, who have tokens), `required`
    /// nobody; with either, whoever acts as one of our services must show that service's certificate.
    #[arg(long, env = "TENANTATLAS_TLS_CLIENT_AUTH", value_enum, default_value_t = ClientAuth::Off)]
    pub tls_client_auth: ClientAuth,
    /// Authorities (PEM) whose certificates are accepted from callers.
    #[arg(long, env = "TENANTATLAS_TLS_CLIENT_CA")]
    pub tls_client_ca: Option<PathBuf>,
    /// Trust domain of our services' names: a service's certificate has the URI `spiffe://<trust domain>/<service>`.
    #[arg(long, env = "TENANTATLAS_TLS_TRUST_DOMAIN", default_value = "tenantatlas")]
    pub tls_trust_domain: String,
    /// Authorities (PEM) that the services we call have their certificates from; the system's own without it.
    #[arg(long, env = "TENANTATLAS_TLS_CA")]
    pub tls_ca: Option<PathBuf>,
    /// How often the files are looked at for new contents, which then count for new connections. From 1ms to 24h.
    #[arg(long, env = "TENANTATLAS_TLS_RELOAD", value_parser = duration, default_value = "30s")]
    pub tls_reload: Duration,
}

/// Whether callers are asked for certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientAuth {
    /// They are not.
    Off,
    /// They may show one.
    Optional,
    /// They must show one.
    Required,
}

/// Validated settings of TLS.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// This service's own certificate; the gRPC port speaks TLS when there is one.
    pub certificate: Option<CertificateFiles>,
    /// Whether callers are asked for certificates.
    pub client_auth: ClientAuth,
    /// Who issues callers' certificates; there when `client_auth` is not `off`.
    pub client_ca: Option<PathBuf>,
    /// The trust domain of our services' names.
    pub trust_domain: String,
    /// Who issues the certificates of services we call.
    pub ca: Option<PathBuf>,
    /// Time between two looks at the files.
    pub reload: Duration,
}

/// A certificate in files.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The certificate and its chain.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl TlsArgs {
    pub(super) fn validate(&self) -> Result<TlsSettings, ConfigError> {
        let certificate = match (&self.tls_cert, &self.tls_key) {
            (Some(chain), Some(key)) => Some(CertificateFiles { chain: chain.clone(), key: key.clone() }),
            (None, None) => None,
            (Some(_), None) => return Err(ConfigError::new("--tls-key", "is needed with --tls-cert")),
            (None, Some(_)) => return Err(ConfigError::new("--tls-cert", "is needed with --tls-key")),
        };
        match (self.tls_client_auth, &self.tls_client_ca) {
            // Nobody should believe that certificates are checked when they are not.
            (ClientAuth::Off, Some(_)) => {
                return Err(ConfigError::new("--tls-client-ca", "is of no use while --tls-client-auth is off"));
            }
            (ClientAuth::Optional | ClientAuth::Required, None) => {
                return Err(ConfigError::new("--tls-client-ca", "is needed to check the certificates of callers"));
            }
            (ClientAuth::Optional | ClientAuth::Required, Some(_)) if certificate.is_none() => {
                return Err(ConfigError::new("--tls-cert", "is needed with --tls-client-auth"));
            }
            _ => {}
        }
        if !is_trust_domain(&self.tls_trust_domain) {
            let why = format!("{:?} is no trust domain (lower case letters, digits, . - _)", self.tls_trust_domain);
            return Err(ConfigError::new("--tls-trust-domain", why));
        }
        between("--tls-reload", self.tls_reload, Duration::from_millis(1), Duration::from_secs(24 * 3600))?;
        Ok(TlsSettings {
            certificate,
            client_auth: self.tls_client_auth,
            client_ca: self.tls_client_ca.clone(),
            trust_domain: self.tls_trust_domain.clone(),
            ca: self.tls_ca.clone(),
            reload: self.tls_reload,
        })
    }
}

fn is_trust_domain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    !text.is_empty() && text.len() <= MAX_TRUST_DOMAIN_BYTES && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        tls: TlsArgs,
    }

    fn validate(options: &str) -> Result<TlsSettings, ConfigError> {
        Cli::try_parse_from(std::iter::once("x").chain(options.split_whitespace())).unwrap().tls.validate()
    }

    #[test]
    fn it_is_off_unless_asked_for() {
        let settings = validate("").unwrap();
        assert!(settings.certificate.is_none() && settings.ca.is_none());
        assert_eq!(settings.client_auth, ClientAuth::Off);
        validate("--tls-ca a").unwrap();
        validate("--tls-cert a --tls-key b").unwrap();
        validate("--tls-cert a --tls-key b --tls-client-auth optional --tls-client-ca c").unwrap();
    }

    #[test]
    fn half_a_configuration_is_refused_by_name() {
        for (options, name) in [
            ("--tls-cert a", "--tls-key"),
            ("--tls-key a", "--tls-cert"),
            ("--tls-client-auth required", "--tls-client-ca"),
            ("--tls-cert a --tls-key b --tls-client-auth optional", "--tls-client-ca"),
            ("--tls-client-auth required --tls-client-ca c", "--tls-cert"),
            ("--tls-cert a --tls-key b --tls-client-ca c", "--tls-client-ca"),
            ("--tls-trust-domain Example.org", "--tls-trust-domain"),
            ("--tls-trust-domain a/b", "--tls-trust-domain"),
            ("--tls-reload 0s", "--tls-reload"),
        ] {
            assert_eq!(validate(options).unwrap_err().name, name, "{options}");
        }
    }
}
