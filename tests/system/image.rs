//! The container image: built by its script, unpacked as a runtime unpacks it, and used for the main job by the image's user, who
//! sees nothing else and can write nowhere.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use dev::scene::Script;
use dev::stack::{Plan, binary_path};
use pb::operation::{OperationRunOutcome, OperationRunStatus};
use serde_json::Value;
use system_tests::skipped;
use system_tests::story::Story;

/// Names a folder of programs for the image instead of the ones beside this test: those of a release, to try them.
const BINS: &str = "ATLAS_IMAGE_BINS";

#[tokio::test]
async fn a_promotion_is_done_by_what_is_in_the_image() -> Result<()> {
    let whole = "a promotion from the image";
    if !answers("buildah", &["--version"]) {
        skipped(whole, "there is no buildah (Debian: apt-get install buildah)");
        return Ok(());
    }
    if !answers("unshare", &["--mount", "true"]) {
        skipped(whole, "only root may make a container by hand");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let first = build(folder.path(), "first")?;
    assert_eq!(first, build(folder.path(), "second")?, "built twice, it is another one");

    let (rootfs, config) = unpacked(&folder.path().join("first-oci"), &folder.path().join("unpacked"))?;
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    nobody_can_change(&rootfs)?;
    for needed in ["etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/ssl/certs/ca-certificates.crt"] {
        ensure!(fs::metadata(rootfs.join(needed))?.len() > 0, "{needed} is empty");
    }

    // The user of the image has to get there.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let plan = Plan { image: Some(rootfs.clone()), ..Plan::test().await? };
    let story = Story::begin(&Script::own(), plan).await?.synced().await?;
    for process in story.scene.stack.compare.iter().chain(&story.scene.stack.promotion) {
        let id = process.id().context("it runs")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        assert!(status.contains("Uid:\t65532\t65532\t65532\t65532"), "{} runs as another user", process.name());
        assert_eq!(fs::read_link(format!("/proc/{id}/root"))?, rootfs, "{} sees more", process.name());
        serving(&process.address("grpc")?.to_string())?;
    }
    let run = story.promote(&story.selection()).await?;
    assert_eq!((run.status(), run.outcome()), (OperationRunStatus::Completed, OperationRunOutcome::Succeeded));
    assert!(run.summary_counts.context("a run has counts")?.created() > 0);
    // They end when they are told to, as the kubelet tells them.
    story.scene.close().await
}

fn answers(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|done| done.status.success())
}

/// Runs the script as a person does; returns the image's id.
fn build(folder: &Path, name: &str) -> Result<String> {
    let store = folder.join(format!("{name}-store"));
    fs::create_dir_all(&store)?;
    let settings = store.join("storage.conf");
    let (graph, run) = (store.join("graph"), store.join("run"));
    fs::write(
        &settings,
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n", graph.display(), run.display()),
    )?;
    let bins = match std::env::var_os(BINS) {
        Some(bins) => PathBuf::from(bins),
        None => binary_path("compare-service")?.parent().context("a program is in a folder")?.to_path_buf(),
    };
    let done = Command::new(dev::paths::repository().join("k8s/image/build"))
        .arg("--bins")
        .arg(bins)
        .arg("--into")
        .arg(folder.join(name))
        .arg("--oci")
        .arg(folder.join(format!("{name}-oci")))
        .arg("tenantatlas:test")
        .env("CONTAINERS_STORAGE_CONF", settings)
        .output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8(done.stdout)?;
    let id = said.lines().next().context("the script says the image's id")?.to_owned();
    ensure!(id.len() == 64, "{said}");
    Ok(id)
}

/// The layers of the image of an OCI layout, one over the other, and its configuration.
fn unpacked(layout: &Path, into: &Path) -> Result<(PathBuf, Value)> {
    let blob = |digest: &Value| -> Result<PathBuf> {
        let digest = digest.as_str().and_then(|digest| digest.strip_prefix("sha256:")).context("a digest")?;
        Ok(layout.join("blobs/sha256").join(digest))
    };
    let read = |file: &Path| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
    let index = read(&layout.join("index.json"))?;
    let manifest = read(&blob(&index["manifests"][0]["digest"])?)?;
    fs::create_dir_all(into)?;
    let layers = manifest["layers"].as_array().context("an image has layers")?;
    for layer in layers {
        let mut arguments: Vec<OsString> = vec!["--extract".into(), "--same-owner".into(), "--file".into()];
        arguments.extend([blob(&layer["digest"])?.into(), "--directory".into(), into.into()]);
        let done = Command::new("tar").args(arguments).output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    Ok((into.to_path_buf(), read(&blob(&manifest["config"]["digest"])?)?))
}

/// Everything is root's, nothing can be written by anybody else, and nothing gives rights to whoever runs it.
fn nobody_can_change(rootfs: &Path) -> Result<()> {
    let mut open = vec![rootfs.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            ensure!((metadata.uid(), metadata.gid()) == (0, 0), "{} is not root's", path.display());
            ensure!(metadata.mode() & 0o6022 == 0, "{} has mode {:o}", path.display(), metadata.mode());
            if metadata.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(())
}

/// Asks health as a person would, where grpcurl is.
fn serving(address: &str) -> Result<()> {
    let Some(grpcurl) = std::env::var_os("ATLAS_GRPCURL") else {
        skipped("health of the image by grpcurl", "ATLAS_GRPCURL names no grpcurl; `cargo dev test` brings one");
        return Ok(());
    };
    for service in ["", "liveness", "readiness"] {
        let request = format!("{{\"service\": \"{service}\"}}");
        let done = Command::new(&grpcurl)
            .args(["-plaintext", "-d", &request, address, "grpc.health.v1.Health/Check"])
            .output()?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        ensure!(said.contains("\"SERVING\""), "{service:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}
