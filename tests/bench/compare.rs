//! A compare and a preflight of ten thousand subjects a side, from the database, over gRPC; beside it what PostgreSQL needs to
//! hand over the same columns and what the decision itself needs.

use std::time::Instant;

use anyhow::{Context, Result};
use dev::client::Session;
use dev::job;
use dev::persona::Persona;
use domain::compare::{Evidence, Filter, Selection, SubjectRow, compare};
use domain::id::{ExternalId, Hash, PolicyType, SubjectKey, TenantId};
use pb::compare::{CompareSelection, GeneratePromotionPreflightRequest, PreviewCompareRequest};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Row as _};
use system_tests::rows;
use uuid::Uuid;

use crate::figure::Times;
use crate::fill::fill;

const PAGE: i32 = 100;
/// The later page that is asked for.
const LATER: usize = 50;

pub(crate) async fn bench() -> Result<()> {
    let scene = crate::scene().await?;
    let manager = scene.stack.session(Persona::Manager)?;
    let (source, target) = (scene.source.tenant_id.clone(), scene.target.tenant_id.clone());
    for tenant in [&source, &target] {
        job::sync(&manager, &scene.workspace_id, tenant).await?;
    }
    let pool = rows::pool(&scene.stack).await?;
    let began = Instant::now();
    fill(&pool, &source, &target).await?;
    println!("  filled in {:.1} s", began.elapsed().as_secs_f64());

    let selection = CompareSelection { include_assignments: false, ..scene.selection() };
    over_grpc(&manager, &selection).await?;
    bare_fetch(&scene.stack.database.owner_url(), &source, &target).await?;
    decision_alone(&pool, &source, &target).await?;
    drop(pool);
    scene.close().await
}

async fn over_grpc(manager: &Session, selection: &CompareSelection) -> Result<()> {
    let page = |page_token: String| PreviewCompareRequest {
        selection: Some(selection.clone()),
        page_size: PAGE,
        page_token,
        ..Default::default()
    };
    let first = manager.compare().preview_compare(page(String::new())).await?.into_inner();
    println!("  {:?}", first.counts.context("a compare counts")?);
    let preview = |token: String| {
        let (mut client, request) = (manager.compare(), page(token));
        async move {
            client.preview_compare(request).await?;
            Ok(())
        }
    };
    Times::measure(|| preview(String::new())).await?.show("PreviewCompare, first page of 100");
    let mut token = first.next_page_token;
    for _ in 2..LATER {
        token = manager.compare().preview_compare(page(token)).await?.into_inner().next_page_token;
    }
    Times::measure(|| preview(token.clone())).await?.show("PreviewCompare, page 50");

    let request =
        GeneratePromotionPreflightRequest { selection: Some(selection.clone()), page_size: PAGE, ..Default::default() };
    let answer = manager.compare().generate_promotion_preflight(request.clone()).await?.into_inner();
    println!("  {:?}", answer.counts.context("a preflight counts")?);
    let preflight = || {
        let (mut client, request) = (manager.compare(), request.clone());
        async move {
            client.generate_promotion_preflight(request).await?;
            Ok(())
        }
    };
    Times::measure(preflight).await?.show("GeneratePromotionPreflight, first page of 100");
    Ok(())
}

/// What a compare needs of one subject, as columns.
type Columns = (bool, String, String, String, String, String, Vec<u8>, Option<Vec<u8>>, String);

async fn fetch(pool: &PgPool, source: Uuid, target: Uuid) -> Result<Vec<Columns>> {
    let rows = sqlx::query_as(
        "SELECT tenant_id = $1, subject_key, policy_type, display_name, platform, external_id, normal_hash,
                assignments_hash, evidence
         FROM inventory.item WHERE tenant_id IN ($1, $2) AND NOT missing_confirmed",
    );
    Ok(rows.bind(source).bind(target).fetch_all(pool).await?)
}

async fn bare_fetch(url: &str, source: &str, target: &str) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let (source, target): (Uuid, Uuid) = (source.parse()?, target.parse()?);
    let fetched = || {
        let pool = pool.clone();
        async move { fetch(&pool, source, target).await.map(drop) }
    };
    Times::measure(fetched).await?.show("limit: bare fetch of the same columns with sqlx");
    let hashes = || {
        let pool = pool.clone();
        async move {
            let row = sqlx::query(
                "SELECT string_agg(normal_hash, '' ORDER BY subject_key COLLATE \"C\") FROM inventory.item
                 WHERE tenant_id IN ($1, $2) AND NOT missing_confirmed",
            );
            row.bind(source).bind(target).fetch_one(&pool).await?.try_get::<&[u8], _>(0).map(drop)?;
            Ok(())
        }
    };
    Times::measure(hashes).await?.show("limit: only the hashes, in order, in one value");
    pool.close().await;
    Ok(())
}

async fn decision_alone(pool: &PgPool, source: &str, target: &str) -> Result<()> {
    let (source, target): (Uuid, Uuid) = (source.parse()?, target.parse()?);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let none = Hash::of("[]");
    for (of_source, key, policy_type, display_name, platform, external_id, normal, assignments, evidence) in
        fetch(pool, source, target).await?
    {
        let row = SubjectRow {
            subject_key: SubjectKey::new(key),
            policy_type: PolicyType::new(policy_type),
            display_name,
            platform: Some(platform).filter(|platform| !platform.is_empty()),
            external_id: ExternalId::new(external_id),
            normal_hash: Hash::from_slice(&normal).context("a hash has 32 bytes")?,
            assignments_hash: assignments.as_deref().and_then(Hash::from_slice).unwrap_or(none),
            evidence: if evidence == "whole" { Evidence::Whole } else { Evidence::Incomplete },
        };
        if of_source { ours.push(row) } else { theirs.push(row) }
    }
    let filter = Filter::default();
    let selection =
        Selection { source: TenantId(source), target: TenantId(target), filter, include_assignments: false };
    let (ours, theirs, selection) = (&ours, &theirs, &selection);
    let decide = || async move {
        std::hint::black_box(compare(ours, theirs, selection));
        Ok(())
    };
    Times::measure(decide).await?.show("limit: domain::compare on values in memory");
    Ok(())
}
