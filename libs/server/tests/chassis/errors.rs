//! What goes wrong inside, and how it looks from outside.

use server::failure::reason_of;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::running::{Running, issuer, stream, token, unary};
use crate::wire::{self, STREAM, UNARY};

fn told(status: &Status) -> (Code, String) {
    (status.code(), reason_of(status).unwrap_or_default())
}

#[tokio::test]
async fn a_panic_is_one_calls_trouble() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let bearer = format!("Bearer {}", token(&issuer));
    let headers = [("authorization", bearer.as_str())];
    for (path, seen) in [
        (UNARY, wire::call(server.grpc, UNARY, &headers, &unary("panic over my password")).await),
        (STREAM, wire::call(server.grpc, STREAM, &headers, &stream("panic")).await),
    ] {
        let status = seen.status();
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"), "{path}");
        assert!(!String::from_utf8_lossy(status.details()).contains("password"));
        assert!(!status.get_details_error_info().unwrap().metadata["trace_id"].is_empty());
    }
    assert_eq!(server.play("whoami", &token(&issuer)).await.unwrap(), "ada@example.com -");
}

#[tokio::test]
async fn an_internal_error_shows_the_trace_it_belongs_to() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let bearer = format!("Bearer {}", token(&issuer));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("authorization", bearer.as_str()), ("traceparent", &parent), ("x-request-id", "ticket-42")];
    for line in ["broken table users has no column x", "raw table users has no column x"] {
        let seen = wire::call(server.grpc, UNARY, &headers, &unary(line)).await;
        let status = seen.status();
        assert_eq!(told(&status), (Code::Internal, "INTERNAL".into()));
        assert_eq!(status.get_details_error_info().unwrap().metadata["trace_id"], trace);
        assert!(!status.message().contains("users"));
        assert_eq!(seen.header("x-request-id"), "ticket-42");
        assert!(seen.header("traceparent").contains(trace), "{}", seen.header("traceparent"));
        assert!(!seen.header("traceparent").contains("00f067aa0ba902b7"), "the server's own span is what is shown");
    }
}

#[tokio::test]
async fn request_ids_are_made_where_they_are_missing_or_unusable() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let long = "x".repeat(129);
    for given in ["", "with space", &long] {
        let seen = wire::call(server.grpc, UNARY, &[("x-request-id", given)], &unary("whoami")).await;
        assert_eq!(seen.header("x-request-id").len(), 36, "{given:?}, also on a refusal");
    }
}

#[tokio::test]
async fn what_is_hidden_has_always_the_same_bytes() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let bearer = format!("Bearer {}", token(&issuer));
    let mut answers = Vec::new();
    for _ in 0..3 {
        let seen = wire::call(server.grpc, UNARY, &[("authorization", bearer.as_str())], &unary("hidden")).await;
        let of = |name: &str| seen.header(name).to_owned();
        answers.push((of("grpc-status"), of("grpc-message"), of("grpc-status-details-bin"), seen.body.clone()));
    }
    assert_eq!(answers[0].0, "5");
    assert!(!answers[0].2.is_empty());
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn the_librarys_own_errors_carry_a_reason_too() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let bearer = format!("Bearer {}", token(&issuer));
    let headers = [("authorization", bearer.as_str())];
    for path in ["/tenantatlas.promotion.v1.PromotionService/Nothing", "/nothing.Here/AtAll", "/"] {
        let status = wire::call(server.grpc, path, &headers, &unary("")).await.status();
        assert_eq!(told(&status), (Code::Unimplemented, "METHOD_UNKNOWN".into()), "{path}");
    }
    let status = wire::call_with_bytes(server.grpc, UNARY, &headers, &[0xff; 7]).await.status();
    assert_eq!(told(&status), (Code::InvalidArgument, "REQUEST_MALFORMED".into()));
    let status = wire::call(server.grpc, "/nothing.Here/AtAll", &[], &unary("")).await.status();
    assert_eq!(told(&status).0, Code::Unauthenticated, "who is unknown does not learn what exists");
}

#[tokio::test]
async fn details_reach_the_caller() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let status = server.play("gate nothing is ready", &token(&issuer)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "nothing is ready"));
    let info = status.get_error_details().error_info().cloned().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("NOTHING_READY", "tenantatlas"));
}
