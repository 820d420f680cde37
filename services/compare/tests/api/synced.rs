//! A tenant whose provider is the stand-in, and syncs of it.

use graph_emulator::{Became, Emulator, Running, TenantSpec};
use pb::inventory::{
    GetInventoryCoverageRequest, InventoryItem, ListInventoryItemsRequest, ListPolicyVersionsRequest,
    SyncInventoryRequest, TypeCoverage,
};
use pb::operation::{ClaimedItem, OperationRun, OperationRunItem};
use pb::tenant::{GetTenantRequest, SetProviderConnectionRequest};
use serde_json::{Value, json};

use crate::world::{World, fresh};

pub(crate) const SECRET: &str = "a-secret-that-stays-out-of-the-database";
/// What the provider's own portal would call with.
const PORTAL_TOKEN: &str = "portal";

/// A tenant with its stand-in at the provider.
pub(crate) struct Synced<'w> {
    world: &'w World,
    pub(crate) emulator: Running,
    http: reqwest::Client,
    pub(crate) external_id: String,
    pub(crate) workspace_id: String,
    pub(crate) tenant_id: String,
    /// The file with the credential.
    pub(crate) secret: std::path::PathBuf,
}

impl<'w> Synced<'w> {
    pub(crate) async fn new(world: &'w World) -> Self {
        let workspace_id = world.user("ada").new_workspace().await;
        Self::in_workspace(world, workspace_id, "Production").await
    }

    pub(crate) async fn in_workspace(world: &'w World, workspace_id: String, name: &str) -> Self {
        let ada = world.user("ada");
        let tenant_id = ada.new_tenant(&workspace_id, name).await;
        let get = GetTenantRequest { workspace_id: workspace_id.clone(), tenant_id: tenant_id.clone() };
        let external_id = ada.tenants().get_tenant(get).await.unwrap().into_inner().tenant.unwrap().external_tenant_id;
        let client_id = fresh();
        let tenant = TenantSpec::new(&external_id, "Production").client(&client_id, SECRET).open_token(PORTAL_TOKEN);
        let emulator = Emulator::builder().tenant(tenant).start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let secret = world.secrets.path().join(&external_id);
        std::fs::write(&secret, SECRET).unwrap();
        let connection = SetProviderConnectionRequest {
            request_id: fresh(),
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            base_url: emulator.base_url.clone(),
            authority_url: emulator.base_url.clone(),
            client_id,
            credential_reference: format!("file:{}", secret.display()),
        };
        ada.tenants().set_provider_connection(connection).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { world, emulator, http, external_id, workspace_id, tenant_id, secret }
    }

    /// Puts an exported object into the tenant at the provider.
    pub(crate) fn put(&self, folder: &str, object: &Value) {
        let became = self.emulator.load_document(&self.external_id, object, Some(folder)).unwrap();
        assert!(matches!(became, Became::Object { .. }), "{became:?}");
    }

    /// Changes an object at the provider, as somebody else would.
    pub(crate) async fn patch(&self, path: &str, body: &Value) {
        self.call(self.http.patch(format!("{}/beta{path}", self.emulator.base_url)).json(body)).await;
    }

    /// Deletes an object at the provider, as somebody else would.
    pub(crate) async fn delete(&self, path: &str) {
        self.call(self.http.delete(format!("{}/beta{path}", self.emulator.base_url))).await;
    }

    /// What the provider has, as somebody else would see it.
    pub(crate) async fn look(&self, path: &str) -> Value {
        self.call(self.http.get(format!("{}/beta{path}", self.emulator.base_url))).await.json().await.unwrap()
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let answer = request.bearer_auth(PORTAL_TOKEN).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{status}");
        answer
    }

    /// Syncs these types and waits for the end of the run.
    pub(crate) async fn sync(&self, policy_types: &[&str]) -> (OperationRun, Vec<OperationRunItem>) {
        let request = SyncInventoryRequest {
            request_id: fresh(),
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            policy_types: policy_types.iter().map(|key| (*key).to_owned()).collect(),
        };
        let run = self.world.user("ada").inventory().sync_inventory(request).await.unwrap().into_inner().run.unwrap();
        self.ended(&run.run_id).await
    }

    /// The run and its items once it has ended.
    pub(crate) async fn ended(&self, run_id: &str) -> (OperationRun, Vec<OperationRunItem>) {
        let (run, items) = self.world.runs.ended(run_id).await;
        (run, items.into_iter().filter_map(|claimed: ClaimedItem| claimed.item).collect())
    }

    pub(crate) async fn items(&self, policy_type: &str) -> Vec<InventoryItem> {
        let request = ListInventoryItemsRequest {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            policy_types: vec![policy_type.to_owned()],
            include_missing: true,
            ..Default::default()
        };
        self.world.user("ada").inventory().list_inventory_items(request).await.unwrap().into_inner().items
    }

    pub(crate) async fn versions(&self, item: &InventoryItem) -> usize {
        let request = ListPolicyVersionsRequest {
            workspace_id: self.workspace_id.clone(),
            tenant_id: self.tenant_id.clone(),
            policy_type: item.policy_type.clone(),
            external_id: item.external_id.clone(),
            ..Default::default()
        };
        self.world.user("ada").inventory().list_policy_versions(request).await.unwrap().into_inner().versions.len()
    }

    pub(crate) async fn coverage(&self, policy_type: &str) -> TypeCoverage {
        let request =
            GetInventoryCoverageRequest { workspace_id: self.workspace_id.clone(), tenant_id: self.tenant_id.clone() };
        let types =
            self.world.user("ada").inventory().get_inventory_coverage(request).await.unwrap().into_inner().types;
        types.into_iter().find(|known| known.policy_type == policy_type).unwrap()
    }

    /// Every text in every table of this service, as one.
    pub(crate) async fn everything_stored(&self) -> String {
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

pub(crate) fn of<'i>(items: &'i [OperationRunItem], key: &str) -> &'i OperationRunItem {
    items.iter().find(|item| item.key == key).unwrap()
}

pub(crate) fn detail(item: &OperationRunItem, key: &str) -> i64 {
    server::structure::from_struct(item.detail.as_ref().unwrap())[key].as_i64().unwrap()
}

/// A PowerShell script.
pub(crate) fn script(id: &str, name: &str, content: &str) -> Value {
    use base64::Engine as _;
    json!({
        "@odata.type": "#microsoft.graph.deviceManagementScript", "id": id, "displayName": name, "fileName": "a.ps1",
        "scriptContent": base64::engine::general_purpose::STANDARD.encode(content),
        "runAsAccount": "system", "enforceSignatureCheck": false, "runAs32Bit": false, "roleScopeTagIds": ["0"],
    })
}
