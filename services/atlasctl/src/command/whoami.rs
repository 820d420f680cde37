//! `atlasctl whoami`: who the services take the caller for, and what that opens.

use pb::workspace::{Access, GetMyAccessRequest, GetMyAccessResponse, Workspace};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::app::{self, App};
use crate::cli::Format;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::one_line;
use crate::token::Token;
use crate::{ambient, json, page, resolve, words};

/// Runs the command. The first call proves the token; what it says of itself is only read.
pub(crate) async fn run(app: &App) -> Result<Exit, Failure> {
    let workspaces = resolve::workspaces(app).await?;
    let access = access(app, &workspaces).await?;
    let claims = app.session.token().and_then(Token::claims).unwrap_or_default();
    if app.format != Format::Table {
        let value = as_json(app, &claims, &workspaces, access);
        return if app.format == Format::Json { app::print_document(&value) } else { app::print_line(&value) }
            .map(|()| Exit::Done);
    }
    let mut text = identity(app, &claims, ambient::now());
    text += if workspaces.is_empty() { "Workspaces    none\n" } else { "Workspaces\n" };
    for workspace in &workspaces {
        text += &format!("  {}: {}\n", one_line(&workspace.name), words::role(workspace.caller_role()));
    }
    if let Some((workspace, access)) = &access {
        let names = resolve::tenant_names(app, &workspace.workspace_id).await;
        let name = |id: &String| names.get(id).unwrap_or(id).clone();
        text += &format!("In {} you may\n  {}\n", one_line(&workspace.name), may(&access.capabilities));
        for tenant in &access.tenants {
            let named = one_line(&name(&tenant.tenant_id));
            text += &format!("On {named} ({}) you may\n  {}\n", words::role(tenant.role()), may(&tenant.capabilities));
        }
    }
    app::print(&text)?;
    Ok(Exit::Done)
}

/// The caller's access to the workspace in use; none where no workspace is chosen.
async fn access(app: &App, workspaces: &[Workspace]) -> Result<Option<(Workspace, Access)>, Failure> {
    if app.workspace.is_none() && workspaces.len() != 1 {
        return Ok(None);
    }
    let workspace_id = resolve::workspace(app).await?;
    let Some(workspace) = workspaces.iter().find(|workspace| workspace.workspace_id == workspace_id) else {
        return Ok(None);
    };
    let mut first = None;
    let tenants = page::collect(usize::MAX, async |page_size, page_token| {
        let request = GetMyAccessRequest { workspace_id: workspace_id.clone(), page_size, page_token };
        let page = call!(app.session, workspaces.get_my_access, request)?;
        let mut access = page.access.unwrap_or_default();
        let tenants = std::mem::take(&mut access.tenants);
        first.get_or_insert(access);
        Ok((tenants, page.next_page_token))
    })
    .await?;
    Ok(Some((workspace.clone(), Access { tenants, ..first.unwrap_or_default() })))
}

fn identity(app: &App, claims: &Map<String, Value>, now: OffsetDateTime) -> String {
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).map(one_line).unwrap_or_default();
    let named: Vec<_> = [claim("name"), claim("sub")].into_iter().filter(|part| !part.is_empty()).collect();
    let shown = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let endpoint = |url: &Option<String>| url.clone().unwrap_or_else(|| "-".to_owned());
    [
        ("You", shown(named.join(", "))),
        ("Token", format!("{}{}", app.token_source, validity(claims.get("exp").and_then(Value::as_i64), now))),
        ("Issuer", shown(claim("iss"))),
        ("Context", app.context_name.clone().unwrap_or_else(|| "none".to_owned())),
        ("  compare", endpoint(&app.context.compare)),
        ("  promotion", endpoint(&app.context.promotion)),
        ("  operations", endpoint(&app.context.operation_run)),
    ]
    .iter()
    .map(|(title, value)| format!("{title:<14}{value}\n"))
    .collect()
}

fn as_json(
    app: &App,
    claims: &Map<String, Value>,
    workspaces: &[Workspace],
    access: Option<(Workspace, Access)>,
) -> Value {
    let access = access.map(|(_, access)| GetMyAccessResponse { access: Some(access), ..Default::default() });
    json!({
        "context": app.context_name,
        "subject": claims.get("sub"),
        "name": claims.get("name"),
        "issuer": claims.get("iss"),
        "workspaces": workspaces.iter().map(json::of).collect::<Vec<_>>(),
        "access": access.map(|access| json::of(&access)["access"].take()),
    })
}

fn may(capabilities: &[String]) -> String {
    if capabilities.is_empty() { "nothing".to_owned() } else { capabilities.join(", ") }
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
