//! The issuer's keys come and go, are invented, cannot be asked for.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, Header};
use tonic::Code;

use crate::identity::{answer, claims, refused};
use crate::issuer::Issuer;
use crate::running::{Running, eventually, issuer, token, within};
use crate::wire;

/// A token whose key nobody has.
fn invented(issuer: &Issuer, name: &str) -> String {
    let header = Header { kid: Some(name.into()), ..Header::new(Algorithm::EdDSA) };
    issuer.sign(header, &claims(issuer)).unwrap()
}

/// Callers that never stop, and count.
#[derive(Default)]
struct Load {
    done: AtomicU32,
    failed: AtomicU32,
    end: AtomicBool,
}

impl Load {
    async fn keep(&self, server: &Running, mut token: impl FnMut() -> String) {
        let client = server.client();
        while !self.end.load(Ordering::SeqCst) {
            let mut client = client.clone();
            let request = crate::running::with_token(crate::running::unary("whoami"), &token());
            if client.execute_promotion(request).await.is_err() {
                self.failed.fetch_add(1, Ordering::SeqCst);
            }
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Until so many more calls are done.
    async fn more(&self, calls: u32) {
        let goal = self.done.load(Ordering::SeqCst) + calls;
        eventually("calls go on", async || self.done.load(Ordering::SeqCst), |done| *done >= goal).await;
    }
}

#[tokio::test]
async fn keys_rotate_under_load_without_a_failed_call() {
    let issuer = issuer().await;
    // The cooldown is the usual one: a rotation is followed at once all the same, also one right after another.
    let server = Running::start(&issuer, &[]).await;
    let (fresh, kept) = (Load::default(), Load::default());
    let first = token(&issuer);
    let story = async {
        for _ in 0..3 {
            issuer.rotate().unwrap();
            fresh.more(40).await;
            kept.more(10).await;
        }
        // Nobody uses the first key any more; then it goes.
        kept.end.store(true, Ordering::SeqCst);
        issuer.withdraw_old_keys().unwrap();
        fresh.more(40).await;
        issuer.rotate().unwrap();
        fresh.more(40).await;
        fresh.end.store(true, Ordering::SeqCst);
    };
    let mint = || token(&issuer);
    within("the story", async {
        tokio::join!(story, fresh.keep(&server, mint), fresh.keep(&server, mint), kept.keep(&server, || first.clone()));
    })
    .await;
    assert_eq!((fresh.failed.into_inner(), kept.failed.into_inner()), (0, 0));
    assert_eq!(answer(server.play("whoami", &first).await), refused("TOKEN_INVALID"), "its key was withdrawn");
    assert!(issuer.key_requests() <= 5, "{} requests to the issuer", issuer.key_requests());
}

#[tokio::test]
async fn a_withdrawn_key_takes_its_tokens_along() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--oidc-jwks-cooldown", "0ms", "--oidc-jwks-ttl", "50ms"]).await;
    let old = token(&issuer);
    assert_eq!(answer(server.play("whoami", &old).await).0, Code::Ok);
    issuer.rotate().unwrap();
    assert_eq!(answer(server.play("whoami", &token(&issuer)).await).0, Code::Ok, "fetched when it is seen");
    assert_eq!(answer(server.play("whoami", &old).await).0, Code::Ok, "the old one still verifies");
    issuer.withdraw_old_keys().unwrap();
    let ask = || async { answer(server.play("whoami", &old).await) };
    eventually("the withdrawn key's token is refused", ask, |answer| *answer == refused("TOKEN_INVALID")).await;
    assert_eq!(answer(server.play("whoami", &token(&issuer)).await).0, Code::Ok);
}

#[tokio::test]
async fn a_flood_of_invented_keys_does_not_reach_the_issuer() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    server.play("whoami", &token(&issuer)).await.unwrap();
    let before = issuer.key_requests();
    let calls = (0..100).map(|n| {
        let (server, token) = (&server, if n % 4 == 0 { token(&issuer) } else { invented(&issuer, &n.to_string()) });
        async move { (n, answer(server.play("whoami", &token).await)) }
    });
    for (n, answer) in futures::future::join_all(calls).await {
        if n % 4 == 0 {
            assert_eq!(answer, (Code::Ok, "ada@example.com -".into()), "call {n}");
        } else {
            // On a very busy machine some have waited long enough for the one fetch.
            assert!(answer == refused("TOKEN_INVALID") || answer.0 == Code::Unavailable, "call {n}: {answer:?}");
        }
    }
    assert_eq!(issuer.key_requests() - before, 1, "requests to the issuer");
}

#[tokio::test]
async fn a_flood_causes_one_fetch_per_cooldown() {
    let issuer = issuer().await;
    let cooldown = Duration::from_millis(200);
    let server = Running::start(&issuer, &["--oidc-jwks-cooldown", "200ms"]).await;
    server.play("whoami", &token(&issuer)).await.unwrap();
    let (before, begun) = (issuer.key_requests(), Instant::now());
    let mut n = 0;
    while issuer.key_requests() - before < 4 {
        n += 1;
        let (bad, good) = (invented(&issuer, &n.to_string()), token(&issuer));
        assert_eq!(answer(server.play("whoami", &bad).await), refused("TOKEN_INVALID"));
        assert_eq!(answer(server.play("whoami", &good).await).0, Code::Ok);
        assert!(begun.elapsed() < Duration::from_secs(20), "invented keys are never asked for again");
    }
    assert!(begun.elapsed() >= 3 * cooldown, "4 fetches in {:?}", begun.elapsed());
}

#[tokio::test]
async fn callers_that_go_away_do_not_undo_the_cooldown() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    server.play("whoami", &token(&issuer)).await.unwrap();
    let before = issuer.key_requests();
    issuer.set_slow(Duration::from_millis(300));
    for n in 0..20 {
        let bearer = format!("Bearer {}", invented(&issuer, &n.to_string()));
        let headers = [("authorization", bearer.as_str()), ("grpc-timeout", "30m")];
        let seen = wire::call(server.grpc, wire::UNARY, &headers, &crate::running::unary("whoami")).await;
        assert_ne!(seen.status().code(), Code::Ok);
    }
    assert_eq!(issuer.key_requests() - before, 1, "requests to the issuer");
}

#[tokio::test]
async fn an_issuer_that_is_slow_holds_nobody_up_for_long() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    server.play("whoami", &token(&issuer)).await.unwrap();
    issuer.set_slow(Duration::from_secs(30));
    let begun = Instant::now();
    let (code, reason) = answer(server.play("whoami", &invented(&issuer, "x")).await);
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "UPSTREAM_UNAVAILABLE"), "nobody knows that key, yet");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(answer(server.play("whoami", &token(&issuer)).await).0, Code::Ok);
}

#[tokio::test]
async fn without_any_keys_it_is_nobodys_fault() {
    let issuer = issuer().await;
    issuer.set_down(true);
    let server = Running::start(&issuer, &["--oidc-jwks-cooldown", "0ms"]).await;
    let (code, reason) = answer(server.play("whoami", &token(&issuer)).await);
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "UPSTREAM_UNAVAILABLE"));
    issuer.set_down(false);
    assert_eq!(answer(server.play("whoami", &token(&issuer)).await).0, Code::Ok);
}

#[tokio::test]
async fn an_issuer_that_is_down_locks_nobody_out() {
    let issuer = issuer().await;
    let ttl = Duration::from_millis(100);
    let options = ["--oidc-jwks-cooldown", "0ms", "--oidc-jwks-ttl", "100ms"];
    let server = Running::start(&issuer, &options).await;
    let cached = token(&issuer);
    assert_eq!(answer(server.play("whoami", &cached).await).0, Code::Ok);
    issuer.set_down(true);
    let begun = Instant::now();
    while begun.elapsed() < 5 * ttl {
        assert_eq!(answer(server.play("whoami", &cached).await).0, Code::Ok, "a token that is known");
        assert_eq!(answer(server.play("whoami", &token(&issuer)).await).0, Code::Ok, "a new one by a known key");
    }
    // Of a key that may be new nobody can say anything now. It is not called bad.
    issuer.rotate().unwrap();
    let (code, reason) = answer(server.play("whoami", &token(&issuer)).await);
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "UPSTREAM_UNAVAILABLE"));
    assert_eq!(answer(server.play("whoami", &cached).await).0, Code::Ok);
    issuer.set_down(false);
    let ask = || async { answer(server.play("whoami", &token(&issuer)).await).0 };
    eventually("the new key is taken up", ask, |code| *code == Code::Ok).await;
}
