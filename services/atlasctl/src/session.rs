//! The services as the caller sees them: where they are, the token and the request id on every call, deadlines, and trying
//! again where that is safe.

use std::time::Duration;

use pb::audit::audit_service_client::AuditServiceClient;
use pb::backup::backup_service_client::BackupServiceClient;
use pb::compare::compare_service_client::CompareServiceClient;
use pb::control::operational_control_service_client::OperationalControlServiceClient;
use pb::directory::directory_service_client::DirectoryServiceClient;
use pb::inventory::inventory_service_client::InventoryServiceClient;
use pb::notification::notification_service_client::NotificationServiceClient;
use pb::operation::operation_run_service_client::OperationRunServiceClient;
use pb::promotion::promotion_service_client::PromotionServiceClient;
use pb::restore::restore_service_client::RestoreServiceClient;
use pb::tenant::tenant_service_client::TenantServiceClient;
use pb::workspace::workspace_service_client::WorkspaceServiceClient;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;
use url::{Host, Url};

use crate::ambient;
use crate::context::Context;
use crate::failure::Failure;
use crate::token::{Token, TokenSource};

/// Room for a page of the largest size.
const MESSAGE_LIMIT: usize = 16 << 20;
/// Tries of one call.
const ATTEMPTS: u32 = 4;
/// The longest wait before the second try; it doubles from try to try.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// One service of the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Compare,
    Promotion,
    OperationRun,
}

impl Service {
    /// The option that names its endpoint.
    const fn option(self) -> &'static str {
        match self {
            Self::Compare => "--compare",
            Self::Promotion => "--promotion",
            Self::OperationRun => "--operation-run",
        }
    }
}

/// The caller's connection to an installation.
pub(crate) struct Session {
    context: Context,
    source: TokenSource,
    token: Option<Token>,
    ca: Option<Certificate>,
    timeout: Duration,
}

impl Session {
    /// Reads the token and what is to be trusted; connects when first used.
    pub(crate) async fn open(context: Context, source: TokenSource, timeout: Duration) -> Result<Self, Failure> {
        let ca = match &context.ca_file {
            None => None,
            Some(file) => {
                let pem = std::fs::read(file)
                    .map_err(|error| Failure::new(format!("cannot read the CA file {}: {error}", file.display())))?;
                Some(Certificate::from_pem(pem))
            }
        };
        let token = source.token().await?;
        Ok(Self { context, source, token, ca, timeout })
    }

    /// The token in use.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Reads the token again; whether it is another one now.
    pub(crate) async fn renew_token(&mut self) -> Result<bool, Failure> {
        let fresh = self.source.token().await?;
        let renewed = fresh != self.token;
        self.token = fresh;
        Ok(renewed)
    }

    /// WorkspaceService.
    pub(crate) fn workspaces(&self) -> Result<WorkspaceServiceClient<Channel>, Failure> {
        Ok(WorkspaceServiceClient::new(self.channel(Service::Compare)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// TenantService.
    pub(crate) fn tenants(&self) -> Result<TenantServiceClient<Channel>, Failure> {
        Ok(TenantServiceClient::new(self.channel(Service::Compare)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// InventoryService.
    pub(crate) fn inventory(&self) -> Result<InventoryServiceClient<Channel>, Failure> {
        Ok(InventoryServiceClient::new(self.channel(Service::Compare)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// CompareService.
    pub(crate) fn compare(&self) -> Result<CompareServiceClient<Channel>, Failure> {
        Ok(CompareServiceClient::new(self.channel(Service::Compare)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// PromotionService.
    pub(crate) fn promotions(&self) -> Result<PromotionServiceClient<Channel>, Failure> {
        Ok(PromotionServiceClient::new(self.channel(Service::Promotion)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// OperationRunService.
    pub(crate) fn runs(&self) -> Result<OperationRunServiceClient<Channel>, Failure> {
        Ok(OperationRunServiceClient::new(self.channel(Service::OperationRun)?)
            .max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// AuditService.
    pub(crate) fn audit(&self) -> Result<AuditServiceClient<Channel>, Failure> {
        Ok(AuditServiceClient::new(self.channel(Service::OperationRun)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// BackupService.
    pub(crate) fn backups(&self) -> Result<BackupServiceClient<Channel>, Failure> {
        Ok(BackupServiceClient::new(self.channel(Service::Compare)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// RestoreService.
    pub(crate) fn restores(&self) -> Result<RestoreServiceClient<Channel>, Failure> {
        Ok(RestoreServiceClient::new(self.channel(Service::Compare)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// DirectoryService.
    pub(crate) fn directory(&self) -> Result<DirectoryServiceClient<Channel>, Failure> {
        Ok(DirectoryServiceClient::new(self.channel(Service::Compare)?).max_decoding_message_size(MESSAGE_LIMIT))
    }

    /// OperationalControlService.
    pub(crate) fn controls(&self) -> Result<OperationalControlServiceClient<Channel>, Failure> {
        Ok(OperationalControlServiceClient::new(self.channel(Service::OperationRun)?))
    }

    /// NotificationService.
    pub(crate) fn notifications(&self) -> Result<NotificationServiceClient<Channel>, Failure> {
        Ok(NotificationServiceClient::new(self.channel(Service::OperationRun)?))
    }

    /// A unary call that may be repeated: a read, or a change with a request id of its own. Tried again while the service
    /// is away, within the deadline.
    pub(crate) async fn call<Q, A, F>(&self, question: Q, call: impl Fn(Request<Q>) -> F) -> Result<A, Failure>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let deadline = Instant::now() + self.timeout;
        let request_id = ambient::fresh_id();
        let mut tried = 1;
        loop {
            let mut request = self.request(question.clone(), &request_id)?;
            request.set_timeout(deadline.saturating_duration_since(Instant::now()));
            let status = match timeout_at(deadline, call(request)).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => status,
                Err(_elapsed) => Status::deadline_exceeded(format!("no answer within {:?}", self.timeout)),
            };
            let wait = wait_after(tried, &status).map(|wait| wait.0 + ambient::jitter(wait.1));
            match wait {
                Some(wait) if Instant::now() + wait < deadline => sleep(wait).await,
                _ => return Err(Failure::of_status(&status, &request_id)),
            }
            tried += 1;
        }
    }

    /// A request with the caller's token and the id by which support finds it.
    pub(crate) fn request<Q>(&self, question: Q, request_id: &str) -> Result<Request<Q>, Failure> {
        let mut request = Request::new(question);
        let metadata = request.metadata_mut();
        if let Some(token) = &self.token {
            metadata.insert("authorization", token.header()?);
        }
        if let Ok(id) = request_id.parse() {
            metadata.insert("x-request-id", id);
        }
        Ok(request)
    }

    fn channel(&self, service: Service) -> Result<Channel, Failure> {
        let given = match service {
            Service::Compare => &self.context.compare,
            Service::Promotion => &self.context.promotion,
            Service::OperationRun => &self.context.operation_run,
        };
        let option = service.option();
        let Some(url) = given else {
            return Err(Failure::with_fix(
                format!("nothing says where the service of {option} is"),
                format!("atlasctl context set NAME {option} https://HOST:PORT"),
            ));
        };
        let encrypted = is_encrypted(url, self.context.allow_plaintext == Some(true))
            .map_err(|why| Failure::with_fix(format!("{option} {url}: {why}"), "atlasctl context set NAME --help"))?;
        let unusable = |error: tonic::transport::Error| Failure::new(format!("{option} {url}: {error}"));
        let mut endpoint = Endpoint::from_shared(url.clone())
            .map_err(unusable)?
            .connect_timeout(Duration::from_secs(5))
            .tcp_nodelay(true)
            // A connection that swallows packets must not look like a quiet stream.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .user_agent(concat!("atlasctl/", env!("CARGO_PKG_VERSION")))
            .map_err(unusable)?;
        if encrypted {
            let mut tls = ClientTlsConfig::new().with_enabled_roots();
            if let Some(ca) = &self.ca {
                tls = tls.ca_certificate(ca.clone());
            }
            endpoint = endpoint.tls_config(tls).map_err(unusable)?;
        }
        Ok(endpoint.connect_lazy())
    }
}

/// Whether the URL is of a service at all, and whether a token may go there as it is.
pub(crate) fn is_encrypted(url: &str, allow_plaintext: bool) -> Result<bool, String> {
    let parsed = Url::parse(url).map_err(|_| "is no URL such as https://host:port".to_owned())?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("must not carry a password".to_owned());
    }
    match parsed.scheme() {
        "https" => Ok(true),
        "http" if allow_plaintext || is_loopback(&parsed) => Ok(false),
        "http" => {
            Err("a token would travel unencrypted to another machine; use https, or --allow-plaintext".to_owned())
        }
        _ => Err("is no URL such as https://host:port".to_owned()),
    }
}

/// A unary call of one of the session's clients: `call!(session, tenants.get_tenant, request)?`.
macro_rules! call {
    ($session:expr, $client:ident.$method:ident, $request:expr) => {{
        let client = $session.$client()?;
        let call = |request| {
            let mut client = client.clone();
            async move { client.$method(request).await }
        };
        $session.call($request, call).await
    }};
}
pub(crate) use call;

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// How long to wait after try number `tried` (from 1) failed: what the service asked for, and the ceiling of the jitter on
/// top; `None` to give up.
fn wait_after(tried: u32, status: &Status) -> Option<(Duration, Duration)> {
    if tried >= ATTEMPTS || !is_passing(status) {
        return None;
    }
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay).unwrap_or_default();
    Some((asked, FIRST_WAIT * (1 << (tried - 1))))
}

/// Whether trying again may help. A cut connection has several names; an answer of a service has a reason, and then its code
/// says what it is.
pub(crate) fn is_passing(status: &Status) -> bool {
    let cut = status.details().is_empty() && matches!(status.code(), Code::Cancelled | Code::Unknown | Code::Internal);
    status.code() == Code::Unavailable || cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_unencrypted_to_this_machine_only() {
        for (url, allowed, encrypted) in [
            ("https://atlas.example:443", false, Some(true)),
            ("http://127.0.0.1:50051", false, Some(false)),
            ("http://[::1]:50051", false, Some(false)),
            ("http://localhost:50051", false, Some(false)),
            ("http://localhost.evil.example", false, None),
            ("http://10.0.0.7:50051", false, None),
            ("http://10.0.0.7:50051", true, Some(false)),
            ("atlas.example:443", true, None),
            ("https://u:p@atlas.example", true, None),
        ] {
            assert_eq!(is_encrypted(url, allowed).ok(), encrypted, "{url}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_not_for_ever() {
        let away = Status::unavailable("");
        assert_eq!(wait_after(1, &away), Some((Duration::ZERO, Duration::from_millis(100))));
        assert_eq!(wait_after(3, &away), Some((Duration::ZERO, Duration::from_millis(400))));
        assert_eq!(wait_after(4, &away), None);
        assert!(wait_after(1, &Status::unknown("h2 protocol error")).is_some(), "a cut connection");
        for answer in [Status::unauthenticated(""), Status::not_found(""), Status::aborted("")] {
            assert_eq!(wait_after(1, &answer), None, "{answer:?}");
        }
    }
}
