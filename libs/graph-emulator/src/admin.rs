//! `/emulator/...`: what tests and people use to look inside and to make things go wrong. No authentication: the emulator is for
//! development, on an address nobody else reaches.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::approval;
use crate::control::{Control, TenantSpec};
use crate::faults::FaultRule;
use crate::kinds;
use crate::throttle::Limits;

pub(crate) fn router() -> Router<Control> {
    Router::new()
        .route("/emulator/health", get(|| async { "ok" }))
        .route("/emulator/kinds", get(list_kinds))
        .route("/emulator/tenants", get(list_tenants).post(add_tenant))
        .route("/emulator/tenants/{tenant}/objects", get(list_objects).post(load_document))
        .route("/emulator/tenants/{tenant}/approvals/{code}", post(decide_approval))
        .route("/emulator/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/emulator/faults/{id}", axum::routing::delete(remove_fault))
        .route("/emulator/limits", axum::routing::put(set_limits))
        .route("/emulator/templates/{template}/retire", post(retire_template))
        .route("/emulator/log", get(read_log).delete(clear_log))
}

fn failed(error: &std::io::Error) -> Response {
    let status = match error.kind() {
        std::io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(json!({"error": error.to_string()}))).into_response()
}

async fn list_kinds() -> Json<Value> {
    let kinds = kinds::all().iter().map(|kind| json!({"key": kind.key, "path": kind.path, "type": kind.odata_type}));
    Json(kinds.collect())
}

async fn list_tenants(State(control): State<Control>) -> Response {
    Json(control.tenants()).into_response()
}

async fn add_tenant(State(control): State<Control>, Json(spec): Json<TenantSpec>) -> Response {
    match control.add_tenant(spec) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failed(&error),
    }
}

async fn list_objects(State(control): State<Control>, Path(tenant): Path<String>) -> Response {
    match control.objects(&tenant) {
        Some(objects) => Json(objects).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Stores one exported document past all rules for writes: a change that no client of ours made.
async fn load_document(
    State(control): State<Control>,
    Path(tenant): Path<String>,
    Json(document): Json<Value>,
) -> Response {
    match control.load_document(&tenant, &document, None) {
        Ok(became) => Json(became).into_response(),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
struct Verdict {
    status: String,
}

async fn decide_approval(
    State(control): State<Control>,
    Path((tenant, code)): Path<(String, String)>,
    Json(verdict): Json<Verdict>,
) -> Response {
    if !approval::is_verdict(&verdict.status) {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    match control.decide_approval(&tenant, &code, &verdict.status) {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => failed(&error),
    }
}

async fn list_faults(State(control): State<Control>) -> Response {
    Json(control.faults()).into_response()
}

async fn add_fault(State(control): State<Control>, Json(rule): Json<FaultRule>) -> Response {
    (StatusCode::CREATED, Json(json!({"id": control.add_fault(rule)}))).into_response()
}

async fn clear_faults(State(control): State<Control>) -> Response {
    Json(json!({"removed": control.remove_faults(None)})).into_response()
}

async fn remove_fault(State(control): State<Control>, Path(id): Path<u64>) -> Response {
    match control.remove_faults(Some(id)) {
        0 => StatusCode::NOT_FOUND.into_response(),
        removed => Json(json!({"removed": removed})).into_response(),
    }
}

/// `null` turns throttling off.
async fn set_limits(State(control): State<Control>, Json(limits): Json<Option<Limits>>) -> StatusCode {
    control.set_limits(limits);
    StatusCode::NO_CONTENT
}

async fn retire_template(State(control): State<Control>, Path(template): Path<String>) -> StatusCode {
    control.retire_template(&template);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct LogQuery {
    tenant: Option<String>,
}

async fn read_log(State(control): State<Control>, Query(query): Query<LogQuery>) -> Response {
    let wanted = |tenant: &str| query.tenant.as_deref().is_none_or(|asked| asked.eq_ignore_ascii_case(tenant));
    let entries: Vec<_> = control.log().into_iter().filter(|entry| wanted(&entry.tenant)).collect();
    Json(entries).into_response()
}

async fn clear_log(State(control): State<Control>) -> StatusCode {
    control.clear_log();
    StatusCode::NO_CONTENT
}
