//! Where things lie in the repository.

use std::path::{Path, PathBuf};

/// The repository this program was built from.
pub fn repository() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_path_buf()
}

/// Local state that git ignores: keys, logs, tools, a kept database.
pub fn state() -> PathBuf {
    repository().join(".atlas")
}

/// The demo's two tenants as folders of exports, written by us.
pub fn demo(tenant: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo").join(tenant)
}

/// Other people's exports for tests, where they are: `ATLAS_EXPORTS_DIR`, or beside the repository.
pub fn exports() -> Option<PathBuf> {
    let given = std::env::var_os("ATLAS_EXPORTS_DIR").map(PathBuf::from);
    given.or_else(|| Some(repository().parent()?.join("shared/data"))).filter(|path| path.is_dir())
}
