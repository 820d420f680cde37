//! Groups, role definitions, and of when they are.

use domain::directory::{Membership, RoleScope};
use pb::directory as wire;
use server::failure::Failure;
use server::fields;

use super::count;
use crate::directory::Freshness;
use crate::store::directory_group::CachedGroup;
use crate::store::directory_role_definition::CachedRoleDefinition;

/// A scope; unspecified is none.
pub fn parse_scope(field: &str, value: i32) -> Result<Option<RoleScope>, Failure> {
    if value == 0 {
        return Ok(None);
    }
    Ok(match fields::choice(field, value)? {
        wire::RoleDefinitionScope::Unspecified => None,
        wire::RoleDefinitionScope::Directory => Some(RoleScope::Directory),
        wire::RoleDefinitionScope::Intune => Some(RoleScope::Intune),
    })
}

/// A group.
pub fn to_group(cached: CachedGroup) -> wire::DirectoryGroup {
    let group = cached.group;
    let membership = match group.membership {
        Membership::Assigned => wire::GroupMembership::Assigned,
        Membership::Dynamic => wire::GroupMembership::Dynamic,
    };
    wire::DirectoryGroup {
        external_id: group.entry.external_id.0,
        display_name: group.entry.display_name,
        security_enabled: group.security_enabled,
        mail_enabled: group.mail_enabled,
        membership: membership.into(),
        on_premises: group.on_premises,
        role_assignable: group.role_assignable,
        last_observed_time: Some(fields::to_timestamp(cached.observed_at)),
    }
}

/// A role definition.
pub fn to_role_definition(cached: CachedRoleDefinition) -> wire::DirectoryRoleDefinition {
    let scope = match cached.scope {
        RoleScope::Directory => wire::RoleDefinitionScope::Directory,
        RoleScope::Intune => wire::RoleDefinitionScope::Intune,
    };
    let role = cached.role;
    wire::DirectoryRoleDefinition {
        scope: scope.into(),
        external_id: role.entry.external_id.0,
        display_name: role.entry.display_name,
        description: role.entry.description,
        built_in: role.built_in,
        template_id: role.template_id,
        last_observed_time: Some(fields::to_timestamp(cached.observed_at)),
    }
}

/// Of when a collection is.
pub fn to_freshness(freshness: Freshness) -> wire::DirectoryFreshness {
    let collection = freshness.collection.to_owned();
    match freshness.sync {
        None => wire::DirectoryFreshness { collection, ..Default::default() },
        Some(sync) => wire::DirectoryFreshness {
            collection,
            sync_time: Some(fields::to_timestamp(sync.began_at)),
            observed_count: count(u64::try_from(sync.observed_count).unwrap_or_default()),
            run_id: sync.run_id.to_string(),
        },
    }
}
