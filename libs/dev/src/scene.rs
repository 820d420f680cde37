//! A running stack with a workspace, its people and two tenants: what the demo and the guided tour play in.

use std::path::PathBuf;

use anyhow::{Context, Result};
use pb::compare::CompareSelection;
use pb::tenant::Tenant;

use crate::job::{self, Provider};
use crate::paths;
use crate::persona::Persona;
use crate::stack::{EmulatedTenant, Plan, Stack};

/// The two tenants of a scene.
#[derive(Debug, Clone)]
pub struct Script {
    source: Role,
    target: Role,
    /// Whether assignments are compared and promoted too.
    include_assignments: bool,
}

#[derive(Debug, Clone)]
struct Role {
    name: String,
    folder: PathBuf,
}

impl Script {
    /// Our own two tenants, or two folders of exports.
    pub fn of_demo(source: Option<PathBuf>, target: Option<PathBuf>) -> Self {
        let own = |name: &str, folder: &str| Role { name: name.to_owned(), folder: paths::demo(folder) };
        let given = |folder: PathBuf| {
            let name = folder.file_name().map_or_else(|| "Tenant".to_owned(), |name| name.to_string_lossy().into_owned());
            Role { name, folder }
        };
        match (source, target) {
            (Some(source), Some(target)) => {
                Self { source: given(source), target: given(target), include_assignments: false }
            }
            _ => Self {
                source: own("Northwind Model", "northwind-model"),
                target: own("Contoso Clinics", "contoso-clinics"),
                include_assignments: true,
            },
        }
    }
}

/// Everything up, everybody in place.
pub struct Scene {
    /// The processes.
    pub stack: Stack,
    /// The workspace.
    pub workspace_id: String,
    /// The model.
    pub source: Tenant,
    /// The tenant that is brought into line with it.
    pub target: Tenant,
    include_assignments: bool,
}

impl Scene {
    /// Starts the stack on a fresh database and fills it.
    pub async fn open(script: &Script) -> Result<Self> {
        let tenants = [EmulatedTenant::loaded(&script.source.folder), EmulatedTenant::loaded(&script.target.folder)];
        println!("Starting PostgreSQL, the provider's stand-in, three services ...");
        let stack = Stack::start(Plan::demo(tenants.to_vec()).await?).await?;
        let owner = stack.session(Persona::Owner)?;
        let workspace = job::create_workspace(&owner, "Demo").await?;
        let mut registered = Vec::new();
        for (role, emulated) in [&script.source, &script.target].into_iter().zip(&tenants) {
            let provider: Provider = stack.provider(emulated)?;
            registered.push(job::register_tenant(&owner, &workspace.workspace_id, &role.name, &provider).await?);
        }
        let mut registered = registered.into_iter();
        Ok(Self {
            stack,
            workspace_id: workspace.workspace_id,
            source: registered.next().context("two tenants were registered")?,
            target: registered.next().context("two tenants were registered")?,
            include_assignments: script.include_assignments,
        })
    }

    /// Everything of the source, compared with the target.
    pub fn selection(&self) -> CompareSelection {
        CompareSelection {
            workspace_id: self.workspace_id.clone(),
            source_tenant_id: self.source.tenant_id.clone(),
            target_tenant_id: self.target.tenant_id.clone(),
            include_assignments: self.include_assignments,
            ..Default::default()
        }
    }

    /// Stops everything.
    pub async fn close(self) -> Result<()> {
        self.stack.stop().await
    }
}
