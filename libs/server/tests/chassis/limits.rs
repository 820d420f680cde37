//! Deadlines, room, sizes.

use std::time::{Duration, Instant};

use server::failure::{reason_of, retry_delay_of};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::issuer::PersonaClaims;
use crate::running::{Running, eventually, issuer, sought, stream, token, unary, with_token, within};
use crate::wire::{self, STREAM, UNARY};

fn told(status: &Status) -> (Code, String) {
    (status.code(), reason_of(status).unwrap_or_default())
}

#[tokio::test]
async fn a_deadline_answers_by_its_own_name() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let bearer = format!("Bearer {}", token(&issuer));
    // Often: tonic has a timer of its own for the same header, which answers CANCELLED.
    for timeout in ["1m", "7m", "20000u", "50m"].repeat(8) {
        let headers = [("authorization", bearer.as_str()), ("grpc-timeout", timeout)];
        let seen = within("the deadline", wire::call(server.grpc, UNARY, &headers, &unary("forever"))).await;
        assert_eq!(told(&seen.status()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".into()), "{timeout}");
    }
}

#[tokio::test]
async fn a_deadline_covers_the_stream() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let bearer = format!("Bearer {}", token(&issuer));
    let headers = [("authorization", bearer.as_str()), ("grpc-timeout", "500m")];
    for line in ["ticks", "silence"] {
        let begun = Instant::now();
        let seen = within("the deadline", wire::call(server.grpc, STREAM, &headers, &stream(line))).await;
        assert_eq!(told(&seen.status()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".into()));
        assert!(begun.elapsed() >= Duration::from_millis(450), "it ended after {:?}", begun.elapsed());
        assert_eq!(seen.body.is_empty(), line == "silence", "what was sent before the deadline arrived");
        assert!(seen.trailers.contains_key("grpc-status"), "it ended in trailers, not by a broken stream");
    }
}

#[tokio::test]
async fn a_call_without_a_deadline_gets_one_and_a_long_one_is_cut() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--default-deadline", "10s", "--max-deadline", "20s"]).await;
    let bearer = format!("Bearer {}", token(&issuer));
    let left = async |timeout: Option<&str>| {
        let headers = [("authorization", bearer.as_str()), ("grpc-timeout", timeout.unwrap_or("nonsense"))];
        let seen = wire::call(server.grpc, UNARY, &headers, &unary("deadline")).await;
        let answer: pb::promotion::ExecutePromotionResponse = prost::Message::decode(&seen.body[5..]).unwrap();
        answer.message.parse::<u64>().unwrap()
    };
    assert!((5_000..10_000).contains(&left(None).await));
    assert!((15_000..20_000).contains(&left(Some("1H")).await));
    assert!(left(Some("3S")).await < 3_000);
}

#[tokio::test]
async fn a_full_house_refuses_at_once_and_says_when_to_come_back() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--max-requests", "1"]).await;
    let token = token(&issuer);
    let held = tokio::spawn({
        let (mut client, token) = (server.client(), token.clone());
        // It may itself find the place taken by one of those that look for it.
        async move { while client.execute_promotion(with_token(unary("forever"), &token)).await.is_err() {} }
    });
    let ask = || server.play("whoami", &token);
    let status = sought("the house is full", ask, Result::is_err).await.unwrap_err();
    assert_eq!(told(&status), (Code::ResourceExhausted, "OVERLOADED".into()));
    assert!(retry_delay_of(&status).is_some());
    // Streams have a room of their own, and a busy process is alive.
    let request = with_token(stream("ticks"), &token);
    server.client().watch_promotion_runs(request).await.unwrap().into_inner().message().await.unwrap();
    let check = Request::new(HealthCheckRequest { service: "liveness".into() });
    HealthClient::new(server.channel()).check(check).await.unwrap();
    // A caller that leaves gives its place back.
    held.abort();
    eventually("there is room again", ask, Result::is_ok).await;
}

#[tokio::test]
async fn streams_are_counted_until_they_end() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--max-streams-per-caller", "2", "--max-streams", "3"]).await;
    let ada = token(&issuer);
    let of = |who: &str| {
        let persona = PersonaClaims { sub: who.into(), name: who.into() };
        issuer.mint(&persona, Duration::from_secs(60)).unwrap()
    };
    let open = |token: &str| {
        let (mut client, request) = (server.client(), with_token(stream("ticks"), token));
        async move { client.watch_promotion_runs(request).await.map(tonic::Response::into_inner) }
    };
    let mut first = open(&ada).await.unwrap();
    let second = open(&ada).await.unwrap();
    // Its headers are long sent; it still counts.
    first.message().await.unwrap();
    assert_eq!(told(&open(&ada).await.unwrap_err()), (Code::ResourceExhausted, "TOO_MANY_STREAMS".into()));
    let _bob = open(&of("bob")).await.unwrap();
    assert_eq!(told(&open(&of("eve")).await.unwrap_err()), (Code::ResourceExhausted, "OVERLOADED".into()));
    drop((first, second));
    eventually("the places are free again", || open(&ada), Result::is_ok).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_says_so() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--max-request-bytes", "1000"]).await;
    let status = server.play(&"x".repeat(1001), &token(&issuer)).await.unwrap_err();
    assert_eq!(told(&status), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".into()));
}

#[tokio::test]
async fn connections_are_limited() {
    use tokio::io::AsyncReadExt as _;
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--max-connections", "1"]).await;
    let (mut client, token) = (server.client(), token(&issuer));
    client.execute_promotion(with_token(unary("whoami"), &token)).await.unwrap();
    let mut second = tokio::net::TcpStream::connect(server.grpc).await.unwrap();
    // Closed without a word; some systems say so by a reset.
    let read = within("the second connection is closed", second.read(&mut [0; 1])).await;
    assert!(matches!(read, Ok(0) | Err(_)));
    client.execute_promotion(with_token(unary("whoami"), &token)).await.unwrap();
}
