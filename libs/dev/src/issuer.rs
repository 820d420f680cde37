//! A local OpenID Connect issuer, for development and tests: discovery, signing keys (EdDSA), a token endpoint for the
//! registered services (client credentials), and tokens for whoever is asked for. It gives anybody's identity to
//! anybody, so it serves this machine only.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What precedes the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410 §7).
const PKCS8_ED25519: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Lifetime of the tokens that services get.
const SERVICE_TOKEN_TTL: Duration = Duration::from_secs(300);
/// The role that makes a token one of a service.
const SERVICE_ROLE: &str = "tenantatlas.service";

/// How the issuer runs.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    listen: SocketAddr,
    audience: String,
    key_file: Option<PathBuf>,
    services: Vec<RegisteredService>,
}

impl IssuerConfig {
    /// Listening here (loopback only; port 0 picks a free one), audience `tenantatlas`, keys in memory, no services.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, audience: "tenantatlas".into(), key_file: None, services: Vec::new() }
    }

    /// Keeps the signing keys in this file, so that tokens outlive a restart.
    #[must_use]
    pub fn key_file(self, file: impl Into<PathBuf>) -> Self {
        Self { key_file: Some(file.into()), ..self }
    }

    /// Registers a service, which then gets tokens for itself by client credentials.
    #[must_use]
    pub fn service(mut self, name: &str, secret: &str) -> Self {
        self.services.push(RegisteredService { name: name.into(), secret: secret.into() });
        self
    }
}

/// A service that gets tokens for itself. Its name is its client id.
#[derive(Clone)]
struct RegisteredService {
    name: String,
    secret: String,
}

impl std::fmt::Debug for RegisteredService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisteredService").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who a token is about.
#[derive(Debug, Clone, Serialize)]
pub struct PersonaClaims {
    /// `sub`.
    pub sub: String,
    /// `name`.
    pub name: String,
}

/// A running issuer; it stops when this is dropped.
#[derive(Debug)]
pub struct Issuer {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    audience: String,
    keys: RwLock<Keyring>,
    services: Vec<RegisteredService>,
    down: AtomicBool,
    answer_after_ms: AtomicU64,
    service_ttl_s: AtomicU64,
    key_requests: AtomicU64,
    token_requests: AtomicU64,
}

impl Issuer {
    /// Starts to serve.
    ///
    /// # Errors
    /// The address is not loopback or is taken; the key file cannot be read or written.
    pub async fn start(config: IssuerConfig) -> Result<Self> {
        ensure!(config.listen.ip().is_loopback(), "the local issuer serves loopback only, not {}", config.listen);
        let keys = Keyring::open(config.key_file)?;
        let listener = TcpListener::bind(config.listen).await.context("the local issuer cannot listen")?;
        let shared = Arc::new(Shared {
            url: format!("http://{}", listener.local_addr()?),
            audience: config.audience,
            keys: RwLock::new(keys),
            services: config.services,
            down: AtomicBool::new(false),
            answer_after_ms: AtomicU64::new(0),
            service_ttl_s: AtomicU64::new(SERVICE_TOKEN_TTL.as_secs()),
            key_requests: AtomicU64::new(0),
            token_requests: AtomicU64::new(0),
        });
        let app = router(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // It ends when the task is aborted.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { shared, server })
    }

    /// The issuer's URL, as in `iss`.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// A token about this persona, valid for `ttl` from now.
    pub fn mint(&self, persona: &PersonaClaims, ttl: Duration) -> Result<String> {
        self.shared.keys().current().mint(&self.shared.url, &self.shared.audience, persona, ttl)
    }

    /// A token of a service, as its token endpoint would give it.
    pub fn mint_service(&self, name: &str, ttl: Duration) -> Result<String> {
        self.shared.mint_service(name, ttl)
    }

    /// A token with these claims and no others, in this header: for tests of what must be refused.
    pub fn sign(&self, header: Header, claims: &serde_json::Value) -> Result<String> {
        self.shared.keys().current().sign(header, claims)
    }

    /// The key that signs now.
    pub fn signing_key(&self) -> SigningKey {
        self.shared.keys().current().clone()
    }

    /// Signs with a new key from now on. The old one still verifies, until [`Issuer::withdraw_old_keys`].
    pub fn rotate(&self) -> Result<()> {
        self.shared.keys.write().unwrap_or_else(PoisonError::into_inner).rotate()
    }

    /// Publishes the signing key alone: tokens of earlier keys become worthless.
    pub fn withdraw_old_keys(&self) -> Result<()> {
        self.shared.keys.write().unwrap_or_else(PoisonError::into_inner).withdraw_old()
    }

    /// Plays an outage: every request is answered 503 while it is down.
    pub fn set_down(&self, down: bool) {
        self.shared.down.store(down, Ordering::SeqCst);
    }

    /// Plays a slow issuer: whoever asks for keys or for a token waits so long.
    pub fn set_slow(&self, wait: Duration) {
        self.shared.answer_after_ms.store(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Changes how long the tokens that services get from now on are good for; whole seconds.
    pub fn set_service_token_ttl(&self, ttl: Duration) {
        self.shared.service_ttl_s.store(ttl.as_secs(), Ordering::SeqCst);
    }

    /// How often the keys were asked for.
    pub fn key_requests(&self) -> u64 {
        self.shared.key_requests.load(Ordering::SeqCst)
    }

    /// How often a token was asked for.
    pub fn token_requests(&self) -> u64 {
        self.shared.token_requests.load(Ordering::SeqCst)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn keys(&self) -> std::sync::RwLockReadGuard<'_, Keyring> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_time(&self) {
        tokio::time::sleep(Duration::from_millis(self.answer_after_ms.load(Ordering::SeqCst))).await;
    }

    fn mint_service(&self, name: &str, ttl: Duration) -> Result<String> {
        let claims = json!({ "sub": name, "client_id": name, "roles": [SERVICE_ROLE] });
        self.keys().current().mint(&self.url, &self.audience, &claims, ttl)
    }
}

/// A key that signs tokens.
#[derive(Clone)]
pub struct SigningKey {
    seed: [u8; 32],
    encoding: EncodingKey,
    public: Jwk,
}

impl SigningKey {
    /// The current key of a file that an issuer keeps: for a tool that mints without asking the issuer.
    pub fn read(file: &Path) -> Result<Self> {
        let keys = Keyring::read(file)?.with_context(|| format!("{} does not exist", file.display()))?;
        keys.into_iter().next().with_context(|| format!("{} holds no key", file.display()))
    }

    /// A token by this key: `claims` (an object) and the registered claims around them.
    pub fn mint(&self, issuer: &str, audience: &str, claims: &impl Serialize, ttl: Duration) -> Result<String> {
        let mut all = serde_json::to_value(claims)?;
        let object = all.as_object_mut().context("claims are an object")?;
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        for (name, value) in [
            ("iss", json!(issuer)),
            ("aud", json!(audience)),
            ("iat", json!(now)),
            ("nbf", json!(now)),
            ("exp", json!(now.saturating_add_unsigned(ttl.as_secs()))),
            ("jti", json!(uuid::Uuid::new_v4())),
        ] {
            object.insert(name.into(), value);
        }
        self.sign(Header { typ: Some("at+jwt".into()), ..Header::new(Algorithm::EdDSA) }, &all)
    }

    /// A token with these claims and no others. The header's key id is this key's, unless it has one.
    pub fn sign(&self, mut header: Header, claims: &serde_json::Value) -> Result<String> {
        header.kid = header.kid.or_else(|| self.public.common.key_id.clone());
        Ok(jsonwebtoken::encode(&header, claims, &self.encoding)?)
    }

    fn generate() -> Result<Self> {
        Self::of_seed(rand::random())
    }

    fn of_seed(seed: [u8; 32]) -> Result<Self> {
        let encoding = EncodingKey::from_ed_der(&[&PKCS8_ED25519[..], &seed].concat());
        let mut public = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA)?;
        public.common.key_id = Some(public.thumbprint(ThumbprintHash::SHA256)?);
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { seed, encoding, public })
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.public.common.key_id).finish_non_exhaustive()
    }
}

/// The keys, the signing one first. In the file: one seed per line, in hexadecimal, the same order.
#[derive(Debug)]
struct Keyring {
    keys: Vec<SigningKey>,
    file: Option<PathBuf>,
}

impl Keyring {
    fn open(file: Option<PathBuf>) -> Result<Self> {
        if let Some(path) = &file
            && let Some(keys) = Self::read(path)?
        {
            ensure!(!keys.is_empty(), "{} holds no key", path.display());
            return Ok(Self { keys, file });
        }
        let ring = Self { keys: vec![SigningKey::generate()?], file };
        ring.save()?;
        Ok(ring)
    }

    /// `None` when there is no such file.
    fn read(file: &Path) -> Result<Option<Vec<SigningKey>>> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        let key = |line: &str| {
            let mut seed = [0; 32];
            hex::decode_to_slice(line.trim(), &mut seed)
                .with_context(|| format!("{} is no key file", file.display()))?;
            SigningKey::of_seed(seed)
        };
        text.lines().filter(|line| !line.trim().is_empty()).map(key).collect::<Result<_>>().map(Some)
    }

    fn current(&self) -> &SigningKey {
        // `open` never leaves it empty, and nothing takes the first one out.
        &self.keys[0]
    }

    fn rotate(&mut self) -> Result<()> {
        self.keys.insert(0, SigningKey::generate()?);
        self.save()
    }

    fn withdraw_old(&mut self) -> Result<()> {
        self.keys.truncate(1);
        self.save()
    }

    fn save(&self) -> Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        let text: String = self.keys.iter().map(|key| hex::encode(key.seed) + "\n").collect();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        // Beside it and renamed: a crash leaves the old keys or the new ones.
        let beside = path.with_extension("new");
        write_private(&beside, text.as_bytes())
            .and_then(|()| std::fs::rename(&beside, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Readable by its owner only.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/token", post(token))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), outage))
        .with_state(shared)
}

async fn outage(State(issuer): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if issuer.down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

async fn discovery(State(issuer): State<Arc<Shared>>) -> Json<serde_json::Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "token_endpoint": format!("{url}/token"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    }))
}

async fn jwks(State(issuer): State<Arc<Shared>>) -> Json<JwkSet> {
    issuer.key_requests.fetch_add(1, Ordering::SeqCst);
    issuer.take_time().await;
    Json(JwkSet { keys: issuer.keys().keys.iter().map(|key| key.public.clone()).collect() })
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

async fn token(State(issuer): State<Arc<Shared>>, headers: HeaderMap, Form(asked): Form<TokenRequest>) -> Response {
    issuer.token_requests.fetch_add(1, Ordering::SeqCst);
    issuer.take_time().await;
    let refuse = |status: StatusCode, error: &str| (status, Json(json!({ "error": error }))).into_response();
    if asked.grant_type != "client_credentials" {
        return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let Some((id, secret)) = basic(&headers).or(asked.client_id.zip(asked.client_secret)) else {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    let Some(service) = issuer.services.iter().find(|known| known.name == id && known.secret == secret) else {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    let ttl = Duration::from_secs(issuer.service_ttl_s.load(Ordering::SeqCst));
    match issuer.mint_service(&service.name, ttl) {
        Ok(token) => Json(json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": ttl.as_secs(),
        }))
        .into_response(),
        Err(_unsigned) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_serves_this_machine_only() {
        for beyond in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:10.0.0.1]:0"] {
            let config = IssuerConfig::new(beyond.parse().unwrap());
            assert!(Issuer::start(config).await.unwrap_err().to_string().contains("loopback"), "{beyond}");
        }
        for here in ["127.0.0.1:0", "127.0.0.2:0"] {
            Issuer::start(IssuerConfig::new(here.parse().unwrap())).await.unwrap();
        }
    }

    #[tokio::test]
    async fn its_keys_outlive_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("issuer/keys");
        let config = || IssuerConfig::new(([127, 0, 0, 1], 0).into()).key_file(&file);
        let id = |issuer: &Issuer| issuer.signing_key().public.common.key_id.clone();
        let first = Issuer::start(config()).await.unwrap();
        first.rotate().unwrap();
        let kept = id(&first);
        drop(first);
        let second = Issuer::start(config()).await.unwrap();
        assert_eq!(id(&second), kept);
        assert_eq!(SigningKey::read(&file).unwrap().public.common.key_id, kept);
        assert_eq!(second.shared.keys().keys.len(), 2, "the rotated key still verifies");
    }
}
