//! Why a subject is not ready. Codes are for machines and never change; sentences are for operators and name things as
//! people do.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::access::UnknownName;
use crate::id::PolicyType;
use crate::reference::{MappingFault, Reference};

/// What a reason makes of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReasonClass {
    /// Something forbids promoting it.
    Blocked,
    /// A person has to say what is meant.
    ManualMappingRequired,
}

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $class:ident;)+) => {
        /// Why a subject is not ready.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ReasonCode {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl ReasonCode {
            /// Every reason, the blocking ones first.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$variant),+];

            /// The stable code.
            pub const fn as_str(self) -> &'static str {
                match self { $(ReasonCode::$variant => $name),+ }
            }

            /// What it makes of a subject.
            pub const fn class(self) -> ReasonClass {
                match self { $(ReasonCode::$variant => ReasonClass::$class),+ }
            }
        }
    };
}

reason_codes! {
    /// The source's content was not captured, or not wholly.
    SourceContentMissing => "SOURCE_CONTENT_MISSING", Blocked;
    /// What is known of the source is too old, or its last reading failed.
    SourceEvidenceStale => "SOURCE_EVIDENCE_STALE", Blocked;
    /// What is known of the target is too old, or its last reading failed.
    TargetEvidenceStale => "TARGET_EVIDENCE_STALE", Blocked;
    /// The type is compared only.
    PolicyTypeNotPromotable => "POLICY_TYPE_NOT_PROMOTABLE", Blocked;
    /// The content holds values that the provider does not give back.
    SecretValueUnavailable => "SECRET_VALUE_UNAVAILABLE", Blocked;
    /// The source tenant is not active.
    SourceTenantNotOperable => "SOURCE_TENANT_NOT_OPERABLE", Blocked;
    /// The target tenant is not active.
    TargetTenantNotOperable => "TARGET_TENANT_NOT_OPERABLE", Blocked;
    /// The target tenant has no provider connection.
    ProviderConnectionMissing => "PROVIDER_CONNECTION_MISSING", Blocked;
    /// The target's provider connection may not handle the type.
    ProviderPermissionDenied => "PROVIDER_PERMISSION_DENIED", Blocked;
    /// Writes of the type wait for a person's approval in the target.
    ProviderApprovalRequired => "PROVIDER_APPROVAL_REQUIRED", Blocked;
    /// A field that cannot change differs.
    ImmutableFieldDiffers => "IMMUTABLE_FIELD_DIFFERS", Blocked;
    /// Every tenant has this object from the start.
    ProviderDefaultObject => "PROVIDER_DEFAULT_OBJECT", Blocked;
    /// The provider would refuse the content.
    ContentInvalid => "CONTENT_INVALID", Blocked;
    /// Several objects of the source have this identity.
    AmbiguousSource => "AMBIGUOUS_SOURCE", ManualMappingRequired;
    /// Several objects of the target have this identity.
    AmbiguousTarget => "AMBIGUOUS_TARGET", ManualMappingRequired;
    /// A group has no counterpart.
    UnmappedGroup => "UNMAPPED_GROUP", ManualMappingRequired;
    /// An assignment filter has no counterpart.
    UnmappedAssignmentFilter => "UNMAPPED_ASSIGNMENT_FILTER", ManualMappingRequired;
    /// A scope tag has no counterpart.
    UnmappedScopeTag => "UNMAPPED_SCOPE_TAG", ManualMappingRequired;
    /// Another object has no counterpart.
    UnmappedReference => "UNMAPPED_REFERENCE", ManualMappingRequired;
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ReasonCode {
    type Err = UnknownName;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let known = ReasonCode::ALL.iter().copied().find(|code| code.as_str() == value);
        known.ok_or_else(|| UnknownName::new("readiness reason", value))
    }
}

/// A reason with a sentence an operator can act on. Sorted by code, blocking ones first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// The sentence. Names things as people do; no ids.
    pub message: String,
}

impl Reason {
    pub(crate) fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The code for a reference of this kind without a counterpart.
pub(crate) fn unmapped(kind: &PolicyType) -> ReasonCode {
    match kind.as_str() {
        PolicyType::GROUP => ReasonCode::UnmappedGroup,
        PolicyType::ASSIGNMENT_FILTER => ReasonCode::UnmappedAssignmentFilter,
        PolicyType::ROLE_SCOPE_TAG => ReasonCode::UnmappedScopeTag,
        _ => ReasonCode::UnmappedReference,
    }
}

/// What kept the object that a reference needs from being there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It is not part of this promotion.
    LeftOut,
    /// It is, but is not ready itself.
    Unready,
    /// Nobody knows: the target's objects of that kind were not read.
    Unread,
}

/// The sentence for a reference that the target's names cannot carry. `label` is what the kind is called.
pub(super) fn mapping_fault(reference: &Reference, fault: MappingFault, label: &str) -> Reason {
    let (name, label) = (&reference.display_name, in_sentence(label));
    let message = match fault {
        MappingFault::UnknownInSource => format!(
            "It refers to an object of type {label} that is unknown in the source tenant (at {}). Sync the source tenant, or \
             remove the reference there.",
            reference.path
        ),
        MappingFault::AmbiguousInSource => format!(
            "The source tenant has several objects of type {label} named \"{name}\". Give them different names and sync the \
             source tenant."
        ),
        MappingFault::AmbiguousInTarget => format!(
            "The target tenant has several objects of type {label} named \"{name}\". Give them different names and sync the \
             target tenant."
        ),
        MappingFault::MissingInTarget => missing_in_target(&label, name),
    };
    Reason::new(unmapped(&reference.kind), message)
}

/// The sentence for a reference whose object the target does not have and will not get by this promotion.
pub(super) fn absent(reference: &Reference, absent: Absent, label: &str) -> Reason {
    let (name, label) = (&reference.display_name, in_sentence(label));
    let message = match absent {
        Absent::LeftOut => missing_in_target(&label, name),
        Absent::Unread => format!(
            "It needs the {label} \"{name}\", and objects of that type have not been read in the target tenant. Sync the target \
             tenant."
        ),
        Absent::Unready => format!(
            "It needs the {label} \"{name}\", which the target tenant does not have and which is not ready to be promoted \
             itself. Resolve that first."
        ),
    };
    Reason::new(unmapped(&reference.kind), message)
}

fn missing_in_target(label: &str, name: &str) -> String {
    format!(
        "The target tenant has no {label} named \"{name}\". Create it there and sync the target tenant, or promote it along."
    )
}

/// A label in the middle of a sentence: `Assignment filter` loses its capital, `ADMX policy` keeps it.
pub(crate) fn in_sentence(label: &str) -> String {
    let mut chars = label.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(std::iter::once(second)).chain(chars).collect()
        }
        _ => label.to_owned(),
    }
}

/// A length of time as people say it, rounded down to its largest unit.
pub(crate) fn span(duration: Duration) -> String {
    let (count, unit) = match duration.whole_seconds() {
        seconds if seconds >= 2 * 86_400 => (seconds / 86_400, "day"),
        seconds if seconds >= 2 * 3_600 => (seconds / 3_600, "hour"),
        seconds if seconds >= 120 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_contract() {
        let of_class = |class| -> Vec<_> {
            ReasonCode::ALL.iter().filter(|code| code.class() == class).map(|code| code.as_str()).collect()
        };
        assert_eq!(
            of_class(ReasonClass::Blocked),
            [
                "SOURCE_CONTENT_MISSING",
                "SOURCE_EVIDENCE_STALE",
                "TARGET_EVIDENCE_STALE",
                "POLICY_TYPE_NOT_PROMOTABLE",
                "SECRET_VALUE_UNAVAILABLE",
                "SOURCE_TENANT_NOT_OPERABLE",
                "TARGET_TENANT_NOT_OPERABLE",
                "PROVIDER_CONNECTION_MISSING",
                "PROVIDER_PERMISSION_DENIED",
                "PROVIDER_APPROVAL_REQUIRED",
                "IMMUTABLE_FIELD_DIFFERS",
                "PROVIDER_DEFAULT_OBJECT",
                "CONTENT_INVALID",
            ]
        );
        assert_eq!(
            of_class(ReasonClass::ManualMappingRequired),
            [
                "AMBIGUOUS_SOURCE",
                "AMBIGUOUS_TARGET",
                "UNMAPPED_GROUP",
                "UNMAPPED_ASSIGNMENT_FILTER",
                "UNMAPPED_SCOPE_TAG",
                "UNMAPPED_REFERENCE",
            ]
        );
        for code in ReasonCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn spans_read_as_people_say_them() {
        let table = [
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_200, "2 hours"),
            (86_400, "24 hours"),
            (259_200, "3 days"),
        ];
        for (seconds, expected) in table {
            assert_eq!(span(Duration::seconds(seconds)), expected);
        }
    }

    #[test]
    fn labels_lose_their_capital_inside_a_sentence_unless_they_are_acronyms() {
        assert_eq!(in_sentence("Assignment filter"), "assignment filter");
        assert_eq!(in_sentence("ADMX policy"), "ADMX policy");
        assert_eq!(in_sentence(""), "");
    }
}
