//! What a person reads before saying yes to a restore: which tenant is changed, what is done to what, and what is left out.

use pb::restore::{PreviewRestoreResponse, RestorePolicy};

use crate::screen::{Colour, painted};
use crate::table::one_line;
use crate::words;

/// Policies that are named; the rest are counted.
const NAMED: usize = 12;

/// The text.
pub(super) fn text(preview: &PreviewRestoreResponse, colour: bool) -> String {
    let counts = preview.counts.unwrap_or_default();
    let mut text = format!(
        "{}\n\n  Tenant     {}\n\n",
        painted("Execute restore", Colour::Bold, colour),
        one_line(&preview.tenant_name)
    );
    text += &format!(
        "  Restored   {:>4}  ({} to create, {} to update)\n",
        written(preview),
        counts.create(),
        counts.update()
    );
    text += &format!("  Unchanged  {:>4}\n  Blocked    {:>4}\n", counts.unchanged(), counts.blocked());
    for reason in &preview.reason_counts {
        text += &format!("             {:>4} × {}\n", reason.count(), reason.reason);
    }
    if !preview.policies.is_empty() {
        text += "\n";
        text += &preview.policies.iter().take(NAMED).map(policy).collect::<String>();
        match preview.policies.len().saturating_sub(NAMED) {
            0 => {}
            more => text += &format!("    ... and {more} more: atlasctl restore preview --fate create,update\n"),
        }
    }
    text + &format!("\n  What is replaced is kept as a version first.\n  Preview    {}\n", preview.fingerprint)
}

/// The question below it.
pub(super) fn question(preview: &PreviewRestoreResponse) -> String {
    let what = match written(preview) {
        1 => "1 policy".to_owned(),
        many => format!("{many} policies"),
    };
    format!("Restore {what} in {}?", one_line(&preview.tenant_name))
}

fn written(preview: &PreviewRestoreResponse) -> i32 {
    let counts = preview.counts.unwrap_or_default();
    counts.create() + counts.update()
}

fn policy(policy: &RestorePolicy) -> String {
    let (fate, name) = (words::restore_fate(policy.fate()), one_line(&policy.display_name));
    format!("    {fate:<8}{name} ({}), version {}\n", policy.policy_type, policy.number)
}

#[cfg(test)]
mod tests {
    use pb::restore::{RestoreCounts, RestoreFate, RestoreReasonCount};

    use super::*;

    #[test]
    fn the_confirmation_names_the_tenant_the_counts_the_reasons_and_the_content() {
        let policy = RestorePolicy {
            display_name: "BitLocker".into(),
            policy_type: "settingsCatalogPolicy".into(),
            number: 3,
            fate: RestoreFate::Update.into(),
            ..Default::default()
        };
        let counts = RestoreCounts { create: Some(0), update: Some(1), unchanged: Some(50), blocked: Some(2) };
        let mut preview = PreviewRestoreResponse {
            fingerprint: "f00d".into(),
            tenant_name: "Contoso".into(),
            counts: Some(counts),
            reason_counts: vec![RestoreReasonCount { reason: "SECRET_VALUE_UNAVAILABLE".into(), count: Some(2) }],
            policies: vec![policy.clone()],
            ..Default::default()
        };
        assert_eq!(
            text(&preview, false),
            "Execute restore\n\n  Tenant     Contoso\n\n  Restored      1  (0 to create, 1 to update)\n  \
             Unchanged    50\n  Blocked       2\n                2 × SECRET_VALUE_UNAVAILABLE\n\n    \
             update  BitLocker (settingsCatalogPolicy), version 3\n\n  What is replaced is kept as a version first.\n  \
             Preview    f00d\n"
        );
        assert_eq!(question(&preview), "Restore 1 policy in Contoso?");
        preview.policies = vec![policy; 40];
        preview.counts = Some(RestoreCounts { update: Some(40), ..counts });
        assert_eq!(text(&preview, false).matches("BitLocker").count(), 12);
        assert_eq!(question(&preview), "Restore 40 policies in Contoso?");
    }
}
