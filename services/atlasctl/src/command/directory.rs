//! `atlasctl directory`: the groups and role definitions of a tenant, as they were last read.

use clap::{Args, Subcommand, ValueEnum};
use pb::directory::{
    DirectoryFreshness, DirectoryGroup, DirectoryRoleDefinition, GroupMembership, ListDirectoryGroupsRequest,
    ListDirectoryGroupsResponse, ListDirectoryRoleDefinitionsRequest, ListDirectoryRoleDefinitionsResponse,
    RoleDefinitionScope, SyncDirectoryGroupsRequest, SyncDirectoryRoleDefinitionsRequest,
};

use super::runs::started::{Started, after_start};
use crate::app::App;
use crate::cli::WaitArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table};
use crate::{ambient, page, resolve, words};

#[derive(Subcommand)]
pub(crate) enum DirectoryCommand {
    /// List a tenant's groups, as they were last read.
    Groups(ListArgs),
    /// List a tenant's role definitions, as they were last read.
    Roles(ListArgs),
    /// Read a tenant's groups or role definitions from the provider.
    Sync(SyncArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// The tenant, by name, domain or id.
    tenant: String,
    /// Only those whose name contains this, in any case.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name_contains: String,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub(crate) struct SyncArgs {
    /// What is read.
    what: Collection,
    /// The tenant, by name, domain or id.
    tenant: String,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Collection {
    /// Groups.
    Groups,
    /// Role definitions, of the directory and of Intune.
    Roles,
}

/// Runs the command.
pub(crate) async fn run(app: &mut App, command: &DirectoryCommand) -> Result<Exit, Failure> {
    match command {
        DirectoryCommand::Groups(args) => groups(app, args).await,
        DirectoryCommand::Roles(args) => roles(app, args).await,
        DirectoryCommand::Sync(args) => sync(app, args).await,
    }
}

async fn groups(app: &App, args: &ListArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant_id = resolve::tenant(app, &workspace_id, &args.tenant).await?.tenant_id;
    let mut freshness = None;
    let groups = page::collect(args.limit, async |page_size, page_token| {
        let request = ListDirectoryGroupsRequest {
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            name_contains: args.name_contains.clone(),
            page_size: page_size.min(page::SMALL),
            page_token,
        };
        let page = call!(app.session, directory.list_directory_groups, request)?;
        freshness = page.freshness.or(freshness.take());
        Ok((page.groups, page.next_page_token))
    })
    .await?;
    let whole =
        ListDirectoryGroupsResponse { groups: groups.clone(), freshness: freshness.clone(), ..Default::default() };
    app.show(&whole, &groups, || {
        let told: Vec<_> = freshness.iter().map(read_when).collect();
        format!("{}{}", app.table(&group_table(&groups)), told.concat())
    })?;
    Ok(Exit::Done)
}

async fn roles(app: &App, args: &ListArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant_id = resolve::tenant(app, &workspace_id, &args.tenant).await?.tenant_id;
    let mut freshness = Vec::new();
    let role_definitions = page::collect(args.limit, async |page_size, page_token| {
        let request = ListDirectoryRoleDefinitionsRequest {
            workspace_id: workspace_id.clone(),
            tenant_id: tenant_id.clone(),
            name_contains: args.name_contains.clone(),
            scope: RoleDefinitionScope::Unspecified.into(),
            page_size: page_size.min(page::SMALL),
            page_token,
        };
        let page = call!(app.session, directory.list_directory_role_definitions, request)?;
        freshness = page.freshness;
        Ok((page.role_definitions, page.next_page_token))
    })
    .await?;
    let whole = ListDirectoryRoleDefinitionsResponse {
        role_definitions: role_definitions.clone(),
        freshness: freshness.clone(),
        ..Default::default()
    };
    app.show(&whole, &role_definitions, || {
        let told: String = freshness.iter().map(read_when).collect();
        format!("{}{told}", app.table(&role_table(&role_definitions)))
    })?;
    Ok(Exit::Done)
}

async fn sync(app: &mut App, args: &SyncArgs) -> Result<Exit, Failure> {
    let workspace_id = resolve::workspace(app).await?;
    let tenant = resolve::tenant(app, &workspace_id, &args.tenant).await?;
    let (request_id, tenant_id) = (ambient::fresh_id(), tenant.tenant_id.clone());
    match args.what {
        Collection::Groups => {
            let request = SyncDirectoryGroupsRequest { request_id, workspace_id, tenant_id };
            let answer = call!(app.session, directory.sync_directory_groups, request)?;
            let started = Started {
                what: format!("Groups sync of {}", tenant.name),
                outcome: answer.outcome(),
                run: answer.run.clone(),
                reason: answer.reason.clone(),
                message: answer.message.clone(),
            };
            after_start(app, &answer, started, args.wait).await
        }
        Collection::Roles => {
            let request = SyncDirectoryRoleDefinitionsRequest { request_id, workspace_id, tenant_id };
            let answer = call!(app.session, directory.sync_directory_role_definitions, request)?;
            let started = Started {
                what: format!("Role definitions sync of {}", tenant.name),
                outcome: answer.outcome(),
                run: answer.run.clone(),
                reason: answer.reason.clone(),
                message: answer.message.clone(),
            };
            after_start(app, &answer, started, args.wait).await
        }
    }
}

/// How old what is listed is, below it.
fn read_when(freshness: &DirectoryFreshness) -> String {
    match &freshness.sync_time {
        Some(time) => {
            format!("{}: {} read at {}\n", freshness.collection, freshness.observed_count(), words::moment(time))
        }
        None => format!("{}: never read\n", freshness.collection),
    }
}

fn group_table(groups: &[DirectoryGroup]) -> Table {
    const COLUMNS: [Column; 5] = [
        Column::new("NAME"),
        Column::whole("ID"),
        Column::whole("MEMBERS").on_screens_of(80),
        Column::whole("SECURITY").on_screens_of(90),
        Column::whole("MAIL").on_screens_of(100),
    ];
    let mut table = Table::new(&COLUMNS);
    for group in groups {
        table.row([
            group.display_name.clone(),
            group.external_id.clone(),
            match group.membership() {
                GroupMembership::Assigned => "assigned".to_owned(),
                GroupMembership::Dynamic => "dynamic".to_owned(),
                GroupMembership::Unspecified => String::new(),
            },
            words::yes(group.security_enabled),
            words::yes(group.mail_enabled),
        ]);
    }
    table
}

fn role_table(roles: &[DirectoryRoleDefinition]) -> Table {
    const COLUMNS: [Column; 4] =
        [Column::new("NAME"), Column::whole("ID"), Column::whole("SCOPE"), Column::whole("BUILT IN").on_screens_of(80)];
    let mut table = Table::new(&COLUMNS);
    for role in roles {
        table.row([
            role.display_name.clone(),
            role.external_id.clone(),
            match role.scope() {
                RoleDefinitionScope::Directory => "directory".to_owned(),
                RoleDefinitionScope::Intune => "Intune".to_owned(),
                RoleDefinitionScope::Unspecified => String::new(),
            },
            words::yes(role.built_in),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    #[test]
    fn what_was_never_read_is_told_from_what_is_empty() {
        let never = DirectoryFreshness { collection: "groups".into(), ..Default::default() };
        assert_eq!(read_when(&never), "groups: never read\n");
        let read = DirectoryFreshness { sync_time: Some(Timestamp::default()), observed_count: Some(0), ..never };
        assert_eq!(read_when(&read), "groups: 0 read at 1970-01-01T00:00:00Z\n");
    }
}
