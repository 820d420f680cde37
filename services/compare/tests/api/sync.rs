//! `inventory.sync`, from the request to the rows, against the provider's stand-in.

use graph_emulator::{Emulator, FaultAction, FaultRule, Running, TenantSpec};
use pb::inventory::{
    GetInventoryCoverageRequest, InventoryItem, ListInventoryItemsRequest, ListPolicyVersionsRequest,
    SyncInventoryRequest, TypeCoverage,
};
use pb::operation::{ClaimedItem, ItemState, OperationRun, OperationRunItem};
use pb::tenant::{GetTenantRequest, SetProviderConnectionRequest};
use serde_json::{Value, json};

use crate::world::{World, fresh};

const SECRET: &str = "a-secret-that-stays-out-of-the-database";
/// What the provider's own portal would call with.
const PORTAL_TOKEN: &str = "portal";

/// A tenant with its stand-in at the provider.
struct Synced<'w> {
    world: &'w World,
    emulator: Running,
    http: reqwest::Client,
    external_id: String,
    workspace_id: String,
    tenant_id: String,
    /// Holds the credential while the test runs.
    _folder: tempfile::TempDir,
}

impl<'w> Synced<'w> {
    async fn new(world: &'w World) -> Self {
        let ada = world.user("ada");
        let workspace_id = ada.new_workspace().await;
        let tenant_id = ada.new_tenant(&workspace_id, "Production").await;
        let get = GetTenantRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
        let external_id = ada.tenants().get_tenant(get).await.unwrap().into_inner().tenant.unwrap().external_tenant_id;
        let client_id = fresh();
        let tenant = TenantSpec::new(&external_id, "Production").client(&client_id, SECRET).open_token(PORTAL_TOKEN);
        let emulator = Emulator::builder().tenant(tenant).start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        let connection = SetProviderConnectionRequest {
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            base_url: emulator.base_url.clone(),
            authority_url: emulator.base_url.clone(),
            client_id,
            credential_reference: format!("file:{}", secret.display()),
        };
        ada.tenants().set_provider_connection(connection).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { world, emulator, http, external_id, workspace_id, tenant_id, _folder: folder }
    }

    /// Puts an exported object into the tenant at the provider.
    fn put(&self, folder: &str, object: &Value) {
        let became = self.emulator.load_document(&self.external_id, object, Some(folder)).unwrap();
        assert!(matches!(became, graph_emulator::Became::Object { .. }), "{became:?}");
    }

    /// Changes an object at the provider, as somebody else would.
    async fn patch(&self, path: &str, body: &Value) {
        self.call(self.http.patch(format!("{}/beta{path}", self.emulator.base_url)).json(body)).await;
    }

    /// Deletes an object at the provider, as somebody else would.
    async fn delete(&self, path: &str) {
        self.call(self.http.delete(format!("{}/beta{path}", self.emulator.base_url))).await;
    }

    async fn call(&self, request: reqwest::RequestBuilder) {
        let answer = request.bearer_auth(PORTAL_TOKEN).send().await.unwrap();
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
    }

    /// Syncs these types and waits for the end of the run.
    async fn sync(&self, policy_types: &[&str]) -> (OperationRun, Vec<OperationRunItem>) {
        let request = SyncInventoryRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            policy_types: policy_types.iter().map(|key| (*key).to_owned()).collect(),
        };
        let run = self.world.user("ada").inventory().sync_inventory(request).await.unwrap().into_inner().run.unwrap();
        let (run, items) = self.world.runs.ended(&run.run_id).await;
        (run, items.into_iter().filter_map(|claimed: ClaimedItem| claimed.item).collect())
    }

    async fn items(&self, policy_type: &str) -> Vec<InventoryItem> {
        let request = ListInventoryItemsRequest {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            policy_types: vec![policy_type.to_owned()],
            include_missing: true,
            ..Default::default()
        };
        self.world.user("ada").inventory().list_inventory_items(request).await.unwrap().into_inner().items
    }

    async fn versions(&self, item: &InventoryItem) -> usize {
        let request = ListPolicyVersionsRequest {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            policy_type: item.policy_type.clone(),
            external_id: item.external_id.clone(),
            ..Default::default()
        };
        self.world.user("ada").inventory().list_policy_versions(request).await.unwrap().into_inner().versions.len()
    }

    async fn coverage(&self, policy_type: &str) -> TypeCoverage {
        let request =
            GetInventoryCoverageRequest { workspace_id: self.workspace_id.clone(), tenant_id: self.tenant_id.clone() };
        let types =
            self.world.user("ada").inventory().get_inventory_coverage(request).await.unwrap().into_inner().types;
        types.into_iter().find(|known| known.policy_type == policy_type).unwrap()
    }

    /// Every text in every table of this service, as one.
    async fn everything_stored(&self) -> String {
        let superuser = self.world.superuser().await;
        let mut all = String::new();
        for table in [
            "access.workspace",
            "access.member",
            "access.request",
            "tenant.tenant",
            "tenant.provider_connection",
            "inventory.item",
            "inventory.policy_version",
            "inventory.coverage",
            "inventory.sync",
        ] {
            let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
                .fetch_all(superuser.pool())
                .await
                .unwrap();
            all.extend(rows);
        }
        all
    }
}

fn of<'i>(items: &'i [OperationRunItem], key: &str) -> &'i OperationRunItem {
    items.iter().find(|item| item.key == key).unwrap()
}

fn detail(item: &OperationRunItem, key: &str) -> i64 {
    server::structure::from_struct(item.detail.as_ref().unwrap())[key].as_i64().unwrap()
}

fn script(id: &str, name: &str, content: &str) -> Value {
    use base64::Engine as _;
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementScript", "id": id, "displayName": name, "fileName": "a.ps1",
        "scriptContent": base64::engine::general_purpose::STANDARD.encode(content),
        "runAsAccount": "system", "enforceSignatureCheck": false, "runAs32Bit": false, "roleScopeTagIds": ["0"],
    })
}

const SCRIPT: &str = "deviceManagementScript";
const FOLDER: &str = "PowerShell";

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_remembers_what_it_sees_and_adds_a_version_only_for_a_change() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    tenant.put(FOLDER, &script("0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001", "Alpha", "Write-Host 1"));
    tenant.put(FOLDER, &script("0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002", "Beta", "Write-Host 2"));
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert!(items.iter().all(|item| item.state() == ItemState::Succeeded), "{items:?}");
    let first = of(&items, SCRIPT);
    assert_eq!(["observed", "captured", "changed", "missing"].map(|key| detail(first, key)), [2, 2, 0, 0]);
    assert_eq!(detail(of(&items, "roleScopeTag"), "observed"), 1);
    let seen = tenant.items(SCRIPT).await;
    assert_eq!(seen.iter().map(|item| item.display_name.as_str()).collect::<Vec<_>>(), ["Alpha", "Beta"]);
    assert_eq!(tenant.coverage(SCRIPT).await.state, "observed");

    // Nothing new: nothing captured. Then one changes.
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(["observed", "captured", "changed"].map(|key| detail(of(&items, SCRIPT), key)), [2, 0, 0]);
    let changed = json!({"scriptContent": script("", "", "Write-Host 3")["scriptContent"]});
    tenant.patch("/deviceManagement/deviceManagementScripts/0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002", &changed).await;
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(["observed", "captured", "changed"].map(|key| detail(of(&items, SCRIPT), key)), [2, 1, 1]);
    let again = tenant.items(SCRIPT).await;
    assert_eq!((tenant.versions(&again[0]).await, tenant.versions(&again[1]).await), (1, 2));
    assert_eq!(again[0].normal_hash, seen[0].normal_hash);
    assert_ne!(again[1].normal_hash, seen[1].normal_hash);
    assert!(!tenant.everything_stored().await.contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_at_the_provider_is_missing_for_certain() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let id = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";
    tenant.put(FOLDER, &script(id, "Alpha", "Write-Host 1"));
    tenant.sync(&[SCRIPT]).await;
    tenant.delete(&format!("/deviceManagement/deviceManagementScripts/{id}")).await;
    // While the collection cannot be read nothing is said to be missing.
    let fault =
        FaultRule::new(FaultAction::Forbidden { message: None }).path("/deviceManagement/deviceManagementScripts");
    let fault = tenant.emulator.add_fault(fault);
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    let denied = of(&items, SCRIPT);
    assert_eq!(denied.state(), ItemState::Failed);
    assert!(!denied.reason.is_empty() && !denied.message.is_empty(), "{denied:?}");
    // One type's failure is no other's.
    assert_eq!(of(&items, "roleScopeTag").state(), ItemState::Succeeded);
    let coverage = tenant.coverage(SCRIPT).await;
    assert_eq!((coverage.state.as_str(), coverage.reason.as_str()), ("denied", denied.reason.as_str()));
    assert!(!tenant.items(SCRIPT).await[0].missing);

    tenant.emulator.remove_faults(Some(fault));
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(detail(of(&items, SCRIPT), "missing"), 1);
    let gone = &tenant.items(SCRIPT).await[0];
    assert!(gone.missing && gone.missing_confirmed);
    // Missing once is not missing again; back again is back.
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(detail(of(&items, SCRIPT), "missing"), 0);
    tenant.put(FOLDER, &script(id, "Alpha", "Write-Host 1"));
    tenant.sync(&[SCRIPT]).await;
    assert!(!tenant.items(SCRIPT).await[0].missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_provider_connection_cannot_be_used_is_blocked() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    let superuser = world.superuser().await;
    // Between start and claim: the worker asks again.
    sqlx::query("UPDATE tenant.provider_connection SET base_url = 'http://10.0.0.1'")
        .execute(superuser.pool())
        .await
        .unwrap();
    let (run, items) = tenant.sync(&[SCRIPT]).await;
    assert_eq!(run.failure_summary[0].code, "PROVIDER_CONNECTION_INVALID");
    assert!(items.iter().all(|item| item.state() == ItemState::Pending));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_not_there_fails_each_type_with_a_stable_reason() {
    let world = World::start().await;
    let tenant = Synced::new(&world).await;
    std::fs::remove_file(tenant._folder.path().join("secret")).unwrap();
    let (_, items) = tenant.sync(&[SCRIPT]).await;
    assert!(items.iter().all(|item| item.reason == "CREDENTIAL_UNAVAILABLE"), "{items:?}");
    assert_eq!(tenant.coverage(SCRIPT).await.state, "failed");
}
