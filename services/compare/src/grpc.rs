//! The wire: requests are parsed once into values, use cases answer with values, converters make messages of them. Nothing
//! here decides.

pub mod convert;

mod backup;
mod compare;
mod directory;
mod inventory;
mod restore;
mod tenant;
mod workspace;

use server::Services;
use server::config::Limits;

use crate::state::State;

/// A request that captures a pre-image of the largest content, with what stands beside the content.
const PRE_IMAGE_REQUEST_BYTES: usize = crate::inventory::MAX_CONTENT_BYTES + 64 * 1024;

/// The services of this process over one state.
#[derive(Debug, Clone)]
pub struct Api {
    state: State,
}

impl Api {
    /// Answers out of `state`.
    pub fn new(state: State) -> Self {
        Self { state }
    }

    /// The generated servers, with their message limits.
    pub fn services(self, limits: &Limits) -> Services {
        use pb::backup::backup_service_server::BackupServiceServer;
        use pb::compare::compare_service_server::CompareServiceServer;
        use pb::directory::directory_service_server::DirectoryServiceServer;
        use pb::inventory::inventory_service_server::InventoryServiceServer;
        use pb::restore::restore_service_server::RestoreServiceServer;
        use pb::tenant::tenant_service_server::TenantServiceServer;
        use pb::workspace::workspace_service_server::WorkspaceServiceServer;
        macro_rules! limited {
            ($server:ident) => {
                limited!($server, limits.max_request_bytes)
            };
            ($server:ident, $request_bytes:expr) => {
                $server::new(self.clone())
                    .max_decoding_message_size($request_bytes)
                    .max_encoding_message_size(limits.max_response_bytes)
            };
        }
        Services::new()
            .add(limited!(WorkspaceServiceServer))
            .add(limited!(TenantServiceServer))
            .add(limited!(InventoryServiceServer, limits.max_request_bytes.max(PRE_IMAGE_REQUEST_BYTES)))
            .add(limited!(CompareServiceServer))
            .add(limited!(DirectoryServiceServer))
            .add(limited!(BackupServiceServer))
            .add(limited!(RestoreServiceServer))
    }
}
