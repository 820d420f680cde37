//! Who calls: every token that must be refused.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use server::failure::reason_of;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::issuer::Issuer;
use crate::running::{Running, ada, issuer, stream, token, unary, with_token, within};
use crate::wire;

/// Good claims about Ada.
pub(crate) fn claims(issuer: &Issuer) -> Value {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    json!({ "iss": issuer.url(), "aud": "tenantatlas", "sub": "ada", "exp": now + 300 })
}

fn but(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

/// The code and what matters of the answer: its text, or its reason.
pub(crate) fn answer(result: Result<String, Status>) -> (Code, String) {
    match result {
        Ok(text) => (Code::Ok, text),
        Err(status) => (status.code(), reason_of(&status).unwrap_or_default()),
    }
}

pub(crate) fn refused(reason: &str) -> (Code, String) {
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
        ("with a demand", Header { crit: Some(vec!["b64".into()]), ..plain() }, good.clone(), "TOKEN_INVALID"),
    ];
    for (what, header, claims, reason) in cases {
        let token = issuer.sign(header, &claims).unwrap();
        assert_eq!(answer(server.play("whoami", &token).await), refused(reason), "a token {what}");
    }
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
async fn an_audience_may_be_one_of_several() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let play = async |audience: Value| {
        let token = issuer.sign(Header::new(Algorithm::EdDSA), &but(claims(&issuer), "aud", audience)).unwrap();
        answer(server.play("whoami", &token).await)
    };
    for good in [json!("tenantatlas"), json!(["tenantatlas"]), json!(["account", "tenantatlas"])] {
        assert_eq!(play(good.clone()).await, (Code::Ok, "ada -".into()), "{good}");
    }
    for bad in [json!(["account"]), json!([]), json!("Tenantatlas"), json!("tenantatlas account"), json!(7)] {
        assert_eq!(play(bad.clone()).await, refused("TOKEN_INVALID"), "{bad}");
    }
}

#[tokio::test]
async fn the_leeway_has_edges() {
    let issuer = issuer().await;
    let generous = Running::start(&issuer, &["--oidc-leeway", "60s"]).await;
    let exact = Running::start(&issuer, &["--oidc-leeway", "0s"]).await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let token = |claim: &str, at: i64| {
        issuer.sign(Header::new(Algorithm::EdDSA), &but(claims(&issuer), claim, json!(at))).unwrap()
    };
    // Far enough from the edge for a slow machine, near enough to show where it is.
    for (server, claim, seconds, expected) in [
        (&generous, "exp", -40, (Code::Ok, "ada -".into())),
        (&generous, "exp", -60, refused("TOKEN_EXPIRED")),
        (&generous, "nbf", 40, (Code::Ok, "ada -".into())),
        (&generous, "nbf", 120, refused("TOKEN_INVALID")),
        (&exact, "exp", 20, (Code::Ok, "ada -".into())),
        (&exact, "exp", 0, refused("TOKEN_EXPIRED")),
        (&exact, "nbf", 0, (Code::Ok, "ada -".into())),
        (&exact, "nbf", 40, refused("TOKEN_INVALID")),
    ] {
        let token = token(claim, now + seconds);
        assert_eq!(answer(server.play("whoami", &token).await), expected, "{claim} {seconds} s from now");
    }
}

#[tokio::test]
async fn only_access_tokens_open() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let strict = Running::start(&issuer, &["--oidc-token-types", "at+jwt"]).await;
    let of_type = |typ: Option<&str>| Header { typ: typ.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
    let play = async |server: &Running, typ: Option<&str>, claims: &Value| {
        answer(server.play("whoami", &issuer.sign(of_type(typ), claims).unwrap()).await)
    };
    let good = claims(&issuer);
    let opens = (Code::Ok, "ada -".to_owned());
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        assert_eq!(play(&server, Some(typ), &good).await, opens, "{typ}");
        assert_eq!(play(&strict, Some(typ), &good).await, opens, "{typ}");
    }
    for typ in [Some("JWT"), Some("application/jwt"), None] {
        assert_eq!(play(&server, typ, &good).await, opens, "{typ:?}");
        assert_eq!(play(&strict, typ, &good).await, refused("TOKEN_INVALID"), "{typ:?}");
    }
    for typ in ["logout+jwt", "id+jwt", "dpop+jwt", "application/json", ""] {
        assert_eq!(play(&server, Some(typ), &good).await, refused("TOKEN_INVALID"), "{typ}");
    }
}

#[tokio::test]
async fn an_id_token_is_refused() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    for claim in ["nonce", "at_hash", "c_hash"] {
        let claims = but(claims(&issuer), claim, json!("n-0S6_WzA2Mj"));
        let token = issuer.sign(Header::new(Algorithm::EdDSA), &claims).unwrap();
        assert_eq!(answer(server.play("whoami", &token).await), refused("TOKEN_INVALID"), "{claim}");
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_on_our_list_is_refused() {
    let issuer = issuer().await;
    let strict = Running::start(&issuer, &["--oidc-algorithms", "ES256,RS256"]).await;
    assert_eq!(answer(strict.play("whoami", &token(&issuer)).await), refused("TOKEN_INVALID"), "genuine, but EdDSA");
}

#[tokio::test]
async fn the_public_key_is_no_shared_secret_and_no_signature_is_none() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let good = claims(&issuer);
    let kid = jsonwebtoken::decode_header(token(&issuer)).unwrap().kid;
    let jwks: Value = reqwest::get(format!("{}/jwks", issuer.url())).await.unwrap().json().await.unwrap();
    let x = jwks["keys"][0]["x"].as_str().unwrap();
    let raw = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, x).unwrap();
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        for secret in [x.as_bytes(), &raw, jwks["keys"][0].to_string().as_bytes()] {
            let header = Header { kid: kid.clone(), ..Header::new(algorithm) };
            let forged = encode(&header, &good, &EncodingKey::from_secret(secret)).unwrap();
            assert_eq!(answer(server.play("whoami", &forged).await), refused("TOKEN_INVALID"), "{algorithm:?}");
        }
    }
    for none in ["none", "None", "NONE", ""] {
        let head = part(&json!({ "alg": none, "typ": "at+jwt", "kid": kid }));
        let unsigned = format!("{head}.{}.", part(&good));
        assert_eq!(answer(server.play("whoami", &unsigned).await), refused("TOKEN_INVALID"), "alg {none:?}");
    }
}

#[tokio::test]
async fn what_was_tampered_with_is_refused() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let (good, genuine) = (claims(&issuer), token(&issuer));
    let kid = jsonwebtoken::decode_header(&genuine).unwrap().kid;
    let other = crate::running::issuer().await;
    let somebody_else = other.sign(Header { kid, ..Header::new(Algorithm::EdDSA) }, &good).unwrap();
    let (head, rest) = genuine.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let edited = format!("{head}.{}.{signature}", part(&but(good, "sub", json!("eve"))));
    let cut = genuine[..genuine.len() - 4].to_owned();
    let long = "x".repeat(10_000);
    for forged in [somebody_else, edited, cut, "a.b.c".into(), long] {
        assert_eq!(answer(server.play("whoami", &forged).await), refused("TOKEN_INVALID"), "{forged:.80}");
    }
}

fn part(value: &Value) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, value.to_string())
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
async fn a_stream_ends_with_its_token_and_says_that_it_can_be_resumed() {
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
    let resumable = status.get_details_error_info().unwrap().metadata.remove("resumable");
    assert_eq!(resumable.as_deref(), Some("true"), "a new token takes it up again");
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
