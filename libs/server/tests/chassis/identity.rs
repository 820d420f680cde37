//! Who calls: every token that must be refused, and keys that come and go.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use server::failure::reason_of;
use tonic::{Code, Status};

use crate::issuer::Issuer;
use crate::running::{Running, ada, eventually, issuer, stream, token, unary, with_token, within};
use crate::wire;

fn claims(issuer: &Issuer) -> Value {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    json!({ "iss": issuer.url(), "aud": "tenantatlas", "sub": "ada", "exp": now + 300 })
}

fn but(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn answer(result: Result<String, Status>) -> (Code, String) {
    match result {
        Ok(text) => (Code::Ok, text),
        Err(status) => (status.code(), reason_of(&status).unwrap_or_default()),
    }
}

fn refused(reason: &str) -> (Code, String) {
    (Code::Unauthenticated, reason.into())
}

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    assert_eq!(server.play("whoami", &token(&issuer)).await.unwrap(), "ada@example.com -");
    let service = issuer.mint_service("promotion-service", Duration::from_secs(60)).unwrap();
    assert_eq!(server.play("whoami", &service).await.unwrap(), "- promotion-service");
    assert_eq!(server.play("service-only", &service).await.unwrap(), "promotion-service");
    let status = server.play("service-only", &token(&issuer)).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (Code::PermissionDenied, Some("SERVICE_IDENTITY_REQUIRED"))
    );
    assert_eq!(issuer.key_requests(), 1, "tokens do not cause requests to the issuer");
}

#[tokio::test]
async fn what_is_not_a_good_token_is_refused() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let plain = || Header::new(Algorithm::EdDSA);
    let good = claims(&issuer);
    assert_eq!(answer(server.play("whoami", &issuer.sign(plain(), &good).unwrap()).await), (Code::Ok, "ada -".into()));

    let cases = [
        ("expired", plain(), but(good.clone(), "exp", json!(now - 31)), "TOKEN_EXPIRED"),
        ("without expiry", plain(), but(good.clone(), "exp", Value::Null), "TOKEN_INVALID"),
        ("of tomorrow", plain(), but(good.clone(), "nbf", json!(now + 60)), "TOKEN_INVALID"),
        ("for somebody else", plain(), but(good.clone(), "aud", json!("other")), "TOKEN_INVALID"),
        ("for nobody", plain(), but(good.clone(), "aud", Value::Null), "TOKEN_INVALID"),
        ("of another issuer", plain(), but(good.clone(), "iss", json!("http://127.0.0.1:1")), "TOKEN_INVALID"),
        ("about nobody", plain(), but(good.clone(), "sub", json!("")), "TOKEN_INVALID"),
        ("of a nameless service", plain(), but(good.clone(), "roles", json!(["tenantatlas.service"])), "TOKEN_INVALID"),
        ("that is a logout token", Header { typ: Some("logout+jwt".into()), ..plain() }, good.clone(), "TOKEN_INVALID"),
        ("with a demand", Header { crit: Some(vec!["b64".into()]), ..plain() }, good.clone(), "TOKEN_INVALID"),
    ];
    for (what, header, claims, reason) in cases {
        let token = issuer.sign(header, &claims).unwrap();
        assert_eq!(answer(server.play("whoami", &token).await), refused(reason), "a token {what}");
    }
    // Within the leeway, and in the media type's long form.
    let late = but(good.clone(), "exp", json!(now - 5));
    let long = Header { typ: Some("application/at+jwt".into()), ..plain() };
    assert_eq!(answer(server.play("whoami", &issuer.sign(long, &late).unwrap()).await).0, Code::Ok);

    for (what, headers) in [
        ("no token", &[][..]),
        ("another scheme", &[("authorization", "Basic YTpi")]),
        ("two tokens", &[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
    ] {
        let status = wire::call(server.grpc, wire::UNARY, headers, &unary("whoami")).await.status();
        assert_eq!(
            (status.code(), reason_of(&status).as_deref()),
            (Code::Unauthenticated, Some("TOKEN_MISSING")),
            "{what}"
        );
    }
}

#[tokio::test]
async fn the_header_does_not_choose_how_it_is_checked() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let good = claims(&issuer);
    let genuine = token(&issuer);
    let kid = jsonwebtoken::decode_header(&genuine).unwrap().kid;
    let as_current = |algorithm| Header { kid: kid.clone(), ..Header::new(algorithm) };

    // Signed by the public key as if it were a shared secret; not signed at all; signed by somebody else; cut; edited.
    let jwks: Value = reqwest::get(format!("{}/jwks", issuer.url())).await.unwrap().json().await.unwrap();
    let public = EncodingKey::from_secret(jwks["keys"][0]["x"].as_str().unwrap().as_bytes());
    let shared_secret = encode(&as_current(Algorithm::HS256), &good, &public).unwrap();
    let part =
        |value: &Value| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, value.to_string());
    let unsigned = format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT", "kid": kid })), part(&good));
    let other = crate::running::issuer().await;
    let somebody_else = other.sign(as_current(Algorithm::EdDSA), &good).unwrap();
    let (head, rest) = genuine.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let edited = format!("{head}.{}.{signature}", part(&but(good, "sub", json!("eve"))));
    let cut = genuine[..genuine.len() - 4].to_owned();
    let long = "x".repeat(10_000);
    for forged in [shared_secret, unsigned, somebody_else, edited, cut, "a.b.c".into(), long] {
        assert_eq!(answer(server.play("whoami", &forged).await), refused("TOKEN_INVALID"), "{forged:.80}");
    }

    // An algorithm that is genuine but not on our list.
    let strict = Running::start(&issuer, &["--oidc-algorithms", "ES256"]).await;
    assert_eq!(answer(strict.play("whoami", &genuine).await), refused("TOKEN_INVALID"));
}

#[tokio::test]
async fn keys_rotate_and_withdrawn_ones_lose_their_tokens() {
    let issuer = issuer().await;
    let options = ["--oidc-jwks-cooldown", "0ms", "--oidc-jwks-ttl", "50ms"];
    let server = Running::start(&issuer, &options).await;
    let old = token(&issuer);
    assert_eq!(answer(server.play("whoami", &old).await).0, Code::Ok);
    issuer.rotate().unwrap();
    assert_eq!(
        answer(server.play("whoami", &token(&issuer)).await).0,
        Code::Ok,
        "the new key is fetched when it is seen"
    );
    assert_eq!(answer(server.play("whoami", &old).await).0, Code::Ok, "the old one still verifies");
    issuer.withdraw_old_keys().unwrap();
    let ask = || async { answer(server.play("whoami", &old).await) };
    eventually("the withdrawn key's token is refused", ask, |answer| *answer == refused("TOKEN_INVALID")).await;
    assert_eq!(answer(server.play("whoami", &token(&issuer)).await).0, Code::Ok);
}

#[tokio::test]
async fn an_issuer_that_is_down_does_not_lock_anybody_out() {
    let issuer = issuer().await;
    issuer.set_down(true);
    let server = Running::start(&issuer, &["--oidc-jwks-cooldown", "0ms", "--oidc-jwks-ttl", "0ms"]).await;
    let (code, reason) = answer(server.play("whoami", &token(&issuer)).await);
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "UPSTREAM_UNAVAILABLE"), "no keys yet: nobody's fault");
    issuer.set_down(false);
    assert_eq!(answer(server.play("whoami", &token(&issuer)).await).0, Code::Ok);
    issuer.set_down(true);
    for _ in 0..5 {
        assert_eq!(answer(server.play("whoami", &token(&issuer)).await).0, Code::Ok, "the last keys stay in use");
    }
}

#[tokio::test]
async fn invented_keys_do_not_reach_the_issuer() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    server.play("whoami", &token(&issuer)).await.unwrap();
    let before = issuer.key_requests();
    let flood = (0..100).map(|n| {
        let header = Header { kid: Some(format!("made-up-{n}")), ..Header::new(Algorithm::EdDSA) };
        let token = issuer.sign(header, &claims(&issuer)).unwrap();
        let server = &server;
        async move { answer(server.play("whoami", &token).await) }
    });
    for answer in futures::future::join_all(flood).await {
        assert_eq!(answer, refused("TOKEN_INVALID"));
    }
    assert!(issuer.key_requests() - before <= 1, "{} requests to the issuer", issuer.key_requests() - before);
}

#[tokio::test]
async fn a_service_in_between_proves_itself() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let user = token(&issuer);
    let service = issuer.mint_service("compare-service", Duration::from_secs(60)).unwrap();
    let play = |between: String| {
        let mut request = with_token(unary("whoami"), &user);
        request.metadata_mut().insert("x-tenantatlas-service", between.parse().unwrap());
        let mut client = server.client();
        async move { answer(client.execute_promotion(request).await.map(|answer| answer.into_inner().message)) }
    };
    assert_eq!(play(format!("Bearer {service}")).await, (Code::Ok, "ada@example.com compare-service".into()));
    for bad in [format!("Bearer {user}"), service, "Bearer x".into()] {
        assert_eq!(play(bad).await, refused("SERVICE_TOKEN_INVALID"));
    }
}

#[tokio::test]
async fn a_stream_ends_when_the_token_does() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--oidc-leeway", "0s"]).await;
    let short = issuer.mint(&ada(), Duration::from_secs(2)).unwrap();
    let mut ticks =
        server.client().watch_promotion_runs(with_token(stream("ticks"), &short)).await.unwrap().into_inner();
    let mut seen = 0;
    let status = within("the stream ends", async {
        loop {
            match ticks.message().await {
                Ok(Some(_)) => seen += 1,
                Ok(None) => panic!("it ended well"),
                Err(status) => return status,
            }
        }
    })
    .await;
    assert!(seen > 0);
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Unauthenticated, Some("TOKEN_EXPIRED")));
    assert_eq!(answer(server.play("whoami", &short).await), refused("TOKEN_EXPIRED"), "also from the cache");
}

#[tokio::test]
async fn nothing_that_prints_a_caller_prints_its_token() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--client-id", "promotion-service", "--client-secret", "hunter2"]).await;
    let token = token(&issuer);
    let shown = server.play("debug", &token).await.unwrap();
    assert!(shown.contains("ada@example.com"), "{shown}");
    for secret in [&token, token.rsplit('.').next().unwrap(), "hunter2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
