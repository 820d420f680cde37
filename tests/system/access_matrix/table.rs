//! The table: one row or more a method, one letter a caller.
//!
//! ```text
//!   o  is answered               .  UNAUTHENTICATED TOKEN_MISSING
//!   N  NOT_FOUND                 C  PERMISSION_DENIED CAPABILITY_MISSING
//!   f  FAILED_PRECONDITION       S  PERMISSION_DENIED SERVICE_IDENTITY_REQUIRED
//!   l  ABORTED LEASE_LOST        U  PERMISSION_DENIED USER_IDENTITY_REQUIRED
//!   v  ABORTED TENANT_CHANGED
//! ```
//!
//! The callers, in groups: nobody, outsider | unentitled, readonly, operator, manager, owner | service by itself, service
//! on behalf of the manager, service on behalf of the outsider. Requests name things by placeholders, see
//! [`crate::world::World::request`].

use crate::world::Place;

/// What a method answers.
pub(crate) struct Row {
    /// `package.Service/Method`.
    pub(crate) method: &'static str,
    /// The request as JSON, with placeholders.
    pub(crate) request: &'static str,
    /// About things that exist where they are looked for.
    existing: &'static str,
    /// With things below the tenant (a run, an object, a version, a subject) that do not exist there.
    without_detail: &'static str,
    /// With a workspace or a tenant that does not exist, or is another workspace's.
    absent: &'static str,
    /// All of another workspace, with its own things.
    elsewhere: &'static str,
}

impl Row {
    pub(crate) fn expected(&self, place: Place) -> &'static str {
        match place {
            Place::Existing => self.existing,
            Place::InventedDetail | Place::ForeignDetail => self.without_detail,
            Place::InventedThing | Place::ForeignThing | Place::InventedWorkspace => self.absent,
            Place::ForeignWorkspace => self.elsewhere,
        }
    }

    /// Services by themselves belong to no workspace: what is reserved to them they find in all.
    const fn found_everywhere(self, elsewhere: &'static str) -> Self {
        Self { elsewhere, ..self }
    }
}

/// A row about places only: nothing below the tenant is named.
const fn row(method: &'static str, request: &'static str, existing: &'static str, absent: &'static str) -> Row {
    Row { method, request, existing, without_detail: existing, absent, elsewhere: absent }
}

/// A row about something below the tenant.
const fn detail(
    method: &'static str,
    request: &'static str,
    existing: &'static str,
    without_detail: &'static str,
    absent: &'static str,
) -> Row {
    Row { method, request, existing, without_detail, absent, elsewhere: absent }
}

/// Hidden and absent alike; a service by itself has nobody on whose behalf to look.
const HIDDEN: &str = ".N NNNNN UNN";
/// Reserved to services, whatever is asked for.
const SERVICES: &str = ".S SSSSS ooo";
/// Reserved to services, which are told that it is not there.
const SERVICES_ABSENT: &str = ".S SSSSS NNN";
/// Reserved to services, and the lease is not theirs.
const NO_LEASE: &str = ".S SSSSS lll";
/// Reserved to operators of the installation, which is none of the callers.
const OPERATORS: &str = ".S SSSSS SSS";
/// Everybody with a token of a person.
const PEOPLE: &str = ".o ooooo Uoo";

pub(crate) const ROWS: &[Row] = &[
    // WorkspaceService
    row(
        "tenantatlas.workspace.v1.WorkspaceService/CreateWorkspace",
        r#"{"request_id": "$new", "name": "Matrix"}"#,
        PEOPLE,
        PEOPLE,
    ),
    row(
        "tenantatlas.workspace.v1.WorkspaceService/GetWorkspace",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row("tenantatlas.workspace.v1.WorkspaceService/ListWorkspaces", "{}", PEOPLE, PEOPLE),
    row(
        "tenantatlas.workspace.v1.WorkspaceService/ListWorkspaceMembers",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.workspace.v1.WorkspaceService/SetWorkspaceMember",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "subject": "guest@demo.example", "role": "ROLE_READONLY"}"#,
        ".N CCCCo UCN",
        HIDDEN,
    ),
    row(
        "tenantatlas.workspace.v1.WorkspaceService/RemoveWorkspaceMember",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "subject": "gone@demo.example"}"#,
        ".N CCCCo UCN",
        HIDDEN,
    ),
    row(
        "tenantatlas.workspace.v1.WorkspaceService/SetTenantRole",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "subject": "readonly@demo.example", "role": "ROLE_READONLY"}"#,
        ".N NCCCo UCN",
        HIDDEN,
    ),
    row(
        "tenantatlas.workspace.v1.WorkspaceService/RemoveTenantRole",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "subject": "gone@demo.example"}"#,
        ".N NCCCo UCN",
        HIDDEN,
    ),
    row(
        "tenantatlas.workspace.v1.WorkspaceService/GetMyAccess",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    // TenantService
    row(
        "tenantatlas.tenant.v1.TenantService/RegisterTenant",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "name": "Matrix", "external_tenant_id": "$new"}"#,
        ".N CCCoo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/UpdateTenant",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "version": 99, "name": "Matrix"}"#,
        ".N NCCvv UvN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/GetTenant",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    row("tenantatlas.tenant.v1.TenantService/ListTenants", r#"{"workspace_id": "$workspace"}"#, ".N ooooo UoN", HIDDEN),
    row(
        "tenantatlas.tenant.v1.TenantService/ListTenants",
        r#"{"workspace_id": "$workspace", "lane": "OPERABILITY_LANE_ONBOARDING_WORKFLOW"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/SearchTenants",
        r#"{"workspace_id": "$workspace", "query": "a"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/SelectTenant",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/GetSelectedTenant",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/ClearSelectedTenant",
        r#"{"request_id": "$new", "workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/EvaluateOperability",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "lane": "OPERABILITY_LANE_TENANT_BOUND",
            "question": "OPERABILITY_QUESTION_ARCHIVE"}"#,
        ".N Noooo ooN",
        ".N NNNNN NNN",
    )
    .found_everywhere(".N NNNNN oNN"),
    row(
        "tenantatlas.tenant.v1.TenantService/BatchEvaluateOperability",
        r#"{"workspace_id": "$workspace", "checks": [{"tenant_id": "$source", "lane": "OPERABILITY_LANE_TENANT_BOUND",
            "question": "OPERABILITY_QUESTION_ARCHIVE"}]}"#,
        ".N Noooo ooN",
        ".N NNNNN NNN",
    )
    .found_everywhere(".N NNNNN oNN"),
    row(
        "tenantatlas.tenant.v1.TenantService/ListTenantActions",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/SetProviderConnection",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$target", "base_url": "$provider_url",
            "authority_url": "$provider_url", "client_id": "matrix", "credential_reference": "$credential"}"#,
        ".N NCCoo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/GetProviderConnection",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N NCCoo ooN",
        ".N NNNNN NNN",
    )
    .found_everywhere(".N NNNNN oNN"),
    row(
        "tenantatlas.tenant.v1.TenantService/StartOnboarding",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "new_tenant": {"name": "Matrix", "external_tenant_id": "$new"}}"#,
        ".N CCCoo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/StartOnboarding",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N NCCff UfN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.tenant.v1.TenantService/GetOnboarding",
        r#"{"workspace_id": "$workspace", "onboarding_id": "$onboarding"}"#,
        ".N Noooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/ListOnboardings",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.tenant.v1.TenantService/ResumeOnboarding",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "onboarding_id": "$onboarding"}"#,
        ".N NCCff UfN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.tenant.v1.TenantService/AdvanceOnboarding",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "onboarding_id": "$onboarding", "version": "1",
            "identify_tenant": {"name": "Matrix", "external_tenant_id": "$new"}}"#,
        ".N NCCff UfN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.tenant.v1.TenantService/CompleteOnboarding",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "onboarding_id": "$onboarding", "version": "1"}"#,
        ".N NCCff UfN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.tenant.v1.TenantService/CancelOnboarding",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "onboarding_id": "$onboarding", "version": "1"}"#,
        ".N NCCff UfN",
        HIDDEN,
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/ArchiveTenant",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "confirmation": "not its name"}"#,
        ".N NCCCf UCN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/RestoreTenant",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "confirmation": "not its name"}"#,
        ".N NCCCf UCN",
        HIDDEN,
    ),
    row(
        "tenantatlas.tenant.v1.TenantService/VerifyProviderConnection",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N NCCoo UoN",
        HIDDEN,
    ),
    // InventoryService
    row(
        "tenantatlas.inventory.v1.InventoryService/SyncInventory",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "policy_types": ["roleScopeTag"]}"#,
        ".N NCooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.inventory.v1.InventoryService/ListInventoryItems",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.inventory.v1.InventoryService/GetInventoryItem",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "policy_type": "roleScopeTag", "external_id": "$object"}"#,
        ".N Noooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.inventory.v1.InventoryService/ListPolicyVersions",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "policy_type": "roleScopeTag", "external_id": "$object"}"#,
        ".N Noooo UoN",
        // Nothing was ever captured of it, which is no secret to whoever may look at the tenant.
        ".N Noooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.inventory.v1.InventoryService/GetInventoryCoverage",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    row("tenantatlas.inventory.v1.InventoryService/ListPolicyTypes", "{}", ".o ooooo ooo", ".o ooooo ooo"),
    detail(
        "tenantatlas.inventory.v1.InventoryService/GetPolicyVersionContent",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "policy_version_id": "$version"}"#,
        SERVICES,
        SERVICES_ABSENT,
        SERVICES_ABSENT,
    )
    .found_everywhere(SERVICES),
    row(
        "tenantatlas.inventory.v1.InventoryService/ListReferenceNames",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        SERVICES,
        SERVICES_ABSENT,
    )
    .found_everywhere(SERVICES),
    row(
        "tenantatlas.inventory.v1.InventoryService/CapturePreImage",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "policy_type": "roleScopeTag",
            "external_id": "$object", "content_json": "$content", "run_id": "$new"}"#,
        SERVICES,
        SERVICES_ABSENT,
    )
    .found_everywhere(SERVICES),
    // DirectoryService
    row(
        "tenantatlas.directory.v1.DirectoryService/SyncDirectoryGroups",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N NCooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.directory.v1.DirectoryService/SyncDirectoryRoleDefinitions",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N NCooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.directory.v1.DirectoryService/ListDirectoryGroups",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.directory.v1.DirectoryService/ListDirectoryRoleDefinitions",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    // BackupService
    row(
        "tenantatlas.backup.v1.BackupService/CreateBackupSchedule",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "plan": {"name": "Matrix", "cron": "0 3 1 1 *", "time_zone": "UTC", "catch_up": "CATCH_UP_POLICY_SKIP", "overlap": "OVERLAP_POLICY_SKIP", "keep_last": 1}}"#,
        ".N NCCoo UoN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.backup.v1.BackupService/GetBackupSchedule",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "backup_schedule_id": "$schedule"}"#,
        ".N Noooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    row(
        "tenantatlas.backup.v1.BackupService/ListBackupSchedules",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    // Of what is archived already, which is told only to those who may change it.
    detail(
        "tenantatlas.backup.v1.BackupService/UpdateBackupSchedule",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "backup_schedule_id": "$ended", "version": 2, "plan": {"name": "Matrix", "cron": "0 3 1 1 *", "time_zone": "UTC", "catch_up": "CATCH_UP_POLICY_SKIP", "overlap": "OVERLAP_POLICY_SKIP", "keep_last": 1}}"#,
        ".N NCCff UfN",
        ".N NCCNN UNN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.backup.v1.BackupService/ArchiveBackupSchedule",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "backup_schedule_id": "$ended"}"#,
        ".N NCCoo UoN",
        ".N NCCNN UNN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.backup.v1.BackupService/RunBackupNow",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "backup_schedule_id": "$schedule"}"#,
        ".N NCooo UoN",
        ".N NCNNN UNN",
        HIDDEN,
    ),
    // There is nothing to retry about a complete set.
    detail(
        "tenantatlas.backup.v1.BackupService/RetryBackup",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "tenant_id": "$source", "backup_set_id": "$set"}"#,
        ".N NCfff UfN",
        ".N NCNNN UNN",
        HIDDEN,
    ),
    row(
        "tenantatlas.backup.v1.BackupService/ListBackupSets",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source"}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.backup.v1.BackupService/GetBackupSet",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "backup_set_id": "$set"}"#,
        ".N Noooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.backup.v1.BackupService/ListBackupSetEntries",
        r#"{"workspace_id": "$workspace", "tenant_id": "$source", "backup_set_id": "$set"}"#,
        ".N Noooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    // RestoreService
    detail(
        "tenantatlas.restore.v1.RestoreService/PreviewRestore",
        r#"{"selection": {"workspace_id": "$workspace", "tenant_id": "$source", "backup_set": {"backup_set_id": "$set"}}}"#,
        ".N Noooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.restore.v1.RestoreService/ExecuteRestore",
        r#"{"request_id": "$new", "preview_fingerprint": "not the one that there is",
            "selection": {"workspace_id": "$workspace", "tenant_id": "$source", "backup_set": {"backup_set_id": "$set"}},
            "confirmation": {"tenant_id": "$source", "create_count": 1, "update_count": 0, "blocked_count": 0}}"#,
        ".N NCCff UfN",
        ".N NCCNN UNN",
        HIDDEN,
    ),
    // CompareService
    row("tenantatlas.compare.v1.CompareService/PreviewCompare", r#"{"selection": $selection}"#, ".N Noooo UoN", HIDDEN),
    detail(
        "tenantatlas.compare.v1.CompareService/DiffSubject",
        r#"{"selection": $selection, "subject_key": "$subject"}"#,
        ".N Noooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    row(
        "tenantatlas.compare.v1.CompareService/GeneratePromotionPreflight",
        r#"{"selection": $selection}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    row("tenantatlas.compare.v1.CompareService/ExportCompare", r#"{"selection": $selection}"#, ".N Noooo UoN", HIDDEN),
    row(
        "tenantatlas.compare.v1.CompareService/DerivePromotionPlan",
        r#"{"selection": $selection}"#,
        ".S SSSSS UoN",
        ".S SSSSS UNN",
    ),
    // PromotionService
    row(
        "tenantatlas.promotion.v1.PromotionService/ExecutePromotion",
        r#"{"request_id": "$new", "selection": $selection, "preflight_fingerprint": "not the one that there is",
            "confirmation": {"source_tenant_id": "$source", "target_tenant_id": "$target", "ready_count": 1, "excluded_count": 0}}"#,
        ".N NCCff UfN",
        HIDDEN,
    ),
    row(
        "tenantatlas.promotion.v1.PromotionService/WatchPromotionRuns",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.promotion.v1.PromotionService/WatchPromotionRuns",
        r#"{"workspace_id": "$workspace", "tenant_ids": ["$source"]}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.promotion.v1.PromotionService/WatchPromotionRuns",
        r#"{"run_id": "$promotion"}"#,
        ".N NCCoo UoN",
        HIDDEN,
        HIDDEN,
    ),
    // OperationRunService
    row(
        "tenantatlas.operation.v1.OperationRunService/StartOperationRun",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "type": "directory_groups.sync", "tenant_id": "$source"}"#,
        ".S SSSSS UoN",
        ".S SSSSS UNN",
    ),
    row(
        "tenantatlas.operation.v1.OperationRunService/LookupOperationRun",
        r#"{"workspace_id": "$workspace", "request_id": "$new"}"#,
        ".S SSSSS ooN",
        ".S SSSSS oNN",
    ),
    row(
        "tenantatlas.operation.v1.OperationRunService/ImportOperationRuns",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "runs": [{"external_id": "$new", "type": "inventory.sync", "tenant_id": "$source", "outcome": "OPERATION_RUN_OUTCOME_SUCCEEDED", "initiator_name": "Ada", "create_time": "2024-01-02T00:00:00Z", "complete_time": "2024-01-02T00:01:00Z"}]}"#,
        ".N NCCCo UCN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunService/GetOperationRun",
        r#"{"run_id": "$run"}"#,
        ".N NCooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunService/GetOperationRun",
        r#"{"run_id": "$promotion"}"#,
        ".N NCCoo UoN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunService/ExplainOperationRun",
        r#"{"run_id": "$promotion"}"#,
        ".N NCCoo UoN",
        HIDDEN,
        HIDDEN,
    ),
    row(
        "tenantatlas.operation.v1.OperationRunService/GetAttentionCounts",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.operation.v1.OperationRunService/GetAttentionCounts",
        r#"{"workspace_id": "$workspace", "tenant_ids": ["$source"]}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.operation.v1.OperationRunService/ListOperationRuns",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.operation.v1.OperationRunService/ListOperationRuns",
        r#"{"workspace_id": "$workspace", "filter": {"tenant_ids": ["$source"]}}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunService/ListOperationRunItems",
        r#"{"run_id": "$run"}"#,
        ".N NCooo UoN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunService/ListOperationRunItems",
        r#"{"run_id": "$promotion"}"#,
        ".N NCCoo UoN",
        HIDDEN,
        HIDDEN,
    ),
    row(
        "tenantatlas.operation.v1.OperationRunService/WatchOperationRuns",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.operation.v1.OperationRunService/WatchOperationRuns",
        r#"{"workspace_id": "$workspace", "filter": {"tenant_ids": ["$source"]}}"#,
        ".N Noooo UoN",
        HIDDEN,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunService/WatchOperationRuns",
        r#"{"run_id": "$promotion"}"#,
        ".N NCCoo UoN",
        HIDDEN,
        HIDDEN,
    ),
    // Both have ended, which is told only to those who may stop them.
    detail(
        "tenantatlas.operation.v1.OperationRunService/CancelOperationRun",
        r#"{"request_id": "$new", "run_id": "$run"}"#,
        ".N NCfff UfN",
        HIDDEN,
        HIDDEN,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunService/CancelOperationRun",
        r#"{"request_id": "$new", "run_id": "$promotion"}"#,
        ".N NCCff UfN",
        HIDDEN,
        HIDDEN,
    ),
    // OperationRunWorkerService
    row(
        "tenantatlas.operation.v1.OperationRunWorkerService/ClaimOperationRuns",
        r#"{"worker": "matrix", "types": ["provider_connection.verify"], "max_runs": 1}"#,
        SERVICES,
        SERVICES,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunWorkerService/ListClaimedItems",
        r#"{"lease": {"run_id": "$run", "fence": 99}}"#,
        NO_LEASE,
        NO_LEASE,
        NO_LEASE,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunWorkerService/RenewLease",
        r#"{"lease": {"run_id": "$run", "fence": 99}}"#,
        NO_LEASE,
        NO_LEASE,
        NO_LEASE,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunWorkerService/RecordItemIntents",
        r#"{"lease": {"run_id": "$run", "fence": 99}, "intents": [{"ordinal": 1, "action": "create",
            "desired_hash": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}]}"#,
        NO_LEASE,
        NO_LEASE,
        NO_LEASE,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunWorkerService/ReportItemOutcomes",
        r#"{"lease": {"run_id": "$run", "fence": 99}, "outcomes": [{"ordinal": 1, "state": "ITEM_STATE_SUCCEEDED"}]}"#,
        NO_LEASE,
        NO_LEASE,
        NO_LEASE,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunWorkerService/CompleteOperationRun",
        r#"{"lease": {"run_id": "$run", "fence": 99}}"#,
        NO_LEASE,
        NO_LEASE,
        NO_LEASE,
    ),
    detail(
        "tenantatlas.operation.v1.OperationRunWorkerService/ReleaseOperationRun",
        r#"{"lease": {"run_id": "$run", "fence": 99}}"#,
        NO_LEASE,
        NO_LEASE,
        NO_LEASE,
    ),
    // OperationalControlService; a type that nothing in the matrix waits for
    row(
        "tenantatlas.control.v1.OperationalControlService/PauseOperationType",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "type": "restore.execute", "reason": "Matrix"}"#,
        ".N CCCoo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.control.v1.OperationalControlService/PauseOperationType",
        r#"{"request_id": "$new", "type": "restore.execute", "reason": "Matrix"}"#,
        OPERATORS,
        OPERATORS,
    ),
    row(
        "tenantatlas.control.v1.OperationalControlService/ResumeOperationType",
        r#"{"request_id": "$new", "workspace_id": "$workspace", "type": "restore.execute", "reason": "Matrix"}"#,
        ".N CCCoo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.control.v1.OperationalControlService/ResumeOperationType",
        r#"{"request_id": "$new", "type": "restore.execute", "reason": "Matrix"}"#,
        OPERATORS,
        OPERATORS,
    ),
    row(
        "tenantatlas.control.v1.OperationalControlService/ListOperationalControls",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row("tenantatlas.control.v1.OperationalControlService/ListOperationalControls", "{}", OPERATORS, OPERATORS),
    // NotificationService
    row(
        "tenantatlas.notification.v1.NotificationService/ListNotifications",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.notification.v1.NotificationService/GetUnreadCount",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.notification.v1.NotificationService/MarkNotificationsRead",
        r#"{"workspace_id": "$workspace", "run_ids": ["$new"]}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.notification.v1.NotificationService/WatchNotifications",
        r#"{"workspace_id": "$workspace"}"#,
        ".N ooooo UoN",
        HIDDEN,
    ),
    // AuditService
    row(
        "tenantatlas.audit.v1.AuditService/RecordAuditEvent",
        r#"{"event": {"entry_id": "$new", "workspace_id": "$workspace", "action": "matrix.checked"}}"#,
        SERVICES,
        SERVICES,
    ),
    row(
        "tenantatlas.audit.v1.AuditService/ListAuditEvents",
        r#"{"workspace_id": "$workspace"}"#,
        ".N CCCoo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.audit.v1.AuditService/ExportAuditEvents",
        r#"{"workspace_id": "$workspace"}"#,
        ".N CCCoo UoN",
        HIDDEN,
    ),
    row(
        "tenantatlas.audit.v1.AuditService/VerifyAuditTrail",
        r#"{"workspace_id": "$workspace"}"#,
        ".N CCCoo UoN",
        HIDDEN,
    ),
];
