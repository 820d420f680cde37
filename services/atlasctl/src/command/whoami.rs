//! `atlasctl whoami`: who the services take the caller for, and what that opens.

use pb::workspace::{ListWorkspaceMembersRequest, Role, Workspace};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::app::{self, App};
use crate::cli::Format;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::{ambient, page, resolve, words};

/// Runs the command. The first call proves the token: what it says of itself is only read.
pub(crate) async fn run(app: &App) -> Result<Exit, Failure> {
    let workspaces = resolve::workspaces(app).await?;
    let claims = app.session.token().and_then(crate::token::Token::claims).unwrap_or_default();
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let expires = claims.get("exp").and_then(Value::as_i64);
    let roles = tenant_roles(app, &workspaces, &claim("sub")).await?;
    let as_json = || {
        let role = |role: &(String, Role)| json!({ "tenant": role.0, "role": words::role(role.1) });
        let workspace = |w: &Workspace| json!({ "workspaceId": w.workspace_id, "name": w.name, "role": words::role(w.caller_role()) });
        json!({
            "context": app.context_name, "subject": claim("sub"), "name": claim("name"), "issuer": claim("iss"),
            "workspaces": workspaces.iter().map(workspace).collect::<Vec<_>>(),
            "tenantRoles": roles.iter().map(role).collect::<Vec<_>>(),
        })
    };
    match app.format {
        Format::Json => app::print_document(&as_json())?,
        Format::Jsonl => app::print_line(&as_json())?,
        Format::Table => {
            let named = [claim("name"), claim("sub")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
            let mut text = format!("You           {}\n", shown(&named.join(", ")));
            text += &format!("Token         {}{}\n", app.token_source, validity(expires, ambient::now()));
            text += &format!("Issuer        {}\n", shown(&claim("iss")));
            text += &format!("Context       {}\n", app.context_name.as_deref().unwrap_or("none"));
            for (title, url) in [
                ("compare", &app.context.compare),
                ("promotion", &app.context.promotion),
                ("operations", &app.context.operation_run),
            ] {
                text += &format!("  {title:<12}{}\n", url.as_deref().unwrap_or("-"));
            }
            text += if workspaces.is_empty() { "Workspaces    none\n" } else { "Workspaces\n" };
            for workspace in &workspaces {
                text += &format!("  {}: {}\n", workspace.name, words::role(workspace.caller_role()));
            }
            if !roles.is_empty() {
                text += "Tenants of the workspace in use\n";
            }
            for (tenant, role) in &roles {
                text += &format!("  {tenant}: {}\n", words::role(*role));
            }
            app::print(&text)?;
        }
    }
    Ok(Exit::Done)
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn validity(expires: Option<i64>, now: OffsetDateTime) -> String {
    let Some(expires) = expires else { return String::new() };
    let left = expires - now.unix_timestamp();
    match left {
        ..=0 => ", expired".to_owned(),
        1..120 => format!(", good for {left}s"),
        120..7200 => format!(", good for {}m", left / 60),
        _ => format!(", good for {}h", left / 3600),
    }
}

/// The caller's roles on tenants of the workspace in use; none where no workspace is chosen.
async fn tenant_roles(app: &App, workspaces: &[Workspace], subject: &str) -> Result<Vec<(String, Role)>, Failure> {
    if app.workspace.is_none() && workspaces.len() != 1 {
        return Ok(Vec::new());
    }
    let workspace_id = resolve::workspace(app).await?;
    let members = page::collect(usize::MAX, async |page_size, page_token| {
        let request = ListWorkspaceMembersRequest { workspace_id: workspace_id.clone(), page_size, page_token };
        let page = call!(app.session, workspaces.list_workspace_members, request)?;
        Ok((page.members, page.next_page_token))
    })
    .await?;
    let Some(member) = members.into_iter().find(|member| member.subject == subject) else { return Ok(Vec::new()) };
    let tenants = resolve::tenants(app, &workspace_id).await?;
    let name = |id: &str| tenants.iter().find(|tenant| tenant.tenant_id == id).map(|tenant| tenant.name.clone());
    let roles = member.tenant_roles.iter();
    Ok(roles.map(|held| (name(&held.tenant_id).unwrap_or_else(|| held.tenant_id.clone()), held.role())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_how_long_it_is_good_for() {
        let now = OffsetDateTime::from_unix_timestamp(1000).unwrap();
        assert_eq!(validity(Some(1060), now), ", good for 60s");
        assert_eq!(validity(Some(1000 + 8 * 3600), now), ", good for 8h");
        assert_eq!(validity(Some(999), now), ", expired");
        assert_eq!(validity(None, now), "");
    }
}
