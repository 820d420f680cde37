//! Items, versions, coverage, policy types, names.

use std::collections::BTreeSet;

use domain::contract::Registry;
use domain::id::{PolicyType, TenantId};
use pb::inventory as wire;
use serde_json::Value;
use server::failure::Failure;
use server::fields;

use super::count;
use crate::inventory::{
    KnownType, MAX_CONTENT_BYTES, MAX_EXTERNAL_ID_CHARS, MAX_POLICY_TYPE_CHARS, NameOfReference, ObjectPlace,
    PromotionClass, TypeCoverage,
};
use crate::store::coverage::state_name;
use crate::store::item::Item;
use crate::store::policy_version::PolicyVersion;

/// Known policy types; an unknown one is refused with its position.
pub fn parse_policy_types(
    field: &str,
    values: &[String],
    registry: &Registry,
) -> Result<BTreeSet<PolicyType>, Failure> {
    let parse = |(index, value): (usize, &String)| match registry.get(value) {
        Some(contract) => Ok(contract.policy_type.clone()),
        None => Err(Failure::invalid_argument(
            format!("{field}[{index}]"),
            "is not a known policy type; ListPolicyTypes names them",
        )),
    };
    values.iter().enumerate().map(parse).collect()
}

/// Raw content of an object.
pub fn parse_content(field: &str, bytes: &[u8]) -> Result<Value, Failure> {
    if bytes.len() > MAX_CONTENT_BYTES {
        return Err(Failure::invalid_argument(field, format!("must have at most {MAX_CONTENT_BYTES} bytes")));
    }
    serde_json::from_slice(bytes).map_err(|why| Failure::invalid_argument(field, format!("is not JSON: {why}")))
}

/// The object of a tenant that a request is about.
pub fn parse_place(
    workspace_id: &str,
    tenant_id: &str,
    policy_type: &str,
    external_id: &str,
) -> Result<ObjectPlace, Failure> {
    Ok(ObjectPlace {
        workspace_id: fields::id("workspace_id", workspace_id)?,
        tenant_id: fields::id("tenant_id", tenant_id)?,
        policy_type: fields::text("policy_type", policy_type, MAX_POLICY_TYPE_CHARS)?.to_owned(),
        external_id: fields::text("external_id", external_id, MAX_EXTERNAL_ID_CHARS)?.to_owned(),
    })
}

/// What decides which items a request lists: a page token is good for nothing else.
pub fn binding(message: &wire::ListInventoryItemsRequest, policy_types: &[String], name: &str) -> Vec<String> {
    let mut parts = vec![
        message.workspace_id.clone(),
        message.tenant_id.clone(),
        name.to_owned(),
        message.include_missing.to_string(),
    ];
    parts.extend_from_slice(policy_types);
    parts
}

/// An item.
pub fn to_item(tenant: TenantId, item: &Item) -> wire::InventoryItem {
    wire::InventoryItem {
        tenant_id: tenant.to_string(),
        policy_type: item.policy_type.0.clone(),
        external_id: item.external_id.0.clone(),
        display_name: item.display_name.clone(),
        platform: item.platform.clone(),
        odata_type: item.odata_type.clone(),
        subject_key: item.subject_key.0.clone(),
        normal_hash: item.normal_hash.to_string(),
        policy_version_id: item.version_id.to_string(),
        first_observed_time: Some(fields::to_timestamp(item.first_observed_at)),
        last_observed_time: Some(fields::to_timestamp(item.last_observed_at)),
        missing: Some(item.missing),
        missing_confirmed: Some(item.missing_confirmed),
    }
}

/// A version, without its content.
pub fn to_version(version: &PolicyVersion) -> wire::PolicyVersion {
    wire::PolicyVersion {
        policy_version_id: version.id.to_string(),
        tenant_id: version.tenant_id.to_string(),
        policy_type: version.policy_type.0.clone(),
        external_id: version.external_id.0.clone(),
        number: version.number,
        content_hash: version.content_hash.to_string(),
        purpose: version.purpose.as_str().to_owned(),
        capture_time: Some(fields::to_timestamp(version.captured_at)),
        run_id: version.run_id.map(|run| run.to_string()).unwrap_or_default(),
    }
}

/// The coverage of a type.
pub fn to_coverage(known: &TypeCoverage) -> wire::TypeCoverage {
    let policy_type = known.policy_type.clone();
    match &known.coverage {
        None => wire::TypeCoverage { policy_type, state: "never".to_owned(), ..Default::default() },
        Some(coverage) => wire::TypeCoverage {
            policy_type,
            state: state_name(coverage.state).to_owned(),
            observed_time: Some(fields::to_timestamp(coverage.observed_at)),
            observed_count: count(u64::try_from(coverage.observed_count).unwrap_or_default()),
            reason: coverage.reason_code.clone().unwrap_or_default(),
            approval_required: coverage.approval_required,
        },
    }
}

/// A policy type.
pub fn to_policy_type(known: &KnownType) -> wire::PolicyType {
    let class = match known.class {
        PromotionClass::Promotable => wire::PromotionClass::Promotable,
        PromotionClass::PreviewOnly => wire::PromotionClass::PreviewOnly,
        PromotionClass::ReferenceOnly => wire::PromotionClass::ReferenceOnly,
    };
    wire::PolicyType {
        policy_type: known.policy_type.clone(),
        label: known.label.clone(),
        promotion_class: class.into(),
    }
}

/// A name.
pub fn to_reference_name(name: NameOfReference) -> wire::ReferenceName {
    wire::ReferenceName {
        kind: name.kind,
        external_id: name.external_id,
        name: name.name,
        subject_key: name.subject_key.0,
    }
}
