//! What a viewer is told about tenants.

use domain::run::{Banner, FollowUp};
use pb::operation as proto;

use crate::get_operation_run::Shown;

/// The banner and what may be done, as they are sent.
pub fn to_viewer_context(shown: &Shown) -> proto::ViewerContext {
    let (run_tenant, selected) = (shown.tenants.of_run.as_ref(), shown.tenants.selected.as_ref());
    proto::ViewerContext {
        banner: to_banner(shown.context.banner).into(),
        message: shown.context.sentence.clone(),
        run_tenant_name: run_tenant.map(|tenant| tenant.name.clone()).unwrap_or_default(),
        selected_tenant_id: selected.map(|tenant| tenant.id.to_string()).unwrap_or_default(),
        selected_tenant_name: selected.map(|tenant| tenant.name.clone()).unwrap_or_default(),
        follow_up_actions: shown.context.follow_ups.iter().map(|follow_up| to_follow_up(*follow_up).into()).collect(),
    }
}

const fn to_banner(banner: Banner) -> proto::ContextBanner {
    use proto::ContextBanner as Wire;
    match banner {
        Banner::None => Wire::None,
        Banner::TenantMismatch => Wire::TenantMismatch,
        Banner::NoTenantSelected => Wire::NoTenantSelected,
        Banner::TenantlessRun => Wire::TenantlessRun,
        Banner::RunTenantOnboarding => Wire::RunTenantOnboarding,
        Banner::RunTenantArchived => Wire::RunTenantArchived,
        Banner::RunTenantNotSelectable => Wire::RunTenantNotSelectable,
    }
}

const fn to_follow_up(follow_up: FollowUp) -> proto::FollowUpAction {
    match follow_up {
        FollowUp::OpenTenant => proto::FollowUpAction::OpenTenant,
        FollowUp::SelectTenant => proto::FollowUpAction::SelectTenant,
        FollowUp::StartAgain => proto::FollowUpAction::StartAgain,
        FollowUp::Cancel => proto::FollowUpAction::Cancel,
    }
}
