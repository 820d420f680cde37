//! The rows behind the services, as the database's owner sees them: neither grants nor row-level security hide any.

use anyhow::Result;
use dev::stack::Stack;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool, Row as _};

/// A pool under the owner of the database.
pub async fn pool(stack: &Stack) -> Result<PgPool> {
    Ok(PgPoolOptions::new().max_connections(2).connect(&stack.database.owner_url()).await?)
}

/// One row of any table, as text.
#[derive(Debug, Clone)]
pub struct AnyRow {
    /// `schema.table`.
    pub table: String,
    /// The whole row.
    pub text: String,
}

/// Every row of every table of ours.
pub async fn all(pool: &PgPool) -> Result<Vec<AnyRow>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
    .fetch_all(pool)
    .await?;
    let mut rows = Vec::new();
    for table in tables {
        let statement = format!("SELECT to_jsonb(t)::text AS text FROM {table} t");
        for row in sqlx::query(AssertSqlSafe(statement)).fetch_all(pool).await? {
            rows.push(AnyRow { table: table.clone(), text: row.try_get("text")? });
        }
    }
    Ok(rows)
}

/// How many runs of a type there are.
pub async fn count_runs(pool: &PgPool, run_type: &str) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM operation.run WHERE type = $1").bind(run_type).fetch_one(pool).await?)
}
