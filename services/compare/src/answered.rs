//! Idempotent mutations: the same request id gets the first answer again, with another body it is refused. The memory is
//! written in the mutation's own transaction, so there is an answer exactly when there is an effect. It lasts for a month
//! ([`forget`]).

pub mod forget;

use domain::id::{Hash, RequestId, WorkspaceId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sqlx::PgConnection;

use crate::error::{Error, Result};
use crate::state::State;
use crate::store::{self, StoreError};

/// A mutation as it is remembered.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    id: RequestId,
    method: &'static str,
    subject: &'a str,
    hash: Hash,
}

impl<'a> Asked<'a> {
    /// The request `id` of `method` by `subject`; `body` is all of it that decides its effect.
    pub fn new(id: RequestId, method: &'static str, subject: &'a str, body: serde_json::Value) -> Self {
        let hash = Hash::of(domain::json::canonical(&json!([method, subject, body])));
        Self { id, method, subject, hash }
    }

    /// The first answer, if there is one.
    pub async fn answer<T: DeserializeOwned>(
        &self,
        conn: &mut PgConnection,
        workspace: WorkspaceId,
    ) -> Result<Option<T>> {
        let answer = store::request::find(conn, workspace, self.id).await?;
        answer.map(|answer| self.read(answer)).transpose()
    }

    /// The first answer to a request that makes its own workspace. Needs the scope `system`.
    pub async fn created<T: DeserializeOwned>(&self, conn: &mut PgConnection) -> Result<Option<T>> {
        let answer = store::request::find_creation(conn, self.subject, self.id).await?;
        answer.map(|answer| self.read(answer)).transpose()
    }

    /// Remembers the answer. [`was_answered_meanwhile`] recognises the error of having been too late.
    pub async fn remember<T: Serialize>(
        &self,
        conn: &mut PgConnection,
        workspace: WorkspaceId,
        response: &T,
    ) -> Result<()> {
        let response = serde_json::to_value(response).map_err(server::failure::Failure::internal)?;
        let answer = store::request::Answer { request_hash: self.hash, response };
        Ok(store::request::insert(conn, workspace, self.id, self.method, self.subject, &answer).await?)
    }

    /// Gives the first answer in place of the error of having been too late with this one: another transaction answered the
    /// same request id meanwhile.
    pub async fn settle<T: DeserializeOwned>(
        &self,
        state: &State,
        workspace: WorkspaceId,
        answer: Result<T>,
    ) -> Result<T> {
        match answer {
            Err(error) if was_answered_meanwhile(&error) => {
                let mut tx = state.db.workspace(workspace.uuid()).await?;
                self.answer(&mut tx, workspace).await?.ok_or(error)
            }
            answer => answer,
        }
    }

    fn read<T: DeserializeOwned>(&self, answer: store::request::Answer) -> Result<T> {
        if answer.request_hash != self.hash {
            return Err(Error::RequestIdReused);
        }
        serde_json::from_value(answer.response).map_err(|why| {
            let (table, column) = ("access.request", "response");
            StoreError::Unreadable { table, column, id: self.id.to_string(), why: why.to_string() }.into()
        })
    }
}

/// True when another transaction answered the same request id first: roll back, and give its answer.
pub fn was_answered_meanwhile(error: &Error) -> bool {
    match error {
        Error::Store(error) => store::request::ANSWERED.iter().any(|name| store::violates(error, name)),
        _ => false,
    }
}
