//! A certificate authority for development and tests. Its keys are in memory and go with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;

/// The trust domain of our services' names, unless they are configured otherwise.
const TRUST_DOMAIN: &str = "tenantatlas";
/// How long certificates are valid.
const VALID_FOR: Duration = Duration::from_secs(24 * 3600);

/// Issues certificates.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a certificate says.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Hosts by which a server is reached, names or addresses.
    pub hosts: Vec<String>,
    /// URIs: the names of services.
    pub uris: Vec<String>,
    /// Whether its time is over.
    pub expired: bool,
}

impl Subject {
    /// One of our services on this machine.
    pub fn service(name: &str) -> Self {
        let hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        Self { hosts: hosts.into(), uris: vec![format!("spiffe://{TRUST_DOMAIN}/{name}")], expired: false }
    }

    fn names(&self) -> Result<Vec<SanType>> {
        let host = |host: &String| match host.parse() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ok(SanType::DnsName(host.as_str().try_into().context("a host")?)),
        };
        let uri = |uri: &String| Ok(SanType::URI(uri.as_str().try_into().context("a URI")?));
        self.hosts.iter().map(host).chain(self.uris.iter().map(uri)).collect()
    }
}

/// A certificate and its private key, as PEM.
pub struct Issued {
    /// The certificate.
    pub chain: String,
    /// Its key.
    pub key: String,
}

/// Where an issued certificate lies.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// With a key of its own.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Its certificate, as PEM: for those who trust it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for both sides of a connection.
    pub fn issue(&self, subject: &Subject) -> Result<Issued> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = subject.names()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let now = OffsetDateTime::now_utc();
        // Clocks differ, so it begins a little earlier.
        (params.not_before, params.not_after) =
            if subject.expired { (now - 2 * VALID_FOR, now - VALID_FOR) } else { (now - VALID_FOR, now + VALID_FOR) };
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { chain: certificate.pem(), key: key.serialize_pem() })
    }
}

impl Issued {
    /// Writes it into a folder, as `<name>.crt` and `<name>.key`.
    pub fn write(&self, folder: &Path, name: &str) -> Result<Files> {
        let files = Files { chain: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
        std::fs::write(&files.chain, &self.chain).with_context(|| format!("cannot write {}", files.chain.display()))?;
        std::fs::write(&files.key, &self.key).with_context(|| format!("cannot write {}", files.key.display()))?;
        Ok(files)
    }
}
