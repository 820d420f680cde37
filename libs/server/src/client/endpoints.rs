//! Where a service is: `http://host:port`, `https://host:port`, several of them separated by commas, or
//! `dns:///host:port` (with TLS: `dns+https:///host:port`) for all addresses a name has now and later.

use std::time::Duration;

use tonic::transport::Endpoint;
use url::{Host, Url};

use crate::config::ConfigError;
use crate::tls::Outbound;

/// What connecting may take, and the handshake of TLS after it.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// One address.
    One(Address),
    /// All addresses of a name.
    Dns {
        /// The name; with TLS also that of every server behind it.
        host: String,
        /// Their port.
        port: u16,
        /// Whether they speak TLS.
        tls: bool,
    },
}

/// Where one replica is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Address {
    /// As it is connected to: `http://10.1.2.3:50051`.
    pub(super) url: String,
    /// The host that its certificate must name, when it speaks TLS. Not the address that the name led to: whoever answers
    /// for a name in DNS must not choose who is believed.
    server_name: Option<String>,
}

impl Address {
    /// One of the addresses of a name.
    pub(super) fn resolved(address: std::net::SocketAddr, host: &str, tls: bool) -> Self {
        match tls {
            true => Self { url: format!("https://{address}"), server_name: Some(host.to_owned()) },
            false => Self { url: format!("http://{address}"), server_name: None },
        }
    }

    /// Whether it speaks TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.server_name.is_some()
    }

    /// An endpoint with our settings for connections, and the certificates that count now.
    pub(super) fn endpoint(&self, tls: &Outbound) -> Result<Endpoint, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(self.url.clone())?
            .connect_timeout(CONNECT_WITHIN)
            .tcp_nodelay(true)
            // A partition that swallows packets must not leave a dead connection in use.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true);
        match &self.server_name {
            None => Ok(endpoint),
            Some(name) => {
                crate::oidc::issuer::install_tls();
                endpoint.tls_config(tls.config(name).timeout(HANDSHAKE_WITHIN))
            }
        }
    }
}

pub(super) fn parse(service: &'static str, endpoints: &str, tls: &Outbound) -> Result<Vec<Target>, ConfigError> {
    let entries = endpoints.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let targets = entries.map(|entry| target(service, entry, tls)).collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        return Err(ConfigError::new(service, "has no endpoint"));
    }
    Ok(targets)
}

fn target(service: &'static str, entry: &str, tls: &Outbound) -> Result<Target, ConfigError> {
    let wrong = |why: &str| ConfigError::new(service, format!("endpoint {entry:?} {why}"));
    let usable = |address: &Address| match address.endpoint(tls) {
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(&format!("cannot be used: {error}"))),
    };
    let named = [("dns:///", false), ("dns+https:///", true)];
    if let Some((name, tls)) = named.iter().find_map(|(prefix, tls)| Some((entry.strip_prefix(prefix)?, *tls))) {
        let (host, port) = name.rsplit_once(':').ok_or_else(|| wrong("has no port"))?;
        let port = port.parse().map_err(|_| wrong("has no port"))?;
        // What the name will lead to must be usable, whatever it is.
        usable(&Address::resolved(([127, 0, 0, 1], port).into(), host, tls))?;
        return Ok(Target::Dns { host: host.to_owned(), port, tls });
    }
    let url = Url::parse(entry).map_err(|error| wrong(&format!("is no URL: {error}")))?;
    let Some(host) = url.host() else { return Err(wrong("has no host")) };
    if !matches!(url.scheme(), "http" | "https") || !matches!(url.path(), "" | "/") {
        return Err(wrong("is not of the form http://host:port"));
    }
    let server_name = (url.scheme() == "https").then(|| match host {
        // Without the brackets of the URL.
        Host::Ipv6(address) => address.to_string(),
        host => host.to_string(),
    });
    let address = Address { url: entry.to_owned(), server_name };
    usable(&address)?;
    Ok(Target::One(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::plain;

    #[test]
    fn endpoints_are_read_strictly() {
        let parse = |endpoints| parse("x", endpoints, &plain());
        assert_eq!(parse("http://a:1, http://b:2,").unwrap().len(), 2);
        assert_eq!(parse("dns:///a.b:50051").unwrap(), [Target::Dns { host: "a.b".into(), port: 50051, tls: false }]);
        for bad in [
            "",
            ",",
            "a:1",
            "unix:/x",
            "http://",
            "http://a:1/path",
            "dns:///a",
            "dns:///a:b",
            "dns+https:///a",
            "dns+https:///a b:1",
            "dns+http:///a:1",
        ] {
            assert!(parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_certificate_is_asked_for_the_name_and_not_for_the_address() {
        let names = |endpoints| match &parse("x", endpoints, &plain()).unwrap()[..] {
            [Target::One(address)] => address.server_name.clone(),
            [Target::Dns { host, tls, .. }] => Address::resolved(([10, 0, 0, 1], 1).into(), host, *tls).server_name,
            other => panic!("{other:?}"),
        };
        assert_eq!(names("https://compare.prod:1").as_deref(), Some("compare.prod"));
        assert_eq!(names("dns+https:///compare.prod:1").as_deref(), Some("compare.prod"));
        assert_eq!(names("https://[::1]:1").as_deref(), Some("::1"));
        assert_eq!(names("https://127.0.0.1:1").as_deref(), Some("127.0.0.1"));
        assert_eq!(names("http://compare.prod:1"), None);
        assert_eq!(names("dns:///compare.prod:1"), None);
    }
}
