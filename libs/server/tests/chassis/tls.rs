//! TLS at the wire: who is let in, and whom we believe.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pb::promotion::promotion_service_client::PromotionServiceClient;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use server::client::Upstream;
use server::failure::reason_of;
use tokio::net::TcpStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Status};

use crate::authority::{Authority, Issued, Subject};
use crate::identity::{answer, refused};
use crate::issuer::Issuer;
use crate::running::{Running, chassis, eventually, issuer, token, try_chassis_of, unary, with_token, within};
use crate::script::Script;
use crate::wire::UNARY;

/// How often the files are looked at.
pub(crate) const RELOAD: Duration = Duration::from_millis(20);

/// The files of one service.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(authority: &Authority, subject: &Subject) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.put(&authority.issue(subject).unwrap());
        folder.trust(&[authority]);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, issued: &Issued) {
        issued.write(self.0.path(), "tls").unwrap();
    }

    pub(crate) fn trust(&self, authorities: &[&Authority]) {
        let pem: String = authorities.iter().map(|authority| authority.pem()).collect();
        fs::write(self.path("ca.crt"), pem).unwrap();
    }

    /// The options of a service that lives by these files.
    pub(crate) fn options(&self, client_auth: &str) -> Vec<String> {
        let path = |name| self.path(name).to_str().unwrap().to_owned();
        let mut options = vec!["--tls-cert".into(), path("tls.crt"), "--tls-key".into(), path("tls.key")];
        options.extend(["--tls-ca".into(), path("ca.crt"), "--tls-reload".into(), format!("{}ms", RELOAD.as_millis())]);
        if client_auth != "off" {
            options.extend(["--tls-client-auth".into(), client_auth.into(), "--tls-client-ca".into(), path("ca.crt")]);
        }
        options.extend(["--client-id", "promotion-service", "--client-secret", "hunter2"].map(Into::into));
        options
    }

    pub(crate) async fn serve(&self, issuer: &Issuer, client_auth: &str) -> Running {
        let options = self.options(client_auth);
        Running::start(issuer, &options.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// A service with these files that asks another one, which is at `endpoints`.
    pub(crate) async fn in_front_of(&self, issuer: &Issuer, endpoints: &str) -> (Running, Upstream) {
        let options = self.options("off");
        let front = chassis(issuer, &options.iter().map(String::as_str).collect::<Vec<_>>());
        let upstream = front.upstream("compare-service", endpoints).unwrap();
        (Running::serve(front.clone(), Script::new(front, Some(upstream.clone()))).await, upstream)
    }
}

pub(crate) fn promotion() -> Subject {
    Subject::service("promotion-service")
}

pub(crate) fn authority() -> Authority {
    Authority::new("test").unwrap()
}

pub(crate) fn secure(server: &Running) -> String {
    format!("https://localhost:{}", server.grpc.port())
}

/// A client that believes this authority and shows this certificate, on a connection of its own.
pub(crate) fn client(server: &Running, authority: &Authority, own: Option<&Issued>) -> PromotionServiceClient<Channel> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority.pem()));
    let tls = match own {
        Some(own) => tls.identity(Identity::from_pem(&own.chain, &own.key)),
        None => tls,
    };
    let endpoint = Channel::from_shared(secure(server)).unwrap().tls_config(tls).unwrap();
    PromotionServiceClient::new(endpoint.connect_lazy())
}

pub(crate) async fn play(
    mut client: PromotionServiceClient<Channel>,
    line: &str,
    token: &str,
) -> Result<String, Status> {
    Ok(client.execute_promotion(with_token(unary(line), token)).await?.into_inner().message)
}

/// As a service by itself: code, and text or reason.
pub(crate) async fn itself(upstream: &Upstream, line: &str) -> (Code, String) {
    let answered = PromotionServiceClient::new(upstream.as_self()).execute_promotion(unary(line)).await;
    answer(answered.map(|answer| answer.into_inner().message))
}

pub(crate) fn unavailable() -> (Code, String) {
    (Code::Unavailable, "UPSTREAM_UNAVAILABLE".into())
}

/// A bare handshake: the certificate that the server shows, and the protocol agreed on.
pub(crate) async fn handshake(
    server: &Running,
    authority: &Authority,
    alpn: &[&str],
) -> std::io::Result<(CertificateDer<'static>, Option<String>)> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let socket = TcpStream::connect(server.grpc).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
    let session = stream.get_ref().1;
    let agreed = session.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap());
    Ok((session.peer_certificates().unwrap()[0].clone().into_owned(), agreed))
}

#[tokio::test]
async fn plain_text_is_refused_on_a_tls_port() {
    let (issuer, authority) = (issuer().await, authority());
    let server = Folder::new(&authority, &promotion()).serve(&issuer, "off").await;
    let ada = token(&issuer);
    assert_eq!(play(client(&server, &authority, None), "whoami", &ada).await.unwrap(), "ada@example.com -");
    // `play` of the server itself speaks plain HTTP/2.
    assert_ne!(server.play("whoami", &ada).await.unwrap_err().code(), Code::Ok);
    assert!(reqwest::get(format!("http://{}/", server.grpc)).await.is_err(), "HTTP/1.1");
    // Probes and scrapers have no certificates.
    assert_eq!(reqwest::get(format!("http://{}/healthz", server.admin)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn protocols_are_agreed_on() {
    let (issuer, authority) = (issuer().await, authority());
    let server = Folder::new(&authority, &promotion()).serve(&issuer, "off").await;
    for (offered, agreed) in
        [(&["h2"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&["http/1.1", "h2"], Some("h2")), (&[], None)]
    {
        let (_, got) = handshake(&server, &authority, offered).await.unwrap();
        assert_eq!(got.as_deref(), agreed, "{offered:?}");
    }
    assert!(handshake(&server, &authority, &["spdy/3"]).await.is_err());
}

#[tokio::test]
async fn browsers_call_over_tls() {
    let (issuer, authority) = (issuer().await, authority());
    let server = Folder::new(&authority, &promotion()).serve(&issuer, "optional").await;
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    for http in [reqwest::Client::builder().http1_only(), reqwest::Client::builder()] {
        let http = http.tls_certs_only([root.clone()]).build().unwrap();
        let message = prost::Message::encode_to_vec(&unary("whoami"));
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let call = http
            .post(format!("{}{UNARY}", secure(&server)))
            .header("content-type", "application/grpc-web+proto")
            .header("authorization", format!("Bearer {}", token(&issuer)))
            .body([&[0], &length[..], &message].concat());
        let body = call.send().await.unwrap().bytes().await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("grpc-status:0"), "{body:?}");
    }
}

#[tokio::test]
async fn a_service_that_comes_back_is_found_again() {
    let (issuer, authority) = (issuer().await, authority());
    let theirs = Folder::new(&authority, &Subject::service("compare-service"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("https://127.0.0.1:{port}");
    let (_front, upstream) = Folder::new(&authority, &promotion()).in_front_of(&issuer, &endpoint).await;
    let ask = || itself(&upstream, "whoami");
    for _ in 0..2 {
        assert_eq!(within("an answer while it is away", ask()).await, unavailable());
        let mut options = theirs.options("required");
        options.extend(["--listen".into(), format!("127.0.0.1:{port}"), "--drain-cap".into(), "100ms".into()]);
        let back = Running::start(&issuer, &options.iter().map(String::as_str).collect::<Vec<_>>()).await;
        eventually("it has come up", ask, |answer| answer.0 == Code::Ok).await;
        back.chassis.shutdown();
        within("it goes down", back.serving).await.unwrap().unwrap();
        eventually("it is noticed", ask, |answer| *answer == unavailable()).await;
    }
}

#[tokio::test]
async fn a_peer_that_never_speaks_costs_nobody_else_time() {
    let (issuer, authority) = (issuer().await, authority());
    let server = Folder::new(&authority, &promotion()).serve(&issuer, "off").await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.grpc).await.unwrap());
    }
    within("a call beside them", async {
        play(client(&server, &authority, None), "whoami", &token(&issuer)).await.unwrap();
    })
    .await;
    server.chassis.shutdown();
    within("a drain does not wait for them", server.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_service_proves_itself_by_its_certificate() {
    let (issuer, authority) = (issuer().await, authority());
    for client_auth in ["optional", "required"] {
        let back = Folder::new(&authority, &Subject::service("compare-service")).serve(&issuer, client_auth).await;
        let (front, upstream) = Folder::new(&authority, &promotion()).in_front_of(&issuer, &secure(&back)).await;
        assert_eq!(itself(&upstream, "whoami").await, (Code::Ok, "- promotion-service".into()));
        assert_eq!(itself(&upstream, "peer").await, (Code::Ok, "promotion-service".into()));
        // Beside its user's token, which it passes on as it came.
        let (ada, through) = (token(&issuer), || client(&front, &authority, None));
        assert_eq!(play(through(), "ask whoami", &ada).await.unwrap(), "ada@example.com promotion-service");
        assert_eq!(play(through(), "whoami", &ada).await.unwrap(), "ada@example.com -", "in front nobody is asked");
    }
}

#[tokio::test]
async fn a_service_token_without_its_certificate_is_refused() {
    let (issuer, authority) = (issuer().await, authority());
    let back = Folder::new(&authority, &Subject::service("compare-service")).serve(&issuer, "optional").await;
    let mismatch = || refused("SERVICE_CERTIFICATE_MISMATCH");
    let (stolen, ada) = (issuer.mint_service("promotion-service", Duration::from_secs(60)).unwrap(), token(&issuer));
    let named = |uris: &[&str]| {
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        Some(authority.issue(&Subject { uris, ..promotion() }).unwrap())
    };
    let own = named(&["spiffe://tenantatlas/promotion-service"]);
    assert_eq!(answer(play(client(&back, &authority, own.as_ref()), "whoami", &stolen).await).0, Code::Ok);
    for (what, own) in [
        ("no certificate", None),
        ("another service's", named(&["spiffe://tenantatlas/compare-service"])),
        ("another trust domain's", named(&["spiffe://elsewhere/promotion-service"])),
        ("nobody's", named(&[])),
        ("of two", named(&["spiffe://tenantatlas/promotion-service", "spiffe://tenantatlas/compare-service"])),
        ("of another form", named(&["https://tenantatlas/promotion-service"])),
    ] {
        let client = || client(&back, &authority, own.as_ref());
        assert_eq!(answer(play(client(), "whoami", &stolen).await), mismatch(), "{what}");
        // As the service in between.
        let mut request = with_token(unary("whoami"), &ada);
        request.metadata_mut().insert("x-tenantatlas-service", format!("Bearer {stolen}").parse().unwrap());
        let answered = client().execute_promotion(request).await.map(|answer| answer.into_inner().message);
        assert_eq!(answer(answered), mismatch(), "{what}, on behalf of a user");
        // The user alone is welcome on any connection.
        assert_eq!(play(client(), "whoami", &ada).await.unwrap(), "ada@example.com -", "{what}");
    }

    // Our caller is not told of it: it is a defect of ours, and no new token is fetched for it.
    let nobody = Subject { uris: Vec::new(), ..promotion() };
    let (front, upstream) = Folder::new(&authority, &nobody).in_front_of(&issuer, &secure(&back)).await;
    assert_eq!(itself(&upstream, "whoami").await, mismatch());
    let status = play(client(&front, &authority, None), "ask whoami", &ada).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Internal, Some("INTERNAL")));
    assert_eq!(issuer.token_requests(), 1);
}

#[tokio::test]
async fn users_need_no_certificate_where_it_is_optional() {
    let (issuer, authority) = (issuer().await, authority());
    let optional = Folder::new(&authority, &promotion()).serve(&issuer, "optional").await;
    let required = Folder::new(&authority, &promotion()).serve(&issuer, "required").await;
    let ada = token(&issuer);
    assert_eq!(play(client(&optional, &authority, None), "whoami", &ada).await.unwrap(), "ada@example.com -");
    assert_eq!(play(client(&optional, &authority, None), "peer", &ada).await.unwrap(), "-");
    play(client(&required, &authority, None), "whoami", &ada).await.unwrap_err();
    // With one it is let in: a console's, say, whose users have tokens.
    let console = authority.issue(&Subject::service("console")).unwrap();
    let through = || client(&required, &authority, Some(&console));
    assert_eq!(play(through(), "whoami", &ada).await.unwrap(), "ada@example.com -");
    assert_eq!(play(through(), "peer", &ada).await.unwrap(), "console");
    // And a certificate alone opens nothing.
    let status = through().execute_promotion(unary("whoami")).await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some("TOKEN_MISSING"));
}

#[tokio::test]
async fn an_unknown_authority_is_refused_on_either_side() {
    let (issuer, ours, other) = (issuer().await, authority(), authority());
    let back = Folder::new(&ours, &Subject::service("compare-service")).serve(&issuer, "optional").await;
    // We do not believe the server.
    let doubtful = Folder::new(&ours, &promotion());
    doubtful.trust(&[&other]);
    let (_front, upstream) = doubtful.in_front_of(&issuer, &secure(&back)).await;
    assert_eq!(itself(&upstream, "whoami").await, unavailable());
    // The server does not believe us, although it would take us without a certificate.
    let forged = other.issue(&promotion()).unwrap();
    play(client(&back, &ours, Some(&forged)), "whoami", &token(&issuer)).await.unwrap_err();
    play(client(&back, &ours, None), "whoami", &token(&issuer)).await.unwrap();
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let (issuer, authority) = (issuer().await, authority());
    let elsewhere = Subject { hosts: vec!["compare.example".into()], ..Subject::service("compare-service") };
    let back = Folder::new(&authority, &elsewhere).serve(&issuer, "optional").await;
    let by_address = Subject { hosts: vec!["127.0.0.1".into()], ..Subject::service("compare-service") };
    let addressed = Folder::new(&authority, &by_address).serve(&issuer, "optional").await;
    let front = Folder::new(&authority, &promotion());
    let port = addressed.grpc.port();
    for (endpoints, expected) in [
        (secure(&back), unavailable()),
        (format!("https://127.0.0.1:{port}"), (Code::Ok, "- promotion-service".into())),
        // The address that a name leads to is not what its certificate must name.
        (format!("dns+https:///localhost:{port}"), unavailable()),
    ] {
        let (_front, upstream) = front.in_front_of(&issuer, &endpoints).await;
        assert_eq!(itself(&upstream, "whoami").await, expected, "{endpoints}");
    }
}

#[tokio::test]
async fn replicas_behind_a_name_speak_tls() {
    let (issuer, authority) = (issuer().await, authority());
    let back = Folder::new(&authority, &Subject::service("compare-service")).serve(&issuer, "required").await;
    let named = format!("dns+https:///localhost:{}", back.grpc.port());
    let (_front, upstream) = Folder::new(&authority, &promotion()).in_front_of(&issuer, &named).await;
    // The name may lead to two addresses, of which one answers; the other is left out soon.
    let ask = || itself(&upstream, "whoami");
    eventually("the name is found", ask, |answer| *answer == (Code::Ok, "- promotion-service".into())).await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused_on_either_side() {
    let (issuer, authority) = (issuer().await, authority());
    let over = |name| Subject { expired: true, ..Subject::service(name) };
    let stale = Folder::new(&authority, &over("compare-service")).serve(&issuer, "optional").await;
    let (_front, upstream) = Folder::new(&authority, &promotion()).in_front_of(&issuer, &secure(&stale)).await;
    assert_eq!(itself(&upstream, "whoami").await, unavailable());
    let fresh = Folder::new(&authority, &Subject::service("compare-service")).serve(&issuer, "optional").await;
    let (_front, upstream) =
        Folder::new(&authority, &over("promotion-service")).in_front_of(&issuer, &secure(&fresh)).await;
    assert_eq!(itself(&upstream, "whoami").await, unavailable());
}

#[tokio::test]
async fn files_that_cannot_be_used_keep_it_from_starting() {
    let (issuer, authority) = (issuer().await, authority());
    let start = |folder: &Folder| {
        let options = folder.options("required");
        let error = try_chassis_of(issuer.url(), &options.iter().map(String::as_str).collect::<Vec<_>>());
        error.map(|_| ()).map_err(|error| format!("{error:?}"))
    };
    let good = || Folder::new(&authority, &promotion());
    start(&good()).unwrap();
    let key = fs::read_to_string(good().path("tls.key")).unwrap();
    for (file, text, named) in [
        ("tls.crt", "", "--tls-cert"),
        ("tls.crt", "no certificate", "--tls-cert"),
        ("tls.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "--tls-cert"),
        ("tls.key", "", "--tls-key"),
        ("tls.key", "-----BEGIN PRIVATE KEY-----\n5EcReT", "--tls-key"),
        ("tls.key", "-----BEGIN PRIVATE KEY-----\n5EcReT==\n-----END PRIVATE KEY-----\n", "--tls-"),
        ("tls.key", key.as_str(), "does not go with --tls-key"),
        ("ca.crt", "", "--tls-client-ca"),
        ("ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "--tls-client-ca"),
    ] {
        let folder = good();
        fs::write(folder.path(file), text).unwrap();
        let error = start(&folder).unwrap_err();
        assert!(error.contains(named), "{file} {text:?}: {error}");
        assert!(!error.contains("5EcReT"), "{error}");
        fs::remove_file(folder.path(file)).unwrap();
        let error = start(&folder).unwrap_err();
        assert!(error.contains("cannot be read") && error.contains(file), "{error}");
    }
}
