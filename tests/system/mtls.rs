//! The three services with TLS between them: each shows its certificate and acts in its own name only, people have their
//! tokens, and nothing of it is seen by a promotion.

use std::time::Duration;

use anyhow::{Context, Result};
use dev::authority::Issued;
use dev::client::{Endpoints, Session};
use dev::persona::Persona;
use dev::scene::Script;
use dev::stack::Plan;
use pb::operation::{ClaimOperationRunsRequest, OperationRunOutcome, OperationRunStatus};
use system_tests::reason;
use system_tests::story::Story;
use tonic::{Code, Status};

const TOKEN_TTL: Duration = Duration::from_secs(900);

#[tokio::test]
async fn a_promotion_runs_over_mutual_tls() -> Result<()> {
    let plan = Plan { tls: true, ..Plan::test().await? };
    let story = Story::begin(&Script::own(), plan).await?.synced().await?;
    let stack = &story.scene.stack;
    let certificates = stack.certificates.as_ref().context("the stack speaks TLS")?;
    // Taken up while the promotion runs, or before: it does not notice.
    for service in ["compare-service", "promotion-service", "operation-run-service"] {
        certificates.renew(service)?;
    }
    let run = story.promote(&story.selection()).await?;
    assert_eq!((run.status(), run.outcome()), (OperationRunStatus::Completed, OperationRunOutcome::Succeeded));
    assert_eq!(run.initiator_name, "Marco Manager", "the user's token went through all of them");
    assert!(run.summary_counts.context("a run has counts")?.created() > 0);

    let endpoints = stack.endpoints()?;
    let token = stack.issuer.mint_service("promotion-service", TOKEN_TTL)?;
    let plain = Endpoints {
        operation_run: endpoints.operation_run.replace("https://", "http://"),
        ca: None,
        ..endpoints.clone()
    };
    let status = claim(&Session::new(&plain, &token)?).await.unwrap_err();
    assert_eq!(reason(&status), "", "without TLS nobody answers: {status:?}");

    // The token of a service is worth nothing without its certificate.
    let shown = |service: &str| certificates.issue(service);
    let as_service = |own: &Issued| Session::with_certificate(&endpoints, &token, own);
    claim(&as_service(&shown("promotion-service")?)?).await?;
    for session in [as_service(&shown("compare-service")?)?, Session::new(&endpoints, &token)?] {
        let status = claim(&session).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unauthenticated, "SERVICE_CERTIFICATE_MISMATCH"),
            "{status:?}"
        );
    }
    // And a certificate makes no service of a person.
    let person = Session::with_certificate(&endpoints, &stack.token(Persona::Manager)?, &shown("promotion-service")?)?;
    let status = claim(&person).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");

    // Their keys are in their files and nowhere else.
    for process in stack.compare.iter().chain(&stack.promotion).chain(&stack.operation_run) {
        let log = std::fs::read_to_string(process.log())?;
        assert!(!log.is_empty(), "{} logs nothing", process.name());
        for key in certificates.keys()? {
            let secret = key.lines().nth(1).context("a key has a second line")?;
            assert!(!log.contains(secret) && !log.contains("PRIVATE KEY"), "{} logs a key", process.name());
        }
    }
    story.scene.close().await
}

/// Asks for work, as workers do.
async fn claim(session: &Session) -> Result<(), Status> {
    let request = ClaimOperationRunsRequest {
        worker: "a test".into(),
        types: vec!["promotion.execute".into()],
        max_runs: 1,
        ..Default::default()
    };
    session.worker().claim_operation_runs(request).await.map(|_| ())
}
