//! The worker of `promotion.execute`: what [`apply`] does for every run type, on the ground of two tenants.

mod ground;
mod material;
mod operable;
mod patience;

use apply::{Means, Pace, Trouble};
use domain::run::RunType;
use server::structure::from_struct;
use server::{Chassis, StartError};
use worker::{Ending, Handler, RunSession, WorkError};

use crate::app::{self, App};
use crate::brief::Brief;
use crate::config::Config;
use ground::TwoTenants;

/// Starts to work on promotion runs, until the chassis drains.
pub(crate) fn start(chassis: &Chassis, app: &App, config: &Config) -> Result<(), StartError> {
    let pace =
        Pace { items_at_once: config.worker_items, settle: config.provider_settle, postpone: config.provider_postpone };
    let handler = Promote { app: app.clone(), provider: app::provider(config), pace };
    worker::start(chassis, &app.operation_runs, config.worker_runs, vec![Box::new(handler)])
}

struct Promote {
    app: App,
    provider: graph::Provider,
    pace: Pace,
}

#[tonic::async_trait]
impl Handler for Promote {
    fn run_type(&self) -> RunType {
        RunType::PromotionExecute
    }

    async fn work(&self, session: &RunSession) -> Result<Ending, WorkError> {
        let brief = session
            .run()
            .context
            .as_ref()
            .map(from_struct)
            .and_then(|mut context| serde_json::from_value::<Brief>(context["selection"].take()).ok());
        let Some(brief) = brief else {
            return Ok(Ending::Blocked {
                reason: "RUN_CONTEXT_INVALID".into(),
                message: "the run's selection cannot be read".into(),
            });
        };
        let ended = self.promote(session, brief).await;
        apply::ending(session, self.pace, ended)
    }
}

impl Promote {
    async fn promote(&self, session: &RunSession, brief: Brief) -> Result<(), Trouble> {
        let app = &self.app;
        let claimed = session.items().await?;
        let (workspace, source, target) = (brief.workspace_id, brief.source_tenant_id, brief.target_tenant_id);
        let means = Means {
            registry: app.registry,
            client: material::connect(app, &self.provider, workspace, target).await?,
            content_names: material::names(app, workspace, source).await?,
            target_names: material::names(app, workspace, target).await?,
            include_assignments: brief.include_assignments,
            pace: self.pace,
            drain: app.drain.clone(),
            ground: TwoTenants { app: app.clone(), run_id: session.run().run_id.clone(), brief },
        };
        apply::apply(session, &claimed, means).await
    }
}
