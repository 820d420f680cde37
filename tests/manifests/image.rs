//! What the image holds is enough for its programs to run, and nothing else is in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::objects::k8s;

#[test]
fn programs_run_with_what_the_image_holds() {
    let bins = built();
    if !bins.join("tenantatlas-migrate").is_file() || !bins.join("compare-service").is_file() {
        return system_tests::skipped(
            "the image's contents",
            "the programs are not built; `cargo dev test` builds them",
        );
    }
    let made = Command::new(k8s().join("image/build"))
        .arg("--rootfs-only")
        .arg("--bins")
        .arg(&bins)
        .output()
        .expect("a script");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let rootfs = PathBuf::from(String::from_utf8_lossy(&made.stdout).trim());

    let mut files = BTreeSet::new();
    list(&rootfs, &mut files);
    let programs: Vec<&PathBuf> = files.iter().filter(|file| file.starts_with("usr/bin")).collect();
    assert_eq!(programs.len(), 6, "{programs:?}");
    let known = [
        "usr/bin",
        "lib",
        "lib64",
        "etc/passwd",
        "etc/group",
        "etc/nsswitch.conf",
        "etc/ssl/certs/ca-certificates.crt",
    ];
    let strange: Vec<_> = files.iter().filter(|file| !known.iter().any(|known| file.starts_with(known))).collect();
    assert!(strange.is_empty(), "{strange:?}");

    for program in programs {
        // As root of a namespace of its own, which everybody may make, with the image as its whole world.
        let run = Command::new("unshare")
            .args(["--user", "--map-root-user", "--root"])
            .arg(&rootfs)
            .arg(Path::new("/").join(program))
            .arg("--help")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .output();
        let Ok(run) = run else {
            return system_tests::skipped("the image's programs", "there is no unshare");
        };
        let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        if said.starts_with("unshare:") {
            return system_tests::skipped("the image's programs", "this machine makes no namespaces");
        }
        // It ran as far as its own words.
        assert!(said.contains("Usage:"), "{program:?}: {said}");
    }
}

/// Where cargo puts programs beside this test.
fn built() -> PathBuf {
    let own = std::env::current_exe().expect("this test is a file");
    own.ancestors().nth(2).expect("it lies in target/<profile>/deps").to_path_buf()
}

fn list(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).expect("a folder of the image") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                into.insert(path.strip_prefix(folder).expect("it is inside").to_path_buf());
            }
        }
    }
}
