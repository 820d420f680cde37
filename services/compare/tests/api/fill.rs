//! Filling a tenant's inventory as a sync would have, without a provider: by the service's own store, or by SQL in bulk.

use compare_service::names::{self, referable_kinds};
use compare_service::store::coverage::NewCoverage;
use compare_service::store::policy_version::{NewVersion, Purpose};
use compare_service::store::{self};
use domain::id::{PolicyVersionId, RunId, TenantId, WorkspaceId};
use domain::observe::observe;
use domain::preflight::CoverageState;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::world::World;

/// One tenant to be filled.
pub(crate) struct Tenant<'w> {
    world: &'w World,
    workspace: WorkspaceId,
    tenant: TenantId,
}

impl<'w> Tenant<'w> {
    pub(crate) fn new(world: &'w World, workspace: &str, tenant: &str) -> Self {
        Self { world, workspace: workspace.parse().unwrap(), tenant: tenant.parse().unwrap() }
    }

    /// Objects of one type were seen, all of them whole.
    pub(crate) async fn has(&self, policy_type: &str, objects: &[Value]) {
        self.seen(policy_type, objects, true).await;
        self.covered(policy_type, CoverageState::Observed, None, false).await;
    }

    /// Objects of one type were seen, whole or not; nothing is said of the type.
    pub(crate) async fn seen(&self, policy_type: &str, objects: &[Value], complete: bool) {
        self.write(policy_type, objects, complete, None).await;
    }

    /// Objects of one type were seen by a reading that asked for them at this moment.
    pub(crate) async fn seen_at(&self, policy_type: &str, objects: &[Value], asked_at: OffsetDateTime) {
        self.write(policy_type, objects, true, Some(asked_at)).await;
    }

    async fn write(&self, policy_type: &str, objects: &[Value], complete: bool, asked_at: Option<OffsetDateTime>) {
        let contract = graph::registry().get(policy_type).expect("a known type");
        let run = RunId(Uuid::now_v7());
        let mut tx = self.world.db().await.workspace(self.workspace.uuid()).await.unwrap();
        let kinds: Vec<&str> = referable_kinds(graph::registry()).into_iter().collect();
        let names = names::load(&mut tx, self.workspace, self.tenant, &kinds).await.unwrap();
        for raw in objects {
            let mut observed = observe(contract, raw, &names).unwrap();
            observed.facts.complete &= complete;
            let version = NewVersion {
                id: PolicyVersionId(Uuid::now_v7()),
                external_id: observed.external_id.clone(),
                content: raw,
                content_hash: observed.content_hash,
                normal_hash: observed.normal_hash,
            };
            let id = version.id;
            let (workspace, tenant) = (self.workspace, self.tenant);
            store::policy_version::insert(&mut tx, workspace, tenant, policy_type, run, Purpose::Sync, &[version])
                .await
                .unwrap();
            let now = store::clock(&mut *tx).await.unwrap();
            let asked_at = asked_at.unwrap_or(now);
            store::item_write::upsert(&mut tx, workspace, tenant, policy_type, run, asked_at, &[(&observed, id)])
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// How the last reading of a type went.
    pub(crate) async fn covered(
        &self,
        policy_type: &str,
        state: CoverageState,
        reason: Option<&str>,
        approval_required: bool,
    ) {
        let mut tx = self.world.db().await.workspace(self.workspace.uuid()).await.unwrap();
        let began_at = store::clock(&mut *tx).await.unwrap();
        let approval_required = Some(approval_required);
        let new = NewCoverage { began_at, state, observed_count: 0, reason_code: reason, approval_required };
        let run = RunId(Uuid::now_v7());
        store::coverage::put(&mut tx, self.workspace, self.tenant, policy_type, run, &new).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Every known type was read just now, whatever was found.
    pub(crate) async fn covered_all(&self) {
        for contract in graph::registry().iter() {
            self.covered(contract.policy_type.as_str(), CoverageState::Observed, None, false).await;
        }
    }

    /// The last reading of a type was so long ago.
    pub(crate) async fn read_hours_ago(&self, policy_type: &str, hours: i32) {
        self.sql(&format!(
            "UPDATE inventory.coverage SET observed_at = now() - interval '{hours} hours'
             WHERE tenant_id = '{}' AND policy_type = '{policy_type}'",
            self.tenant
        ))
        .await;
    }

    /// The provider is connected.
    pub(crate) async fn connected(&self) {
        self.sql(&format!(
            "INSERT INTO tenant.provider_connection
                 (workspace_id, tenant_id, id, base_url, authority, client_id, credential_reference)
             VALUES ('{}', '{}', gen_random_uuid(), 'https://graph.microsoft.com',
                     'https://login.microsoftonline.com', 'app', 'env:NOWHERE')",
            self.workspace, self.tenant
        ))
        .await;
    }

    /// Any statement, past all guards.
    pub(crate) async fn sql(&self, statement: &str) {
        let superuser = self.world.superuser().await;
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(superuser.pool()).await.unwrap();
    }

    /// `count` driver update profiles by one statement: the first `differing` of them have content of this tenant's own, the
    /// rest the same content in every tenant.
    pub(crate) async fn has_many(&self, count: i32, differing: i32) {
        let superuser = self.world.superuser().await;
        sqlx::query(include_str!("../fill_subjects.sql"))
            .bind(self.workspace.uuid())
            .bind(self.tenant.uuid())
            .bind(count)
            .bind(differing)
            .execute(superuser.pool())
            .await
            .unwrap();
        sqlx::query("ANALYZE inventory.item").execute(superuser.pool()).await.unwrap();
    }
}

/// A driver update profile.
pub(crate) fn driver(id: &str, name: &str, deferral_days: u32) -> Value {
    json!({
        "id": id, "displayName": name, "approvalType": "automatic",
        "deploymentDeferralInDays": deferral_days, "roleScopeTagIds": ["0"],
    })
}
