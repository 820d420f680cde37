//! Messages to values and back: free functions, one a message.

use domain::confirmation::Confirmation;
use domain::contract::Registry;
use domain::id::{ExternalId, Hash, PolicyType, PolicyVersionId, SubjectKey};
use domain::plan::{ExpectedTarget, PlanItem, ReferenceName};
use domain::run::RunType;
use pb::compare::{CompareSelection, PlannedSubject, PromotionAction};
use pb::operation::{RunFilter, WatchOperationRunsRequest, WatchOperationRunsResponse, watch_operation_runs_response};
use pb::promotion::{
    ExecutePromotionRequest, PromotionConfirmation, WatchPromotionRunsRequest, WatchPromotionRunsResponse,
    watch_promotion_runs_response,
};
use prost::Message;
use server::Failure;
use server::fields;

use crate::brief::Brief;
use crate::execute_promotion::Request;

/// More keys than this cannot come from a person's selection; whoever wants all names none.
const MOST_SUBJECT_KEYS: usize = 5000;
/// A stored subject key has at most this many bytes.
const MOST_SUBJECT_KEY_CHARS: usize = 2000;
const MOST_PLATFORMS: usize = 50;
/// Of a policy type, a platform, a part of a name.
const MOST_NEEDLE_CHARS: usize = 200;

/// ExecutePromotion's request, checked field by field.
pub(crate) fn parse_execute_promotion(
    request: ExecutePromotionRequest,
    registry: &Registry,
) -> Result<Request, Failure> {
    // The digest covers what was sent, so that any change of it under the same id is noticed.
    let digest = Hash::of(request.encode_to_vec());
    let id = fields::id("request_id", &request.request_id)?;
    let selection = fields::required("selection", request.selection)?;
    let brief = parse_selection(&selection, registry)?;
    let fingerprint = fields::text("preflight_fingerprint", &request.preflight_fingerprint, 64)?.to_owned();
    let confirmation = parse_confirmation(fields::required("confirmation", request.confirmation)?)?;
    Ok(Request { id, digest, brief, selection, fingerprint, confirmation })
}

/// The same limits as compare-service's: what is malformed is said before anybody is asked whether it exists.
fn parse_selection(selection: &CompareSelection, registry: &Registry) -> Result<Brief, Failure> {
    let texts = |field: &str, values, most, most_chars| {
        fields::texts(&format!("selection.{field}"), values, most, most_chars)
            .map(|set| set.into_iter().collect::<Vec<_>>())
    };
    let name_contains = fields::optional_text("selection.name_contains", &selection.name_contains, MOST_NEEDLE_CHARS)?;
    let brief = Brief {
        workspace_id: fields::id("selection.workspace_id", &selection.workspace_id)?,
        source_tenant_id: fields::id("selection.source_tenant_id", &selection.source_tenant_id)?,
        target_tenant_id: fields::id("selection.target_tenant_id", &selection.target_tenant_id)?,
        policy_types: texts("policy_types", &selection.policy_types, registry.len(), MOST_NEEDLE_CHARS)?,
        platforms: texts("platforms", &selection.platforms, MOST_PLATFORMS, MOST_NEEDLE_CHARS)?,
        name_contains: name_contains.unwrap_or_default().to_owned(),
        subject_keys: texts("subject_keys", &selection.subject_keys, MOST_SUBJECT_KEYS, MOST_SUBJECT_KEY_CHARS)?,
        include_assignments: selection.include_assignments,
    };
    if let Some(unknown) = brief.policy_types.iter().find(|policy_type| registry.get(policy_type).is_none()) {
        return Err(Failure::invalid_argument(
            "selection.policy_types",
            format!("{unknown:?} is not a known policy type"),
        ));
    }
    if brief.source_tenant_id == brief.target_tenant_id {
        return Err(Failure::new(
            server::Category::InvalidArgument,
            "SAME_TENANT",
            "source and target must be two tenants: a tenant is not promoted to itself",
        ));
    }
    Ok(brief)
}

fn parse_confirmation(confirmation: PromotionConfirmation) -> Result<Confirmation, Failure> {
    let count = |field: &str, value: Option<i32>| {
        let field = format!("confirmation.{field}");
        let value = fields::required(&field, value)?;
        u64::try_from(value).map_err(|_| Failure::invalid_argument(field, "must not be negative"))
    };
    Ok(Confirmation {
        source: fields::id("confirmation.source_tenant_id", &confirmation.source_tenant_id)?,
        target: fields::id("confirmation.target_tenant_id", &confirmation.target_tenant_id)?,
        ready_count: count("ready_count", confirmation.ready_count)?,
        excluded_count: count("excluded_count", confirmation.excluded_count)?,
    })
}

/// A ready subject as compare-service derived it. What cannot be read is a defect of ours, not of the caller's.
pub(crate) fn parse_planned_subject(subject: &PlannedSubject) -> Result<PlanItem, Failure> {
    let unreadable = |what: &str| Failure::internal(format!("{what} of planned subject {}", subject.subject_key));
    let hash = |what: &str, bytes: &[u8]| Hash::from_slice(bytes).ok_or_else(|| unreadable(what));
    let expected_target = match subject.action() {
        PromotionAction::Create => None,
        PromotionAction::Update => Some(ExpectedTarget {
            external_id: ExternalId::new(&subject.target_external_id),
            hash: hash("target_hash", &subject.target_hash)?,
        }),
        PromotionAction::Unspecified => return Err(unreadable("action")),
    };
    let version: PolicyVersionId =
        subject.source_policy_version_id.parse().map_err(|_| unreadable("source_policy_version_id"))?;
    let mut references: Vec<_> = subject
        .references
        .iter()
        .map(|reference| ReferenceName { kind: PolicyType::new(&reference.kind), name: reference.name.clone() })
        .collect();
    references.sort();
    Ok(PlanItem {
        subject_key: SubjectKey::new(&subject.subject_key),
        label: subject.display_name.clone(),
        policy_type: PolicyType::new(&subject.policy_type),
        source_version: version,
        expected_target,
        desired_hash: hash("desired_hash", &subject.desired_hash)?,
        references,
    })
}

/// The same question to operation-run-service. A run that is named needs no filter; what else it is asked with, that service
/// refuses.
pub(crate) fn to_watch_operation_runs(request: WatchPromotionRunsRequest) -> WatchOperationRunsRequest {
    let filter = (request.run_id.is_empty() || !request.tenant_ids.is_empty()).then(|| RunFilter {
        types: vec![RunType::PromotionExecute.as_str().to_owned()],
        tenant_ids: request.tenant_ids,
        ..Default::default()
    });
    WatchOperationRunsRequest {
        workspace_id: request.workspace_id,
        run_id: request.run_id,
        filter,
        resume_token: request.resume_token,
        delivery: request.delivery,
        min_interval: request.min_interval,
    }
}

/// Whether a message is about a promotion, or about no run at all.
pub(crate) fn is_of_promotion(response: &WatchOperationRunsResponse) -> bool {
    use watch_operation_runs_response::Message;
    let run = match &response.message {
        Some(Message::Snapshot(run)) => Some(run),
        Some(Message::Event(event)) => event.run.as_ref(),
        Some(Message::Bookmark(_)) | None => None,
    };
    run.is_none_or(|run| run.r#type == RunType::PromotionExecute.as_str())
}

/// The same answer under this service's name.
pub(crate) fn to_watch_promotion_runs(response: WatchOperationRunsResponse) -> WatchPromotionRunsResponse {
    use watch_operation_runs_response::Message as From;
    use watch_promotion_runs_response::Message as To;
    let message = response.message.map(|message| match message {
        From::Snapshot(run) => To::Snapshot(run),
        From::Event(event) => To::Event(event),
        From::Bookmark(bookmark) => To::Bookmark(bookmark),
    });
    WatchPromotionRunsResponse { message, resume_token: response.resume_token }
}

#[cfg(test)]
mod tests {
    use domain::plan::Action;
    use pb::compare::PlannedReference;

    use super::*;

    const REQUEST: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a001";
    const WORKSPACE: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a002";
    const SOURCE: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a003";
    const TARGET: &str = "0190b0a4-7c11-7a3e-9d3f-5a1de1b3a004";

    fn request() -> ExecutePromotionRequest {
        ExecutePromotionRequest {
            request_id: REQUEST.into(),
            selection: Some(CompareSelection {
                workspace_id: WORKSPACE.into(),
                source_tenant_id: SOURCE.into(),
                target_tenant_id: TARGET.into(),
                policy_types: vec!["roleScopeTag".into(), "assignmentFilter".into(), "roleScopeTag".into()],
                ..Default::default()
            }),
            preflight_fingerprint: "ab".repeat(32),
            confirmation: Some(PromotionConfirmation {
                source_tenant_id: SOURCE.into(),
                target_tenant_id: TARGET.into(),
                ready_count: Some(3),
                excluded_count: Some(0),
            }),
        }
    }

    fn refused(change: impl FnOnce(&mut ExecutePromotionRequest)) -> String {
        let mut request = request();
        change(&mut request);
        match parse_execute_promotion(request, graph::registry()) {
            Ok(_) => panic!("it was taken"),
            Err(failure) => format!("{} {}", failure.reason(), failure.message()),
        }
    }

    #[test]
    fn a_whole_request_is_read() {
        let parsed = parse_execute_promotion(request(), graph::registry()).unwrap();
        assert_eq!(parsed.brief.policy_types, ["assignmentFilter", "roleScopeTag"], "a list that means a set is one");
        assert_eq!((parsed.confirmation.ready_count, parsed.confirmation.excluded_count), (3, 0));
    }

    #[test]
    fn what_is_wrong_is_said_by_its_field() {
        let selection =
            |change: fn(&mut CompareSelection)| refused(|request| change(request.selection.as_mut().unwrap()));
        let confirmation =
            |change: fn(&mut PromotionConfirmation)| refused(|request| change(request.confirmation.as_mut().unwrap()));
        for (said, field) in [
            (refused(|request| request.request_id.clear()), "FIELD_INVALID request_id"),
            (refused(|request| request.selection = None), "FIELD_INVALID selection"),
            (refused(|request| request.preflight_fingerprint.clear()), "FIELD_INVALID preflight_fingerprint"),
            (refused(|request| request.confirmation = None), "FIELD_INVALID confirmation"),
            (selection(|selection| selection.workspace_id = "x".into()), "FIELD_INVALID selection.workspace_id"),
            (selection(|selection| selection.target_tenant_id = SOURCE.into()), "SAME_TENANT"),
            (
                selection(|selection| selection.subject_keys = (0..=5000).map(|n| n.to_string()).collect()),
                "FIELD_INVALID selection.subject_keys",
            ),
            (
                selection(|selection| selection.policy_types = vec!["nonsense".into()]),
                "FIELD_INVALID selection.policy_types",
            ),
            (selection(|selection| selection.platforms = vec![" ".into()]), "FIELD_INVALID selection.platforms[0]"),
            // A count that is not given is not zero.
            (
                confirmation(|confirmation| confirmation.excluded_count = None),
                "FIELD_INVALID confirmation.excluded_count",
            ),
            (
                confirmation(|confirmation| confirmation.ready_count = Some(-1)),
                "FIELD_INVALID confirmation.ready_count",
            ),
        ] {
            assert!(said.starts_with(field), "{said:?} is not about {field:?}");
        }
    }

    #[test]
    fn any_change_of_the_body_changes_the_digest() {
        let mut other = request();
        other.confirmation.as_mut().unwrap().excluded_count = Some(1);
        let digest = |request| parse_execute_promotion(request, graph::registry()).unwrap().digest;
        assert_eq!(digest(request()), digest(request()));
        assert_ne!(digest(request()), digest(other));
    }

    #[test]
    fn a_planned_subject_is_read_whole_or_is_a_defect() {
        let subject = PlannedSubject {
            subject_key: "policy: p".into(),
            policy_type: "policy".into(),
            display_name: "P".into(),
            action: PromotionAction::Update.into(),
            source_policy_version_id: REQUEST.into(),
            desired_hash: vec![1; 32],
            target_external_id: "t".into(),
            target_hash: vec![2; 32],
            references: vec![PlannedReference { kind: "tag".into(), name: "x".into() }],
        };
        let item = parse_planned_subject(&subject).unwrap();
        assert_eq!((item.action(), item.references.len()), (Action::Update, 1));
        let short = PlannedSubject { desired_hash: vec![1; 31], ..subject.clone() };
        assert!(parse_planned_subject(&short).is_err());
        let vague = PlannedSubject { action: 0, ..subject };
        assert!(parse_planned_subject(&vague).is_err());
    }
}
