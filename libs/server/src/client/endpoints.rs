//! Where a service is: `http://host:port`, `https://host:port`, several of them separated by commas, or
//! `dns:///host:port` for all addresses a name has now and later.

use std::time::Duration;

use tonic::transport::{ClientTlsConfig, Endpoint};

use crate::config::ConfigError;

/// One entry of the list.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// One address.
    One(Box<Endpoint>),
    /// All addresses of a name: host and port.
    Dns { host: String, port: u16 },
}

pub(super) fn parse(service: &'static str, endpoints: &str) -> Result<Vec<Target>, ConfigError> {
    let entries = endpoints.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let targets = entries.map(|entry| target(service, entry)).collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        return Err(ConfigError::new(service, "has no endpoint"));
    }
    Ok(targets)
}

fn target(service: &'static str, entry: &str) -> Result<Target, ConfigError> {
    let wrong = |why: &str| ConfigError::new(service, format!("endpoint {entry:?} {why}"));
    if let Some(name) = entry.strip_prefix("dns:///") {
        let (host, port) = name.rsplit_once(':').ok_or_else(|| wrong("has no port"))?;
        let port = port.parse().map_err(|_| wrong("has no port"))?;
        return Ok(Target::Dns { host: host.to_owned(), port });
    }
    let url = url::Url::parse(entry).map_err(|error| wrong(&format!("is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !matches!(url.path(), "" | "/") {
        return Err(wrong("is not of the form http://host:port"));
    }
    endpoint(entry).map(Box::new).map(Target::One).map_err(|error| wrong(&format!("cannot be used: {error}")))
}

/// An endpoint with our settings for connections.
pub(super) fn endpoint(url: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .connect_timeout(Duration::from_secs(2))
        .tcp_nodelay(true)
        // A partition that swallows packets must not leave a dead connection in use.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true);
    if url.starts_with("https:") {
        crate::oidc::issuer::install_tls();
        return endpoint.tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_strictly() {
        assert_eq!(parse("x", "http://a:1, http://b:2,").unwrap().len(), 2);
        assert!(
            matches!(&parse("x", "dns:///a.b:50051").unwrap()[..], [Target::Dns { host, port: 50051 }] if host == "a.b")
        );
        for bad in ["", ",", "a:1", "unix:/x", "http://", "http://a:1/path", "dns:///a", "dns:///a:b"] {
            assert!(parse("x", bad).is_err(), "{bad:?} was taken");
        }
    }
}
