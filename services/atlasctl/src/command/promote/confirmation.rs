//! What a person reads before saying yes: from where to where, what is done to what, what is left out and why, and that only
//! the target tenant is changed.

use pb::compare::{GeneratePromotionPreflightResponse, PreflightSubject};

use crate::screen::{Colour, painted};
use crate::table::one_line;
use crate::words;

/// Ready subjects that are named; the rest are counted.
const NAMED: usize = 12;

/// The text.
pub(super) fn text(preflight: &GeneratePromotionPreflightResponse, colour: bool) -> String {
    let counts = preflight.counts.unwrap_or_default();
    let (source, target) = (one_line(&preflight.source_tenant_name), one_line(&preflight.target_tenant_name));
    let mut text = format!(
        "{}\n\n  Source tenant  {source} (is not changed)\n  Target tenant  {target}\n\n",
        painted("Execute promotion", Colour::Bold, colour)
    );
    text += &format!(
        "  Ready          {:>4}  ({} to create, {} to update)\n",
        counts.ready(),
        counts.ready_create(),
        counts.ready_update()
    );
    text += &format!(
        "  Excluded       {:>4}  ({} blocked, {} manual mapping required)\n",
        counts.excluded(),
        counts.blocked(),
        counts.manual_mapping_required()
    );
    for reason in &preflight.reason_counts {
        text += &format!("                 {:>4} × {}\n", reason.count(), reason.reason);
    }
    if !preflight.subjects.is_empty() {
        text += &format!("\n  In {target}:\n");
        text += &preflight.subjects.iter().take(NAMED).map(subject).collect::<String>();
        match preflight.subjects.len().saturating_sub(NAMED) {
            0 => {}
            more => text += &format!("    ... and {more} more: atlasctl preflight --readiness ready\n"),
        }
    }
    text + &format!("\n  Only {target} is changed.\n  Preflight      {}\n", preflight.fingerprint)
}

/// The question below it.
pub(super) fn question(preflight: &GeneratePromotionPreflightResponse) -> String {
    let ready = preflight.counts.unwrap_or_default().ready();
    format!("Apply {} to {}?", words::number(ready, "ready subject"), one_line(&preflight.target_tenant_name))
}

fn subject(subject: &PreflightSubject) -> String {
    format!("    {:<8}{} ({})\n", words::action(subject.action()), one_line(&subject.display_name), subject.policy_type)
}

#[cfg(test)]
mod tests {
    use pb::compare::{PreflightCounts, PromotionAction, ReasonCount};

    use super::*;

    fn preflight(subjects: usize) -> GeneratePromotionPreflightResponse {
        let ready = i32::try_from(subjects).unwrap();
        let subject = PreflightSubject {
            display_name: "BitLocker".into(),
            policy_type: "settingsCatalogPolicy".into(),
            action: PromotionAction::Create.into(),
            ..Default::default()
        };
        GeneratePromotionPreflightResponse {
            fingerprint: "f00d".into(),
            source_tenant_name: "Northwind".into(),
            target_tenant_name: "Contoso".into(),
            counts: Some(PreflightCounts {
                ready: Some(ready),
                ready_create: Some(ready),
                excluded: Some(3),
                blocked: Some(2),
                manual_mapping_required: Some(1),
                ..Default::default()
            }),
            reason_counts: vec![ReasonCount { reason: "UNMAPPED_GROUP".into(), count: Some(1) }],
            subjects: vec![subject; subjects],
            ..Default::default()
        }
    }

    #[test]
    fn the_confirmation_names_both_tenants_the_counts_the_reasons_and_the_content() {
        assert_eq!(
            text(&preflight(1), false),
            "Execute promotion\n\n  Source tenant  Northwind (is not changed)\n  Target tenant  Contoso\n\n  \
             Ready             1  (1 to create, 0 to update)\n  \
             Excluded          3  (2 blocked, 1 manual mapping required)\n                    1 × UNMAPPED_GROUP\n\n  \
             In Contoso:\n    create  BitLocker (settingsCatalogPolicy)\n\n  Only Contoso is changed.\n  \
             Preflight      f00d\n"
        );
        assert_eq!(question(&preflight(1)), "Apply 1 ready subject to Contoso?");
    }

    #[test]
    fn many_subjects_are_counted() {
        let text = text(&preflight(40), false);
        assert_eq!(text.matches("BitLocker").count(), 12);
        assert!(text.contains("... and 28 more"), "{text}");
        assert_eq!(question(&preflight(40)), "Apply 40 ready subjects to Contoso?");
    }
}
