//! Going down.

use std::time::{Duration, Instant};

use server::failure::reason_of;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::running::{Running, eventually, issuer, stream, token, unary, with_token, within};

#[tokio::test]
async fn everything_ends_and_says_why() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--drain-grace", "300ms"]).await;
    let token = token(&issuer);
    let mut client = server.client();
    let mut open =
        async |line| client.watch_promotion_runs(with_token(stream(line), &token)).await.unwrap().into_inner();
    let (mut polite, mut silent) = (open("polite").await, open("silence").await);
    polite.message().await.unwrap();
    let mut health = HealthClient::new(server.channel());
    let watch = HealthCheckRequest { service: "readiness".into() };
    let mut readiness = health.watch(watch).await.unwrap().into_inner();
    assert_eq!(readiness.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let worker = server.chassis.spawn({
        let drain = server.chassis.drain_token();
        async move {
            drain.cancelled().await;
            "gave its work back"
        }
    });

    server.chassis.shutdown();
    let told = within("readiness changes", readiness.message()).await.unwrap().unwrap();
    assert_eq!(told.status(), ServingStatus::NotServing);
    // Until load balancers have looked away everything else goes on.
    assert_eq!(server.play("whoami", &token).await.unwrap(), "ada@example.com -");
    let check = HealthCheckRequest { service: "liveness".into() };
    assert_eq!(health.check(check).await.unwrap().get_ref().status(), ServingStatus::Serving);

    let last = within("the last cursor", polite.message()).await.unwrap().unwrap();
    assert_eq!(last.resume_token, "777", "a handler has its own last words");
    for (what, stream) in [("the polite stream", &mut polite), ("the silent stream", &mut silent)] {
        let status = within(what, stream.message()).await.unwrap_err();
        assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Unavailable, Some("DRAINING")), "{what}");
    }
    assert_eq!(within("the worker", worker).await.unwrap(), "gave its work back");
    within("the server", server.serving).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(server.grpc).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &["--drain-cap", "200ms"]).await;
    let token = token(&issuer);
    let stuck = tokio::spawn({
        let (mut client, request) = (server.client(), with_token(unary("forever"), &token));
        async move { client.execute_promotion(request).await }
    });
    eventually(
        "the stuck call is in work",
        || server.play("stuck", &token),
        |answer| answer.as_ref().is_ok_and(|count| count == "1"),
    )
    .await;
    let begun = Instant::now();
    server.chassis.shutdown();
    within("the server", server.serving).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    stuck.abort();
}

#[tokio::test]
async fn a_task_that_panics_takes_the_process_down_in_order() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    drop(server.chassis.spawn(async { panic!("a worker's bug") }));
    let error = within("the server", server.serving).await.unwrap().unwrap_err();
    assert!(format!("{error:?}").contains("panicked"), "{error:?}");
}
