//! TLS between the processes of a stack: an authority of its own, and a certificate for each service.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Recipe;
use crate::authority::{Authority, Issued, Subject};

/// What a stack with TLS is started with. The authority's key stays in this process.
pub struct Certificates {
    authority: Authority,
    folder: PathBuf,
}

impl Certificates {
    /// A new authority, whose certificates lie in the state folder.
    pub(super) fn new(state: &Path) -> Result<Self> {
        let folder = state.join("tls");
        std::fs::create_dir_all(&folder)?;
        let this = Self { authority: Authority::new("TenantAtlas development")?, folder };
        std::fs::write(this.ca_file(), this.ca()).context("cannot write the authority's certificate")?;
        Ok(this)
    }

    /// The authority's certificate, for whoever connects.
    pub fn ca(&self) -> String {
        self.authority.pem()
    }

    /// A certificate of this service.
    pub fn issue(&self, service: &str) -> Result<Issued> {
        self.authority.issue(&Subject::service(service))
    }

    /// Gives the service a new certificate; a running one takes it up by itself.
    pub fn renew(&self, service: &str) -> Result<()> {
        self.issue(service)?.write(&self.folder, service)?;
        Ok(())
    }

    /// The private keys in use, for tests that look for traces of them.
    pub fn keys(&self) -> Result<Vec<String>> {
        let files = std::fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let keys = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "key"));
        Ok(keys.map(std::fs::read_to_string).collect::<Result<_, _>>()?)
    }

    /// Gives the service its certificate, and tells it of ours. People come without one.
    pub(super) fn add_to(&self, recipe: &mut Recipe) -> Result<()> {
        let files = self.issue(&recipe.binary)?.write(&self.folder, &recipe.binary)?;
        let text = |path: &Path| path.display().to_string();
        recipe.env.extend(
            [
                ("TENANTATLAS_TLS_CERT", text(&files.chain)),
                ("TENANTATLAS_TLS_KEY", text(&files.key)),
                ("TENANTATLAS_TLS_CA", text(&self.ca_file())),
                ("TENANTATLAS_TLS_CLIENT_CA", text(&self.ca_file())),
                ("TENANTATLAS_TLS_CLIENT_AUTH", "optional".to_owned()),
                ("TENANTATLAS_TLS_RELOAD", "200ms".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(())
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }
}
