//! New certificates without a stop.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tonic::Code;

use crate::authority::Subject;
use crate::identity::{answer, refused};
use crate::running::{eventually, issuer, token, within};
use crate::tls::{Folder, RELOAD, authority, client, handshake, itself, play, promotion, secure, unavailable};

/// Counts calls that go on while certificates change.
#[derive(Default)]
struct Load {
    done: AtomicU32,
    end: AtomicBool,
    failures: std::sync::Mutex<Vec<String>>,
}

impl Load {
    async fn keep<F: Future<Output = (Code, String)>>(&self, call: impl Fn() -> F) {
        while !self.end.load(Ordering::SeqCst) {
            let (code, said) = call().await;
            if code != Code::Ok {
                self.failures.lock().unwrap().push(format!("{code:?} {said}"));
            }
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn more(&self, calls: u32) {
        let goal = self.done.load(Ordering::SeqCst) + calls;
        eventually("calls go on", async || self.done.load(Ordering::SeqCst), |done| *done >= goal).await;
    }
}

#[tokio::test]
async fn certificates_are_replaced_under_load_without_a_failed_call() {
    let (issuer, authority) = (issuer().await, authority());
    let (theirs, ours) =
        (Folder::new(&authority, &Subject::service("compare-service")), Folder::new(&authority, &promotion()));
    let back = theirs.serve(&issuer, "required").await;
    let (_front, upstream) = ours.in_front_of(&issuer, &secure(&back)).await;
    let (load, ada) = (Load::default(), token(&issuer));
    let console = authority.issue(&Subject::service("console")).unwrap();
    let story = async {
        for _ in 0..5 {
            let (next, own) = (
                authority.issue(&Subject::service("compare-service")).unwrap(),
                authority.issue(&promotion()).unwrap(),
            );
            theirs.put(&next);
            ours.put(&own);
            let shown = CertificateDer::from_pem_slice(next.chain.as_bytes()).unwrap();
            // The server shows its own before it looks for ours: with TLS 1.3 the refusal comes after the handshake.
            let ask = || async { handshake(&back, &authority, &["h2"]).await.ok().map(|(shown, _)| shown) };
            eventually("the new certificate is shown", ask, |got| got.as_ref() == Some(&shown)).await;
            load.more(20).await;
        }
        load.end.store(true, Ordering::SeqCst);
    };
    within("the story", async {
        tokio::join!(
            story,
            load.keep(|| itself(&upstream, "whoami")),
            load.keep(|| itself(&upstream, "peer")),
            // A new connection each time: handshakes go on while the certificate changes.
            load.keep(|| async { answer(play(client(&back, &authority, Some(&console)), "whoami", &ada).await) }),
        )
    })
    .await;
    assert_eq!(*load.failures.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_client_takes_up_its_new_certificate_and_its_new_authority() {
    let (issuer, ours, other) = (issuer().await, authority(), authority());
    let theirs = Folder::new(&ours, &Subject::service("compare-service"));
    let back = theirs.serve(&issuer, "required").await;
    let front = Folder::new(&other, &promotion());
    let (_front, upstream) = front.in_front_of(&issuer, &secure(&back)).await;
    let ask = || itself(&upstream, "peer");
    assert_eq!(ask().await, unavailable(), "strangers");
    front.trust(&[&ours]);
    front.put(&ours.issue(&promotion()).unwrap());
    let welcome = |answer: &(Code, String)| *answer == (Code::Ok, "promotion-service".into());
    eventually("our new certificate is shown", ask, welcome).await;
    // The other way round: the server's side gets a new authority, first beside the old one.
    theirs.trust(&[&ours, &other]);
    front.trust(&[&ours, &other]);
    front.put(&other.issue(&Subject::service("console")).unwrap());
    // What names another service now must not be taken for the old one.
    eventually("the next one is shown", ask, |answer| *answer == refused("SERVICE_CERTIFICATE_MISMATCH")).await;
    front.put(&other.issue(&promotion()).unwrap());
    eventually("and the one after it", ask, welcome).await;
}

#[tokio::test]
async fn new_files_that_cannot_be_used_change_nothing() {
    let (issuer, authority) = (issuer().await, authority());
    let folder = Folder::new(&authority, &promotion());
    let server = folder.serve(&issuer, "off").await;
    let shown = || async { handshake(&server, &authority, &[]).await.unwrap().0 };
    let first = shown().await;
    let next = authority.issue(&promotion()).unwrap();
    // The certificate without its key, as when one file is there before the other; then no file at all.
    fs::write(folder.path("tls.crt"), &next.chain).unwrap();
    let ada = token(&issuer);
    // For several looks at the files.
    let begun = Instant::now();
    while begun.elapsed() < 10 * RELOAD {
        assert_eq!(shown().await, first);
    }
    fs::remove_file(folder.path("tls.key")).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < 10 * RELOAD {
        play(client(&server, &authority, None), "whoami", &ada).await.unwrap();
    }
    fs::write(folder.path("tls.key"), &next.key).unwrap();
    let expected = CertificateDer::from_pem_slice(next.chain.as_bytes()).unwrap();
    eventually("the pair is complete", shown, |got| *got == expected).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_swapped_link_is_followed() {
    // As Kubernetes mounts a secret: links to a folder whose link is replaced.
    let (issuer, authority) = (issuer().await, authority());
    let folder = Folder::new(&authority, &promotion());
    let version = |name: &str| {
        let path = folder.path(name);
        fs::create_dir(&path).unwrap();
        let issued = authority.issue(&promotion()).unwrap();
        issued.write(&path, "tls").unwrap();
        CertificateDer::from_pem_slice(issued.chain.as_bytes()).unwrap()
    };
    let (first, second) = (version("..1"), version("..2"));
    let link = |from: &str, to: &str| std::os::unix::fs::symlink(to, folder.path(from)).unwrap();
    link("..data", "..1");
    for name in ["tls.crt", "tls.key"] {
        fs::remove_file(folder.path(name)).unwrap();
        link(name, &format!("..data/{name}"));
    }
    let server = folder.serve(&issuer, "off").await;
    let shown = || async { handshake(&server, &authority, &[]).await.unwrap().0 };
    assert_eq!(shown().await, first);
    link("..data_tmp", "..2");
    fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
    eventually("the second version", shown, |got| *got == second).await;
}
