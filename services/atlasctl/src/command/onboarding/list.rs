//! `atlasctl onboarding list`.

use clap::Args;
use pb::tenant::{ListOnboardingsRequest, ListOnboardingsResponse, OnboardingState};

use crate::app::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::call;
use crate::table::{Column, Table};
use crate::{ambient, page, resolve, words};

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Those that have ended, too.
    #[arg(long)]
    all: bool,
    /// At most this many.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

/// Runs the command.
pub(super) async fn run(app: &App, workspace_id: &str, args: &ListArgs) -> Result<Exit, Failure> {
    let states = if args.all { vec![] } else { vec![OnboardingState::InProgress.into()] };
    let onboardings = page::collect(args.limit, async |page_size, page_token| {
        let request = ListOnboardingsRequest {
            workspace_id: workspace_id.to_owned(),
            states: states.clone(),
            tenant_id: String::new(),
            page_size: page_size.min(page::SMALL),
            page_token,
        };
        let page = call!(app.session, tenants.list_onboardings, request)?;
        Ok((page.onboardings, page.next_page_token))
    })
    .await?;
    let names = resolve::tenant_names(app, workspace_id).await;
    let whole = ListOnboardingsResponse { onboardings: onboardings.clone(), ..Default::default() };
    app.show(&whole, &onboardings, || {
        if onboardings.is_empty() {
            return "No tenant is being set up.".to_owned();
        }
        const COLUMNS: [Column; 6] = [
            Column::new("TENANT"),
            Column::whole("ONBOARDING"),
            Column::new("STATE"),
            Column::new("NEXT"),
            Column::new("LAST EDITED BY").on_screens_of(110),
            Column::whole("AGE").on_screens_of(90),
        ];
        let mut table = Table::new(&COLUMNS);
        for onboarding in &onboardings {
            let in_progress = onboarding.state() == OnboardingState::InProgress;
            table.row([
                names.get(&onboarding.tenant_id).unwrap_or(&onboarding.tenant_id).clone(),
                onboarding.onboarding_id.clone(),
                words::onboarding_state(onboarding.state()),
                if in_progress { words::checkpoint(onboarding.next_checkpoint()) } else { String::new() },
                onboarding.editor_name.clone(),
                words::age(onboarding.create_time.as_ref(), ambient::now()),
            ]);
        }
        app.table(&table)
    })?;
    Ok(Exit::Done)
}
