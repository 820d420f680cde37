//! What tools and browsers find: reflection, health, metrics, gRPC-Web.

use std::collections::BTreeSet;

use pb::promotion::ExecutePromotionResponse;
use prost::Message as _;
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::running::{Running, eventually, issuer, sought, token, unary};
use crate::wire::UNARY;

#[tokio::test]
async fn reflection_lists_what_is_served_and_knows_the_details_of_errors() {
    use v1::server_reflection_request::MessageRequest as Ask;
    use v1::server_reflection_response::MessageResponse as Told;
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let asked = [
        Ask::ListServices(String::new()),
        Ask::FileContainingSymbol("google.rpc.ErrorInfo".into()),
        Ask::FileContainingSymbol("tenantatlas.promotion.v1.PromotionService".into()),
    ];
    let asked = asked.map(|ask| v1::ServerReflectionRequest { host: String::new(), message_request: Some(ask) });
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(server.channel());
    let answers = client.server_reflection_info(tokio_stream::iter(asked)).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(|answer| answer.unwrap().message_response.unwrap()).collect().await;
    let [Told::ListServicesResponse(list), error_info, own] = &answers[..] else { panic!("{} answers", answers.len()) };
    assert!(matches!(error_info, Told::FileDescriptorResponse(_)), "the details of errors cannot be decoded");
    assert!(matches!(own, Told::FileDescriptorResponse(_)));
    let services: BTreeSet<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(
        services,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "tenantatlas.promotion.v1.PromotionService",
        ]
        .into()
    );

    // The version that grpcurl speaks.
    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::ListServices(String::new())),
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(server.channel());
    let mut answers = client.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    assert!(answers.next().await.unwrap().is_ok());
}

#[tokio::test]
async fn health_has_a_name_for_every_question() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let check = |service: &'static str| {
        let mut client = HealthClient::new(server.channel());
        async move { client.check(HealthCheckRequest { service: service.into() }).await.map(|a| a.get_ref().status()) }
    };
    let names = ["", "readiness", "liveness", "tenantatlas.promotion.v1.PromotionService"];
    for name in names {
        let serving = |answer: &Result<ServingStatus, _>| *answer.as_ref().unwrap() == ServingStatus::Serving;
        eventually(name, || check(name), serving).await;
    }
    assert_eq!(check("nothing").await.unwrap_err().code(), Code::NotFound);

    let ready = || async { reqwest::get(format!("http://{}/readyz", server.admin)).await.unwrap().status() };
    assert_eq!(ready().await, 200);
    server.chassis.readiness().set(false);
    for name in &names[..2] {
        let serving = |answer: &Result<ServingStatus, _>| *answer.as_ref().unwrap() == ServingStatus::NotServing;
        eventually(name, || check(name), serving).await;
    }
    assert_eq!(ready().await, 503);
    assert_eq!(check("liveness").await.unwrap(), ServingStatus::Serving);
    assert_eq!(reqwest::get(format!("http://{}/healthz", server.admin)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn metrics_have_labels_that_nobody_can_invent() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let token = token(&issuer);
    server.play("whoami", &token).await.unwrap();
    server.play("hidden", &token).await.unwrap_err();
    crate::wire::call(server.grpc, "/scanner.Was/Here", &[], &unary("")).await;
    let url = format!("http://{}/metrics", server.admin);
    let text = || async { reqwest::get(&url).await.unwrap().text().await.unwrap() };
    let series = |text: &str, method: &str, code: &str| {
        text.lines().any(|line| {
            line.starts_with("rpc_server_call_duration_seconds_count")
                && line.contains(&format!("rpc_method=\"{method}\""))
                && line.contains(&format!("rpc_response_status_code=\"{code}\""))
        })
    };
    let method = UNARY.trim_start_matches('/');
    let text = sought("the calls are counted", text, |text| {
        series(text, method, "OK") && series(text, method, "NOT_FOUND") && series(text, "_OTHER", "UNAUTHENTICATED")
    })
    .await;
    assert!(!text.contains("scanner"), "{text}");
    let hidden = text.lines().find(|line| line.starts_with("rpc_server") && line.contains("NOT_FOUND")).unwrap();
    assert!(!hidden.contains("error_type"), "an answer is no error: {hidden}");
}

#[tokio::test]
async fn browsers_can_call() {
    let issuer = issuer().await;
    let server = Running::start(&issuer, &[]).await;
    let url = format!("{}{UNARY}", server.url());
    let http = reqwest::Client::new();
    let preflight = http
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", "https://dashboard.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,grpc-timeout,x-grpc-web,traceparent")
        .send()
        .await
        .unwrap();
    assert!(preflight.status().is_success());
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(allowed.contains("authorization") && allowed.contains("grpc-timeout"), "{allowed}");

    let call = |line: &str, token: String| {
        let message = unary(line).encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        http.post(&url)
            .header("origin", "https://dashboard.example")
            .header("content-type", "application/grpc-web+proto")
            .header("x-grpc-web", "1")
            .header("authorization", format!("Bearer {token}"))
            .body([&[0], &length[..], &message].concat())
            .send()
    };
    let answer = call("whoami", token(&issuer)).await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap().to_owned();
    assert!(exposed.contains("grpc-status-details-bin"), "{exposed}");
    let body = answer.bytes().await.unwrap();
    let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    assert_eq!(ExecutePromotionResponse::decode(&body[5..5 + length]).unwrap().message, "ada@example.com -");
    let trailers = String::from_utf8_lossy(&body[5 + length..]).into_owned();
    assert!(trailers.contains("grpc-status:0"), "{trailers}");

    let refused = call("whoami", "x".into()).await.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "16", "errors come as headers that CORS exposes");
}
