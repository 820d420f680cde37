//! Tokens that are not good, with every method: the first of all answers, before the request is even read.

use anyhow::Result;
use dev::persona::Persona;
use dev::stack::Stack;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};
use system_tests::wire::{self, Directory};
use time::{Duration, OffsetDateTime};
use tonic::Code;

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_by_every_method() -> Result<()> {
    let scene = system_tests::scene().await?;
    let servers = Directory::of(&scene.stack.endpoints()?)?;
    let bad = bad_tokens(&scene.stack)?;
    for method in wire::methods().keys() {
        for Bad { what, headers, reason } in &bad {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = servers.server_of(method).call(method, &[], &headers).await?;
            let status = answer.status();
            let found = (status.code(), system_tests::reason(&status));
            assert_eq!(found, (Code::Unauthenticated, (*reason).to_owned()), "{method} with {what}: {status:?}");
        }
    }
    Ok(())
}

/// Headers that must not be enough, and why.
struct Bad {
    what: &'static str,
    headers: Vec<(&'static str, String)>,
    reason: &'static str,
}

fn bad_tokens(stack: &Stack) -> Result<Vec<Bad>> {
    let now = OffsetDateTime::now_utc();
    let at = |after: Duration| json!((now + after).unix_timestamp());
    let good = json!({
        "iss": stack.issuer.url(), "aud": "tenantatlas", "sub": Persona::Owner.subject(), "name": "Olivia Owner",
        "iat": at(-Duration::MINUTE), "nbf": at(-Duration::MINUTE), "exp": at(Duration::HOUR),
    });
    let signed = |claim: &str, value: Value| -> Result<String> {
        let mut claims = good.clone();
        claims[claim] = value;
        stack.issuer.sign(Header::new(Algorithm::EdDSA), &claims)
    };
    let unknown_key = Header { kid: Some("nobody knows this key".into()), ..Header::new(Algorithm::EdDSA) };
    let owner = stack.token(Persona::Owner)?;
    let tampered = owner.rsplit_once('.').map(|(claims, signature)| format!("{claims}.{}", reversed(signature)));
    let tokens = [
        ("an expired token", signed("exp", at(-Duration::HOUR))?, "TOKEN_EXPIRED"),
        ("a token of tomorrow", signed("nbf", at(Duration::DAY))?, "TOKEN_INVALID"),
        ("a token for somebody else", signed("aud", json!("another-api"))?, "TOKEN_INVALID"),
        ("a token of another issuer", signed("iss", json!("https://elsewhere.example"))?, "TOKEN_INVALID"),
        ("a token without an end", signed("exp", Value::Null)?, "TOKEN_INVALID"),
        ("a token of an unknown key", stack.issuer.sign(unknown_key, &good)?, "TOKEN_INVALID"),
        ("a token signed by itself", tampered.unwrap_or_default(), "TOKEN_INVALID"),
        ("no token at all", "not.a.token".to_owned(), "TOKEN_INVALID"),
    ];
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let mut bad: Vec<Bad> =
        tokens.into_iter().map(|(what, token, reason)| Bad { what, headers: vec![bearer(&token)], reason }).collect();
    bad.push(Bad { what: "nothing", headers: Vec::new(), reason: "TOKEN_MISSING" });
    bad.push(Bad {
        what: "another scheme",
        headers: vec![("authorization", format!("Basic {owner}"))],
        reason: "TOKEN_MISSING",
    });
    // A person is no service, whoever passes the token on.
    bad.push(Bad {
        what: "a person as the service",
        headers: vec![bearer(&owner), ("x-tenantatlas-service", format!("Bearer {owner}"))],
        reason: "SERVICE_TOKEN_INVALID",
    });
    Ok(bad)
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}
