//! A running stack with a workspace, its people and two tenants: what the demo and the guided tour play in.

use std::path::PathBuf;

use anyhow::{Context, Result};
use pb::compare::CompareSelection;
use pb::tenant::Tenant;

use crate::job;
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
    /// Folder of exports it starts with; an empty tenant without one.
    folder: Option<PathBuf>,
}

impl Role {
    fn emulated(&self) -> EmulatedTenant {
        self.folder.as_deref().map_or_else(EmulatedTenant::empty, EmulatedTenant::loaded)
    }
}

impl Script {
    /// Our own two tenants, with every state and nearly every reason among their policies.
    pub fn own() -> Self {
        let role = |name: &str, folder: &str| Role { name: name.to_owned(), folder: Some(paths::demo(folder)) };
        Self {
            source: role("Northwind Model", "northwind-model"),
            target: role("Contoso Clinics", "contoso-clinics"),
            include_assignments: true,
        }
    }

    /// A folder of exports as the source, another one, or an empty tenant, as the target.
    pub fn of_folders(source: PathBuf, target: Option<PathBuf>) -> Self {
        let name = |folder: &PathBuf| folder.file_name().map(|name| name.to_string_lossy().into_owned());
        Self {
            source: Role { name: name(&source).unwrap_or_else(|| "Source".to_owned()), folder: Some(source) },
            target: Role {
                name: target.as_ref().and_then(name).unwrap_or_else(|| "Empty tenant".to_owned()),
                folder: target,
            },
            include_assignments: false,
        }
    }

    /// What the command line asks for.
    pub fn of_demo(source: Option<PathBuf>, target: Option<PathBuf>) -> Self {
        match source {
            Some(source) => Self::of_folders(source, target),
            None => Self::own(),
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
    /// Starts everything on the demo's database and sets the scene.
    pub async fn open(script: &Script) -> Result<Self> {
        println!("Starting PostgreSQL, the provider's stand-in, three services ...");
        Self::set(script, Plan::demo().await?).await
    }

    /// Starts what is planned, and puts workspace, people and tenants in place.
    pub async fn set(script: &Script, mut plan: Plan) -> Result<Self> {
        let roles = [&script.source, &script.target];
        let tenants: Vec<_> = roles.iter().map(|role| role.emulated()).collect();
        plan.tenants.extend(tenants.iter().cloned());
        let stack = Stack::start(plan).await?;
        let owner = stack.session(Persona::Owner)?;
        let workspace = job::create_workspace(&owner, "Demo").await?;
        let mut registered = Vec::new();
        for (role, emulated) in roles.into_iter().zip(&tenants) {
            let provider = stack.provider(emulated)?;
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
