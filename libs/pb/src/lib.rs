//! Generated messages, clients and servers of `proto/`, and the descriptor set that reflection and tests read.
//! Nothing here is written by hand; the comments are those of the `.proto` files.
#![allow(clippy::all, unreachable_pub, unused_qualifications, rustdoc::all)]

/// Every file of `proto/` with its imports, comments and custom options, as an encoded `FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The package `tenantatlas`, laid out as the generated code refers to it.
pub mod tenantatlas {
    pub mod audit {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.audit.v1");
        }
    }
    pub mod backup {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.backup.v1");
        }
    }
    pub mod compare {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.compare.v1");
        }
    }
    pub mod control {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.control.v1");
        }
    }
    pub mod directory {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.directory.v1");
        }
    }
    pub mod inventory {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.inventory.v1");
        }
    }
    pub mod notification {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.notification.v1");
        }
    }
    pub mod operation {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.operation.v1");
        }
    }
    pub mod promotion {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.promotion.v1");
        }
    }
    pub mod restore {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.restore.v1");
        }
    }
    pub mod tenant {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.tenant.v1");
        }
    }
    pub mod workspace {
        pub mod v1 {
            tonic::include_proto!("tenantatlas.workspace.v1");
        }
    }
}

pub use tenantatlas::audit::v1 as audit;
pub use tenantatlas::backup::v1 as backup;
pub use tenantatlas::compare::v1 as compare;
pub use tenantatlas::control::v1 as control;
pub use tenantatlas::directory::v1 as directory;
pub use tenantatlas::inventory::v1 as inventory;
pub use tenantatlas::notification::v1 as notification;
pub use tenantatlas::operation::v1 as operation;
pub use tenantatlas::promotion::v1 as promotion;
pub use tenantatlas::restore::v1 as restore;
pub use tenantatlas::tenant::v1 as tenant;
pub use tenantatlas::workspace::v1 as workspace;
