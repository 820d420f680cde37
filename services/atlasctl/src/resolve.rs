//! Workspaces and tenants as people name them.

use std::collections::BTreeMap;

use pb::compare::CompareSelection;
use pb::tenant::{GetTenantRequest, ListTenantsRequest, Tenant};
use pb::workspace::{ListWorkspacesRequest, Workspace};
use uuid::Uuid;

use crate::app::App;
use crate::cli::{Format, SelectionArgs};
use crate::failure::Failure;
use crate::page;
use crate::session::call;

/// Names shown when a name fits none or several.
const SHOWN: usize = 10;

/// Every workspace the caller is a member of.
pub(crate) async fn workspaces(app: &App) -> Result<Vec<Workspace>, Failure> {
    page::collect(usize::MAX, async |page_size, page_token| {
        let request = ListWorkspacesRequest { page_size, page_token };
        let page = call!(app.session, workspaces.list_workspaces, request)?;
        Ok((page.workspaces, page.next_page_token))
    })
    .await
}

/// The id of the workspace that is meant.
pub(crate) async fn workspace(app: &App) -> Result<String, Failure> {
    if let Some(id) = app.workspace.as_deref().filter(|named| is_id(named)) {
        return Ok(id.to_owned());
    }
    let all = workspaces(app).await?;
    let Some(named) = &app.workspace else {
        return match all.as_slice() {
            [only] => Ok(only.workspace_id.clone()),
            [] => Err(Failure::with_fix("you are a member of no workspace", "ask an owner of one to add you")),
            several => Err(Failure::with_fix(
                "you are a member of several workspaces, and none is chosen",
                format!("--workspace, or `atlasctl context set NAME --workspace ...`: {}", names(several, |w| &w.name)),
            )),
        };
    };
    let fitting: Vec<_> = all.iter().filter(|workspace| same(&workspace.name, named)).collect();
    match fitting.as_slice() {
        [one] => Ok(one.workspace_id.clone()),
        [] => Err(Failure::with_fix(
            format!("you are a member of no workspace named {named:?}"),
            format!("there are: {}", names(&all, |workspace| &workspace.name)),
        )),
        _ => Err(Failure::with_fix(
            format!("several workspaces are named {named:?}"),
            "name it by its id: `atlasctl workspaces list`",
        )),
    }
}

/// Every tenant of a workspace the caller is entitled to.
pub(crate) async fn tenants(app: &App, workspace_id: &str) -> Result<Vec<Tenant>, Failure> {
    page::collect(usize::MAX, async |page_size, page_token| {
        let request =
            ListTenantsRequest { workspace_id: workspace_id.to_owned(), page_size, page_token, ..Default::default() };
        let page = call!(app.session, tenants.list_tenants, request)?;
        Ok((page.tenants, page.next_page_token))
    })
    .await
}

/// Names of the tenants, where people read; programs get the ids and need no further call. Where names cannot be had,
/// the ids have to do: operations are shown even when the service that knows the tenants is away.
pub(crate) async fn tenant_names(app: &App, workspace_id: &str) -> BTreeMap<String, String> {
    if app.format != Format::Table {
        return BTreeMap::new();
    }
    let tenants = tenants(app, workspace_id).await.unwrap_or_default();
    tenants.into_iter().map(|tenant| (tenant.tenant_id, tenant.name)).collect()
}

/// The tenant that is meant, by its id, its name in any case, its domain, or the provider's id of it.
pub(crate) async fn tenant(app: &App, workspace_id: &str, named: &str) -> Result<Tenant, Failure> {
    if is_id(named) {
        let found = get_tenant(app, workspace_id, named).await;
        // It may still be the provider's id.
        if !matches!(&found, Err(Failure::Refused(refused)) if refused.code == tonic::Code::NotFound) {
            return found;
        }
        let all = tenants(app, workspace_id).await?;
        return all.into_iter().find(|tenant| same(&tenant.external_tenant_id, named)).map_or(found, Ok);
    }
    choose(&tenants(app, workspace_id).await?, named).cloned()
}

/// One tenant by its id.
pub(crate) async fn get_tenant(app: &App, workspace_id: &str, tenant_id: &str) -> Result<Tenant, Failure> {
    let request = GetTenantRequest { workspace_id: workspace_id.to_owned(), tenant_id: tenant_id.to_owned() };
    let answer = call!(app.session, tenants.get_tenant, request)?;
    answer.tenant.ok_or_else(|| Failure::new("the service answered without a tenant"))
}

fn choose<'t>(tenants: &'t [Tenant], named: &str) -> Result<&'t Tenant, Failure> {
    let fits = |tenant: &&Tenant| same(&tenant.name, named) || same(&tenant.domain, named);
    let fitting: Vec<_> = tenants.iter().filter(fits).collect();
    match fitting.as_slice() {
        [one] => Ok(one),
        [] if tenants.is_empty() => Err(Failure::with_fix(
            "you are entitled to no tenant here",
            "check --workspace, or ask an owner for a role",
        )),
        [] => Err(Failure::with_fix(
            format!("you are entitled to no tenant named {named:?}"),
            format!("there are: {}", names(tenants, |tenant| &tenant.name)),
        )),
        several => Err(Failure::with_fix(
            format!("several tenants are named {named:?}"),
            format!("name it by its id: {}", names(several, |tenant| &tenant.tenant_id)),
        )),
    }
}

/// What is compared with what, with the two tenants.
pub(crate) struct Selected {
    pub(crate) selection: CompareSelection,
    pub(crate) source: Tenant,
    pub(crate) target: Tenant,
}

impl Selected {
    /// `Northwind Model → Contoso Clinics`
    pub(crate) fn title(&self) -> String {
        format!("{} → {}", self.source.name, self.target.name)
    }
}

/// The selection of the command line.
pub(crate) async fn selection(app: &App, args: &SelectionArgs) -> Result<Selected, Failure> {
    let workspace_id = workspace(app).await?;
    let (source, target) =
        tokio::try_join!(tenant(app, &workspace_id, &args.source), tenant(app, &workspace_id, &args.target))?;
    let selection = CompareSelection {
        workspace_id,
        source_tenant_id: source.tenant_id.clone(),
        target_tenant_id: target.tenant_id.clone(),
        policy_types: args.policy_types.clone(),
        platforms: args.platforms.clone(),
        name_contains: args.name_contains.clone(),
        subject_keys: args.subject_keys.clone(),
        include_assignments: args.assignments,
    };
    Ok(Selected { selection, source, target })
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

fn same(one: &str, other: &str) -> bool {
    !one.is_empty() && one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn names<T>(all: &[T], name: impl Fn(&T) -> &String) -> String {
    let mut shown: Vec<_> = all.iter().take(SHOWN).map(|one| name(one).as_str()).collect();
    if all.len() > SHOWN {
        shown.push("...");
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(id: &str, name: &str, domain: &str) -> Tenant {
        Tenant { tenant_id: id.into(), name: name.into(), domain: domain.into(), ..Default::default() }
    }

    #[test]
    fn a_tenant_is_found_by_name_or_domain_and_never_guessed() {
        let tenants =
            [tenant("1", "Contoso", "contoso.example"), tenant("2", "Fabrikam", ""), tenant("3", "FABRIKAM", "")];
        assert_eq!(choose(&tenants, "contoso").unwrap().tenant_id, "1");
        assert_eq!(choose(&tenants, "Contoso.Example").unwrap().tenant_id, "1");
        let several = choose(&tenants, "Fabrikam").unwrap_err().to_string();
        assert!(several.contains("several tenants") && several.contains("2, 3"), "{several}");
        let none = choose(&tenants, "Cont").unwrap_err().to_string();
        assert!(none.contains("no tenant named \"Cont\"") && none.contains("Contoso, Fabrikam"), "{none}");
        assert!(choose(&tenants, "").is_err(), "an empty domain is nobody's name");
    }

    #[test]
    fn many_names_are_cut() {
        let many: Vec<_> = (0..30).map(|n| tenant("", &n.to_string(), "")).collect();
        assert!(names(&many, |tenant| &tenant.name).ends_with("8, 9, ..."));
    }
}
