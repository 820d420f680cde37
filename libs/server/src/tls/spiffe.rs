//! The name of a service in its certificate: one URI, `spiffe://<trust domain>/<service>`, in the form of a SPIFFE ID.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::caller::ServiceIdentity;

/// The service that this certificate names. That it may be believed is checked by the handshake. With no URI, a URI of
/// another trust domain or form, or more than one (nobody should have to guess which one counts), it names none.
pub(super) fn service_of(certificate: &CertificateDer<'_>, trust_domain: &str) -> Option<ServiceIdentity> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let (_, names) = certificate.tbs_certificate.get::<SubjectAltName>().ok()??;
    let mut uris = names.0.iter().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        _ => None,
    });
    let (uri, None) = (uris.next()?, uris.next()) else { return None };
    Some(ServiceIdentity { name: service_in(uri, trust_domain)?.into() })
}

fn service_in<'u>(uri: &'u str, trust_domain: &str) -> Option<&'u str> {
    let (domain, service) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    let of_a_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (domain == trust_domain && !service.is_empty() && service.bytes().all(of_a_name)).then_some(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_form() {
        assert_eq!(service_in("spiffe://prod/compare-service", "prod"), Some("compare-service"));
        for other in [
            "",
            "compare-service",
            "spiffe://prod",
            "spiffe://prod/",
            "spiffe://prod/a/b",
            "spiffe://prod/a/",
            "spiffe://prod//a",
            "spiffe://prod/A",
            "spiffe://prod/a?b",
            "spiffe://prod/a%20b",
            "spiffe://prod:1/a",
            "spiffe://x@prod/a",
            "spiffe://Prod/a",
            "spiffe://prod.evil/a",
            "https://prod/a",
        ] {
            assert_eq!(service_in(other, "prod"), None, "{other}");
        }
    }
}
