//! What the operator of this installation allows provider connections to be. Users say how a tenant is reached; without these
//! rules they could have the workers send any secret of the process to any address.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use url::Url;

use crate::connection::{Connection, is_loopback};
use crate::credential::CredentialReference;

/// Microsoft's token authorities and Graphs: the public cloud, US Government (L4 and DoD) and China (21Vianet).
const MICROSOFT_HOSTS: &str = "login.microsoftonline.com,graph.microsoft.com,login.microsoftonline.us,graph.microsoft.us,\
                               dod-graph.microsoft.us,login.partner.microsoftonline.cn,login.chinacloudapi.cn,\
                               microsoftgraph.chinacloudapi.cn";
/// What names of variables with client secrets begin with, unless the operator says otherwise.
pub const SECRET_PREFIX: &str = "TENANTATLAS_PROVIDER_SECRET_";

/// The rules for provider connections, as options of a process. They hold when a connection is set and each time one is opened
/// ([`crate::Provider::client`]), so that what was stored under other rules is not used.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ProviderRules {
    /// Hosts that tokens and objects may be asked of, separated by commas: `host` for its https port, or `host:port`.
    #[arg(long = "provider-hosts", env = "TENANTATLAS_PROVIDER_HOSTS", value_delimiter = ',', default_value = MICROSOFT_HOSTS)]
    pub hosts: Vec<String>,
    /// What the name of a variable with a client secret begins with; the tenant's external id follows, in upper case, with `_`
    /// for `-`.
    #[arg(
        long = "provider-secret-prefix",
        env = "TENANTATLAS_PROVIDER_SECRET_PREFIX",
        default_value = SECRET_PREFIX,
        value_parser = variable_prefix
    )]
    pub secret_prefix: String,
    /// Folder of files with client secrets, each named by the tenant's external id. Without it no file is read.
    #[arg(long = "provider-secret-folder", env = "TENANTATLAS_PROVIDER_SECRET_FOLDER", value_parser = absolute_folder)]
    pub secret_folder: Option<PathBuf>,
    /// Whether this machine itself may be the provider, on any port. For development.
    #[arg(
        long = "provider-allow-loopback",
        env = "TENANTATLAS_PROVIDER_ALLOW_LOOPBACK",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_missing_value = "true",
        default_value_t = false
    )]
    pub allow_loopback: bool,
}

impl Default for ProviderRules {
    /// What holds when the operator says nothing: Microsoft's hosts, and variables only.
    fn default() -> Self {
        Self {
            hosts: MICROSOFT_HOSTS.split(',').map(str::to_owned).collect(),
            secret_prefix: SECRET_PREFIX.to_owned(),
            secret_folder: None,
            allow_loopback: false,
        }
    }
}

/// What of a connection the rules do not allow. Each says what would be allowed; none tells whether a secret exists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Tokens may not be asked of this host.
    #[error("this installation asks no tokens of that host; the operator allows hosts by --provider-hosts")]
    AuthorityHost,
    /// Objects may not be asked of this host.
    #[error("this installation calls no Graph at that host; the operator allows hosts by --provider-hosts")]
    GraphHost,
    /// The variable is not the one of this tenant.
    #[error("the variable with this tenant's secret must be named {expected}")]
    Variable {
        /// The one name that is allowed.
        expected: String,
    },
    /// The file is not the one of this tenant.
    #[error("the file with this tenant's secret must be {expected}")]
    File {
        /// The one path that is allowed.
        expected: String,
    },
    /// Files are not allowed at all.
    #[error("this installation reads no secrets from files; the operator allows a folder by --provider-secret-folder")]
    NoFiles,
}

impl ProviderRules {
    /// Whether a connection may be used.
    ///
    /// # Errors
    /// The first thing that is not allowed: the authority, the Graph, then the credential.
    pub fn permit(&self, connection: &Connection) -> Result<(), RuleError> {
        if !self.allows(&connection.token_endpoint()) {
            return Err(RuleError::AuthorityHost);
        }
        if !self.allows(connection.graph()) {
            return Err(RuleError::GraphHost);
        }
        self.permit_credential(connection)
    }

    fn allows(&self, url: &Url) -> bool {
        if is_loopback(url) {
            return self.allow_loopback;
        }
        let Some(host) = url.host_str().filter(|_| url.scheme() == "https") else { return false };
        // `port` is `None` for the port of the scheme.
        let place = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        self.hosts.iter().any(|allowed| allowed.trim().eq_ignore_ascii_case(&place))
    }

    /// A secret belongs to one tenant of the provider: somebody who may set the connection of another one gains nothing by
    /// naming it.
    fn permit_credential(&self, connection: &Connection) -> Result<(), RuleError> {
        let tenant = connection.tenant();
        match connection.credential() {
            CredentialReference::Env(name) => {
                let expected = self.variable(tenant);
                if *name == expected { Ok(()) } else { Err(RuleError::Variable { expected }) }
            }
            CredentialReference::File(path) => {
                let expected = self.secret_folder.as_ref().ok_or(RuleError::NoFiles)?.join(tenant);
                // By components, so that the folder is not left on the way to a name that looks right.
                let same = path.components().eq(expected.components()) && !climbs(path);
                if same { Ok(()) } else { Err(RuleError::File { expected: expected.display().to_string() }) }
            }
        }
    }

    /// The variable that holds the client secret of a tenant of the provider.
    fn variable(&self, tenant: &str) -> String {
        let tenant = tenant.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_ascii_uppercase();
        format!("{}{tenant}", self.secret_prefix)
    }
}

fn climbs(path: &Path) -> bool {
    path.components().any(|component| component == Component::ParentDir)
}

/// With an empty prefix, any variable of the process that happens to be named like a tenant would do.
fn variable_prefix(text: &str) -> Result<String, String> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if text.is_empty() || !plain || text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("must begin the name of a variable: letters, digits and underscores".to_owned());
    }
    Ok(text.to_owned())
}

fn absolute_folder(text: &str) -> Result<PathBuf, String> {
    let folder = PathBuf::from(text);
    if folder.is_absolute() && !climbs(&folder) { Ok(folder) } else { Err("must be an absolute path".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{PUBLIC_AUTHORITY, PUBLIC_GRAPH};

    const TENANT: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";
    const OWN: &str = "env:TENANTATLAS_PROVIDER_SECRET_0190B0A4_7C11_7A3E_9D3F_5A1DE1B3A001";

    fn judged(rules: &ProviderRules, authority: &str, graph: &str, credential: &str) -> Result<(), RuleError> {
        let credential = credential.parse().expect(credential);
        let connection = Connection::new(TENANT, "c", credential, Some(authority), Some(graph)).expect("well formed");
        rules.permit(&connection)
    }

    #[test]
    fn secrets_go_to_microsoft_and_to_whom_the_operator_names() {
        let rules = ProviderRules::default();
        assert_eq!(judged(&rules, PUBLIC_AUTHORITY, PUBLIC_GRAPH, OWN), Ok(()));
        assert_eq!(judged(&rules, "https://login.microsoftonline.us", "https://GRAPH.microsoft.us", OWN), Ok(()));
        for other in [
            "https://evil.example",
            "https://login.microsoftonline.com.evil.example",
            "https://graph.microsoft.com:8443",
            "https://127.0.0.1",
            "http://127.0.0.1:4000",
            "http://localhost:4000",
        ] {
            assert_eq!(judged(&rules, other, PUBLIC_GRAPH, OWN), Err(RuleError::AuthorityHost), "{other}");
            assert_eq!(judged(&rules, PUBLIC_AUTHORITY, other, OWN), Err(RuleError::GraphHost), "{other}");
        }
        let named = ProviderRules { hosts: vec!["proxy.example:8443".into()], ..ProviderRules::default() };
        assert_eq!(judged(&named, "https://proxy.example:8443", "https://proxy.example:8443", OWN), Ok(()));
        assert_eq!(judged(&named, "https://proxy.example", PUBLIC_GRAPH, OWN), Err(RuleError::AuthorityHost));
        let here = ProviderRules { allow_loopback: true, ..ProviderRules::default() };
        assert_eq!(judged(&here, "http://127.0.0.1:4000", "http://[::1]:4000", OWN), Ok(()));
    }

    #[test]
    fn a_tenant_has_one_variable() {
        for other in [
            "env:TENANTATLAS_DATABASE_URL",
            "env:TENANTATLAS_CLIENT_SECRET",
            "env:TENANTATLAS_PROVIDER_SECRET_",
            "env:TENANTATLAS_PROVIDER_SECRET_0190B0A4_7C11_7A3E_9D3F_5A1DE1B3A002",
            "env:TENANTATLAS_PROVIDER_SECRET_0190b0a4_7c11_7a3e_9d3f_5a1de1b3a001",
        ] {
            let refused = judged(&ProviderRules::default(), PUBLIC_AUTHORITY, PUBLIC_GRAPH, other);
            assert!(
                matches!(&refused, Err(RuleError::Variable { expected }) if OWN.ends_with(expected)),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_tenant_has_one_file_when_there_is_a_folder() {
        let own = format!("file:/run/secrets/{TENANT}");
        let without = ProviderRules::default();
        assert_eq!(judged(&without, PUBLIC_AUTHORITY, PUBLIC_GRAPH, &own), Err(RuleError::NoFiles));
        let rules = ProviderRules { secret_folder: Some("/run/secrets".into()), ..ProviderRules::default() };
        assert_eq!(judged(&rules, PUBLIC_AUTHORITY, PUBLIC_GRAPH, &own), Ok(()));
        for other in [
            "file:/run/secrets/other".to_owned(),
            "file:/etc/passwd".to_owned(),
            format!("file:/run/secrets/../{TENANT}"),
            format!("file:/run/secrets/../secrets/{TENANT}"),
            format!("file:/run/secrets/{TENANT}/more"),
        ] {
            let refused = judged(&rules, PUBLIC_AUTHORITY, PUBLIC_GRAPH, &other);
            assert!(matches!(refused, Err(RuleError::File { .. })), "{other}: {refused:?}");
        }
    }

    #[test]
    fn what_would_allow_everything_is_no_option() {
        #[derive(clap::Parser)]
        struct Process {
            #[command(flatten)]
            rules: ProviderRules,
        }
        let parse = |args: &[&str]| <Process as clap::Parser>::try_parse_from([&["p"], args].concat());
        assert_eq!(parse(&[]).map(|process| process.rules).ok(), Some(ProviderRules::default()));
        assert!(parse(&["--provider-allow-loopback"]).is_ok_and(|process| process.rules.allow_loopback));
        for wrong in ["--provider-secret-prefix=", "--provider-secret-prefix=A B", "--provider-secret-folder=secrets"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }
}
