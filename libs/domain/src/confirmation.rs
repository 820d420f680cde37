//! What an operator repeats before a promotion starts, or before a tenant is put aside or brought back, so that nobody does it to
//! something else than what was shown.

use crate::id::TenantId;

/// What is confirmed, as said by the operator or as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The tenant that content comes from.
    pub source: TenantId,
    /// The tenant that is written to.
    pub target: TenantId,
    /// How many subjects will be promoted.
    pub ready_count: u64,
    /// How many subjects will be left out: blocked ones and those that need manual mapping.
    pub excluded_count: u64,
}

/// What does not match. Named as the field of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfirmationField {
    /// The source tenant.
    SourceTenant,
    /// The target tenant.
    TargetTenant,
    /// The number of ready subjects.
    ReadyCount,
    /// The number of excluded subjects.
    ExcludedCount,
}

impl ConfirmationField {
    /// The field's name in the request.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConfirmationField::SourceTenant => "source_tenant_id",
            ConfirmationField::TargetTenant => "target_tenant_id",
            ConfirmationField::ReadyCount => "ready_count",
            ConfirmationField::ExcludedCount => "excluded_count",
        }
    }
}

/// What was confirmed is not what would happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the confirmation does not match the preflight in {}", names(.0))]
pub struct ConfirmationMismatch(
    /// Every field that differs, in the order of the request; never empty.
    pub Vec<ConfirmationField>,
);

fn names(fields: &[ConfirmationField]) -> String {
    fields.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ")
}

/// Checks what an operator confirmed against what would happen; all four must be the same.
pub fn confirm(confirmed: &Confirmation, actual: &Confirmation) -> Result<(), ConfirmationMismatch> {
    let differing = [
        (ConfirmationField::SourceTenant, confirmed.source != actual.source),
        (ConfirmationField::TargetTenant, confirmed.target != actual.target),
        (ConfirmationField::ReadyCount, confirmed.ready_count != actual.ready_count),
        (ConfirmationField::ExcludedCount, confirmed.excluded_count != actual.excluded_count),
    ];
    let fields: Vec<_> = differing.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
    if fields.is_empty() { Ok(()) } else { Err(ConfirmationMismatch(fields)) }
}

/// What was repeated is not the tenant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the confirmation does not repeat the name of the tenant as it is now")]
pub struct NameMismatch;

/// Checks that an operator repeated the name of the tenant, letter by letter.
pub fn confirm_name(confirmed: &str, name: &str) -> Result<(), NameMismatch> {
    if confirmed == name { Ok(()) } else { Err(NameMismatch) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ACTUAL: Confirmation = Confirmation {
        source: TenantId(Uuid::from_u128(1)),
        target: TenantId(Uuid::from_u128(2)),
        ready_count: 3,
        excluded_count: 4,
    };

    #[test]
    fn what_matches_is_confirmed() {
        assert_eq!(confirm(&ACTUAL, &ACTUAL), Ok(()));
    }

    #[test]
    fn a_name_is_repeated_letter_by_letter() {
        assert_eq!(confirm_name("Contoso", "Contoso"), Ok(()));
        for other in ["", "contoso", "Contoso ", "Contoso2"] {
            assert_eq!(confirm_name(other, "Contoso"), Err(NameMismatch), "{other}");
        }
    }

    #[test]
    fn every_combination_of_differences_is_named() {
        for mask in 1u8..16 {
            let differs = |bit: u8| mask & (1 << bit) != 0;
            let confirmed = Confirmation {
                source: if differs(0) { ACTUAL.target } else { ACTUAL.source },
                target: if differs(1) { ACTUAL.source } else { ACTUAL.target },
                ready_count: ACTUAL.ready_count + u64::from(differs(2)),
                excluded_count: ACTUAL.excluded_count - u64::from(differs(3)),
            };
            let expected: Vec<_> = [
                ConfirmationField::SourceTenant,
                ConfirmationField::TargetTenant,
                ConfirmationField::ReadyCount,
                ConfirmationField::ExcludedCount,
            ]
            .into_iter()
            .zip(0u8..)
            .filter_map(|(field, bit)| differs(bit).then_some(field))
            .collect();
            assert_eq!(confirm(&confirmed, &ACTUAL), Err(ConfirmationMismatch(expected)));
        }
    }

    #[test]
    fn swapped_tenants_are_told_by_name() {
        let swapped = Confirmation { source: ACTUAL.target, target: ACTUAL.source, ..ACTUAL };
        let message = confirm(&swapped, &ACTUAL).unwrap_err().to_string();
        assert_eq!(message, "the confirmation does not match the preflight in source_tenant_id, target_tenant_id");
    }
}
