//! What an operator repeats before a restore starts.

use crate::id::TenantId;

/// What is confirmed, as said by the operator or as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreConfirmation {
    /// The tenant that is written to.
    pub tenant: TenantId,
    /// How many policies will be created.
    pub create_count: u64,
    /// How many policies will be updated.
    pub update_count: u64,
    /// How many policies will be left out because they are blocked.
    pub blocked_count: u64,
}

/// What does not match. Named as the field of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfirmationField {
    /// The tenant.
    Tenant,
    /// The number of policies to be created.
    CreateCount,
    /// The number of policies to be updated.
    UpdateCount,
    /// The number of blocked policies.
    BlockedCount,
}

impl ConfirmationField {
    /// The field's name in the request.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConfirmationField::Tenant => "tenant_id",
            ConfirmationField::CreateCount => "create_count",
            ConfirmationField::UpdateCount => "update_count",
            ConfirmationField::BlockedCount => "blocked_count",
        }
    }
}

/// What was confirmed is not what would happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the confirmation does not match the preview in {}", .0.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", "))]
pub struct ConfirmationMismatch(
    /// Every field that differs, in the order of the request; never empty.
    pub Vec<ConfirmationField>,
);

/// Checks what an operator confirmed against what would happen; all of it must be the same.
///
/// # Errors
/// Every field that differs.
pub fn confirm(confirmed: &RestoreConfirmation, actual: &RestoreConfirmation) -> Result<(), ConfirmationMismatch> {
    let differing = [
        (ConfirmationField::Tenant, confirmed.tenant != actual.tenant),
        (ConfirmationField::CreateCount, confirmed.create_count != actual.create_count),
        (ConfirmationField::UpdateCount, confirmed.update_count != actual.update_count),
        (ConfirmationField::BlockedCount, confirmed.blocked_count != actual.blocked_count),
    ];
    let fields: Vec<_> = differing.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
    if fields.is_empty() { Ok(()) } else { Err(ConfirmationMismatch(fields)) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_combination_of_differences_is_named() {
        let actual = RestoreConfirmation {
            tenant: TenantId(Uuid::from_u128(1)),
            create_count: 2,
            update_count: 3,
            blocked_count: 4,
        };
        assert_eq!(confirm(&actual, &actual), Ok(()));
        for mask in 1u8..16 {
            let differs = |bit: u8| mask & (1 << bit) != 0;
            let confirmed = RestoreConfirmation {
                tenant: TenantId(Uuid::from_u128(if differs(0) { 9 } else { 1 })),
                create_count: 2 + u64::from(differs(1)),
                update_count: 3 - u64::from(differs(2)),
                blocked_count: 4 + u64::from(differs(3)),
            };
            let fields = [
                ConfirmationField::Tenant,
                ConfirmationField::CreateCount,
                ConfirmationField::UpdateCount,
                ConfirmationField::BlockedCount,
            ];
            let expected = fields.into_iter().zip(0u8..).filter_map(|(field, bit)| differs(bit).then_some(field));
            assert_eq!(confirm(&confirmed, &actual), Err(ConfirmationMismatch(expected.collect())));
        }
    }

    #[test]
    fn a_mismatch_is_told_by_the_names_of_the_request() {
        let mismatch = ConfirmationMismatch(vec![ConfirmationField::Tenant, ConfirmationField::UpdateCount]);
        assert_eq!(mismatch.to_string(), "the confirmation does not match the preview in tenant_id, update_count");
    }
}
