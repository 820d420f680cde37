//! Canonical protobuf JSON, as every other client of the API gets it.

use std::sync::LazyLock;

use pb::{
    audit, backup, compare, control, directory, inventory, notification, operation, promotion, restore, tenant,
    workspace,
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).expect("the build writes a valid descriptor set"));

/// A message that is printed, with its name in the descriptors.
pub(crate) trait Named: Message {
    const NAME: &'static str;
}

macro_rules! named {
    ($($package:ident: $($message:ident),+;)+) => {
        $($(impl Named for $package::$message {
            const NAME: &'static str = concat!("tenantatlas.", stringify!($package), ".v1.", stringify!($message));
        })+)+
        #[cfg(test)]
        const NAMES: &[&str] = &[$($(<$package::$message as Named>::NAME),+),+];
    };
}

named! {
    audit: AuditEvent, ListAuditEventsResponse, VerifyAuditTrailResponse;
    backup: ArchiveBackupScheduleResponse, BackupSchedule, BackupSet, BackupSetEntry, CreateBackupScheduleResponse,
        ListBackupSchedulesResponse, ListBackupSetEntriesResponse, ListBackupSetsResponse, RetryBackupResponse,
        RunBackupNowResponse;
    compare: ComparedSubject, DiffSubjectResponse, GeneratePromotionPreflightResponse, PreflightSubject, PreviewCompareResponse;
    control: ListOperationalControlsResponse, OperationalControl, PauseOperationTypeResponse, ResumeOperationTypeResponse;
    directory: DirectoryGroup, DirectoryRoleDefinition, ListDirectoryGroupsResponse, ListDirectoryRoleDefinitionsResponse,
        SyncDirectoryGroupsResponse, SyncDirectoryRoleDefinitionsResponse;
    inventory: SyncInventoryResponse;
    notification: ListNotificationsResponse, MarkNotificationsReadResponse, Notification;
    operation: CancelOperationRunResponse, ExplainOperationRunResponse, GetAttentionCountsResponse, ListOperationRunsResponse, OperationRun, OperationRunItem, WatchOperationRunsResponse;
    promotion: ExecutePromotionResponse;
    restore: ExecuteRestoreResponse, PreviewRestoreResponse, RestorePolicy;
    tenant: ListOnboardingsResponse, ListTenantActionsResponse, ListTenantsResponse, Onboarding, ProviderConnection,
        SearchTenantsResponse, Tenant, TenantAction, VerifyProviderConnectionResponse;
    workspace: GetMyAccessResponse, ListWorkspacesResponse, Workspace;
}

/// The message as JSON.
pub(crate) fn of<M: Named>(message: &M) -> Value {
    let descriptor = POOL.get_message_by_name(M::NAME).expect("the name was made from the type's path");
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .expect("a message of this type was encoded just now");
    serde_json::to_value(dynamic).expect("a message has a form in JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_the_descriptors() {
        for name in NAMES {
            assert!(POOL.get_message_by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn json_is_the_canonical_one() {
        let run = operation::OperationRun {
            run_id: "r".into(),
            status: operation::OperationRunStatus::Running.into(),
            revision: 7,
            summary_counts: Some(operation::SummaryCounts { failed: Some(0), ..Default::default() }),
            ..Default::default()
        };
        let expected = serde_json::json!({
            "runId": "r", "status": "OPERATION_RUN_STATUS_RUNNING", "revision": "7", "summaryCounts": { "failed": 0 }
        });
        assert_eq!(of(&run), expected);
    }
}
