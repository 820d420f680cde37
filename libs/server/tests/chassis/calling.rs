//! One service calls another.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pb::promotion::promotion_service_client::PromotionServiceClient;
use server::client::{RetryPolicy, Upstream, retry};
use server::failure::reason_of;
use tonic::{Code, Request};

use crate::issuer::Issuer;
use crate::running::{Running, chassis, eventually, issuer, sought, stream, token, unary, within};
use crate::script::Script;
use crate::wire;

const IDENTITY: [&str; 4] = ["--client-id", "promotion-service", "--client-secret", "hunter2"];

/// A server that asks another one, which is at these endpoints.
async fn in_front_of(issuer: &Issuer, endpoints: &str) -> (Running, Upstream) {
    let front = chassis(issuer, &IDENTITY);
    let upstream = front.upstream("compare-service", endpoints).unwrap();
    (Running::serve(front.clone(), Script::new(front, Some(upstream.clone()))).await, upstream)
}

#[tokio::test]
async fn identity_is_passed_on_and_added() {
    let issuer = issuer().await;
    let back = Running::start(&issuer, &[]).await;
    let (front, upstream) = in_front_of(&issuer, &back.url()).await;
    let ada = token(&issuer);
    for _ in 0..3 {
        assert_eq!(front.play("ask whoami", &ada).await.unwrap(), "ada@example.com promotion-service");
    }
    let mut itself = PromotionServiceClient::new(upstream.as_self());
    let answer = itself.execute_promotion(unary("whoami")).await.unwrap().into_inner();
    assert_eq!(answer.message, "- promotion-service");
    assert_eq!(issuer.token_requests(), 1, "one token serves all calls");
    let bearer = format!("Bearer {ada}");
    let headers = [("authorization", bearer.as_str()), ("x-request-id", "ticket-42")];
    let seen = wire::call(front.grpc, wire::UNARY, &headers, &unary("ask request-id")).await;
    assert!(String::from_utf8_lossy(&seen.body).contains("ticket-42"));
}

#[tokio::test]
async fn answers_come_back_unchanged() {
    let issuer = issuer().await;
    let back = Running::start(&issuer, &[]).await;
    let (front, _) = in_front_of(&issuer, &back.url()).await;
    let ada = token(&issuer);
    for line in ["gate nothing is ready", "hidden"] {
        let direct = back.play(line, &ada).await.unwrap_err();
        let through = front.play(&format!("ask {line}"), &ada).await.unwrap_err();
        assert_eq!(
            (through.code(), through.message(), through.details()),
            (direct.code(), direct.message(), direct.details())
        );
    }
    let status = front.play("ask broken secret", &ada).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Internal, Some("INTERNAL")));
}

#[tokio::test]
async fn the_deadline_shrinks_from_hop_to_hop() {
    let issuer = issuer().await;
    let back = Running::start(&issuer, &[]).await;
    let (front, upstream) = in_front_of(&issuer, &back.url()).await;
    let bearer = format!("Bearer {}", token(&issuer));
    let headers = |timeout| [("authorization", bearer.as_str()), ("grpc-timeout", timeout)];
    let seen = wire::call(front.grpc, wire::UNARY, &headers("5S"), &unary("ask deadline")).await;
    let answer: pb::promotion::ExecutePromotionResponse = prost::Message::decode(&seen.body[5..]).unwrap();
    assert!(answer.message.parse::<u64>().unwrap() < 4_995, "{}", answer.message);
    let seen = wire::call(front.grpc, wire::UNARY, &headers("300m"), &unary("ask forever")).await;
    assert_eq!(seen.status().code(), Code::DeadlineExceeded);

    // The caller's side keeps it too, by its own name, also over a stream.
    let mut itself = PromotionServiceClient::new(upstream.as_self());
    let mut request = Request::new(unary("forever"));
    request.set_timeout(Duration::from_millis(200));
    assert_eq!(itself.execute_promotion(request).await.unwrap_err().code(), Code::DeadlineExceeded);
    let mut request = Request::new(stream("ticks"));
    request.set_timeout(Duration::from_millis(300));
    let mut ticks = itself.watch_promotion_runs(request).await.unwrap().into_inner();
    let status = within("the stream ends", async {
        loop {
            if let Err(status) = ticks.message().await {
                return status;
            }
        }
    })
    .await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn services_start_in_any_order_and_a_broken_connection_has_one_name() {
    let issuer = issuer().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let (front, _) = in_front_of(&issuer, &format!("http://{address}")).await;
    let ada = token(&issuer);
    let begun = Instant::now();
    let status = front.play("ask whoami", &ada).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Unavailable, Some("UPSTREAM_UNAVAILABLE")));
    assert!(begun.elapsed() < Duration::from_secs(5), "it failed after {:?}", begun.elapsed());

    let back = Running::start(&issuer, &["--listen", &address, "--drain-cap", "100ms"]).await;
    eventually("the other one has come up", || front.play("ask whoami", &ada), Result::is_ok).await;
    back.chassis.shutdown();
    within("it goes down", back.serving).await.unwrap().unwrap();
    let unavailable = |answer: &Result<String, tonic::Status>| {
        answer.as_ref().is_err_and(|status| {
            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
            true
        })
    };
    eventually("it is noticed", || front.play("ask whoami", &ada), unavailable).await;
}

#[tokio::test]
async fn a_dead_replica_is_left_out() {
    let issuer = issuer().await;
    let first = Running::start(&issuer, &["--drain-cap", "100ms"]).await;
    let second = Running::start(&issuer, &[]).await;
    let never = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoints = format!("{},{},http://{never}", first.url(), second.url());
    let (_front, upstream) = in_front_of(&issuer, &endpoints).await;
    let calls = AtomicU32::new(0);
    let call = || async {
        calls.fetch_add(1, Ordering::SeqCst);
        PromotionServiceClient::new(upstream.as_self()).execute_promotion(unary("whoami")).await
    };
    // Until the first look the one that never was is tried too; retries hide it, and soon it is out.
    retry(RetryPolicy::default(), call).await.unwrap();
    let steady = async || {
        for _ in 0..30 {
            if call().await.is_err() {
                return false;
            }
        }
        true
    };
    eventually("the one that never was is out", &steady, |good| *good).await;
    first.chassis.shutdown();
    within("the first goes down", first.serving).await.unwrap().unwrap();
    eventually("the one that died is out", &steady, |good| *good).await;
    assert!(calls.load(Ordering::SeqCst) > 60);
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew() {
    let issuer = issuer().await;
    let back = Running::start(&issuer, &["--oidc-jwks-cooldown", "0ms", "--oidc-jwks-ttl", "50ms"]).await;
    let (_front, upstream) = in_front_of(&issuer, &back.url()).await;
    let ask = || async { PromotionServiceClient::new(upstream.as_self()).execute_promotion(unary("whoami")).await };
    ask().await.unwrap();
    issuer.rotate().unwrap();
    issuer.withdraw_old_keys().unwrap();
    let refused = sought("the old token is refused", ask, Result::is_err).await.unwrap_err();
    assert_eq!(reason_of(&refused).as_deref(), Some("SERVICE_TOKEN_INVALID"), "nobody takes it for the caller's token");
    eventually("a new one is fetched", ask, Result::is_ok).await;
    assert!(issuer.token_requests() >= 2);
}

#[tokio::test]
async fn a_slow_renewal_of_the_own_token_delays_no_call() {
    let issuer = issuer().await;
    let back = Running::start(&issuer, &[]).await;
    let (_front, upstream) = in_front_of(&issuer, &back.url()).await;
    let ttl = Duration::from_secs(5);
    issuer.set_service_token_ttl(ttl);
    let ask = async || PromotionServiceClient::new(upstream.as_self()).execute_promotion(unary("whoami")).await;
    ask().await.unwrap();
    issuer.set_slow(Duration::from_secs(60));
    let begun = Instant::now();
    while issuer.token_requests() < 2 {
        ask().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "nobody renews");
    }
    assert!(begun.elapsed() < ttl, "a call waited for the new token: {:?}", begun.elapsed());
}

#[tokio::test]
async fn callers_whose_time_is_up_do_not_begin_the_fetch_of_the_own_token_again() {
    let issuer = issuer().await;
    let back = Running::start(&issuer, &[]).await;
    let (front, _) = in_front_of(&issuer, &back.url()).await;
    issuer.set_slow(Duration::from_secs(1));
    // The keys are there; the own token is not.
    let ada = token(&issuer);
    within("the keys", front.play("whoami", &ada)).await.unwrap();
    let bearer = format!("Bearer {ada}");
    let headers = [("authorization", bearer.as_str()), ("grpc-timeout", "50m")];
    for _ in 0..5 {
        let seen = wire::call(front.grpc, wire::UNARY, &headers, &unary("ask whoami")).await;
        assert_eq!(seen.status().code(), Code::DeadlineExceeded);
    }
    eventually("the token is there", || front.play("ask whoami", &ada), Result::is_ok).await;
    assert_eq!(issuer.token_requests(), 1);
}

#[tokio::test]
async fn without_an_identity_of_its_own_a_service_says_so() {
    let issuer = issuer().await;
    let back = Running::start(&issuer, &[]).await;
    let nobody = chassis(&issuer, &[]);
    let upstream = nobody.upstream("compare-service", &back.url()).unwrap();
    let status = PromotionServiceClient::new(upstream.as_self()).execute_promotion(unary("whoami")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(nobody.upstream("compare-service", "localhost:1").is_err());
    // And on behalf of somebody it passes on what it has.
    let front = Running::serve(nobody.clone(), Script::new(nobody, Some(upstream))).await;
    assert_eq!(front.play("ask whoami", &token(&issuer)).await.unwrap(), "ada@example.com -");
}
