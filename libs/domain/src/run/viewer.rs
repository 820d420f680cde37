//! What somebody who looks at a run is told about the tenant it belongs to and the one they have selected. It informs and
//! never decides: whoever may see a run sees it, whatever is selected.

use crate::id::TenantId;
use crate::run::{RunStatus, RunType};
use crate::tenant::Lifecycle;

/// The one line above a run. At most one, so that no two contradict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Banner {
    /// The run's tenant is the selected one: there is nothing to say.
    None,
    /// Another tenant is selected.
    TenantMismatch,
    /// No tenant is selected.
    NoTenantSelected,
    /// The run belongs to the workspace and to no tenant.
    TenantlessRun,
    /// The run's tenant is being set up.
    RunTenantOnboarding,
    /// The run's tenant was put aside.
    RunTenantArchived,
    /// The run's tenant cannot be selected for another reason.
    RunTenantNotSelectable,
}

/// What may be done from here. Each is authorised again when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FollowUp {
    /// Open the tenant's own page.
    OpenTenant,
    /// Make the run's tenant the selected one.
    SelectTenant,
    /// Start the same again.
    StartAgain,
    /// Ask the run to stop.
    Cancel,
}

/// A tenant as far as a banner needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSeen {
    /// Which.
    pub id: TenantId,
    /// For people.
    pub name: String,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
}

/// What telling takes.
#[derive(Debug, Clone)]
pub struct ViewerFacts {
    /// What the run is.
    pub run_type: RunType,
    /// Where it is.
    pub status: RunStatus,
    /// Whether it was asked to stop.
    pub cancel_requested: bool,
    /// Whether it belongs to no tenant.
    pub tenantless: bool,
    /// Its tenant; `None` too when there is no such tenant any more.
    pub run_tenant: Option<TenantSeen>,
    /// The tenant the viewer has selected and that is still good for it.
    pub selected: Option<TenantSeen>,
    /// Whether the viewer has what starting one takes.
    pub may_start: bool,
}

/// What the viewer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewerContext {
    /// The code.
    pub banner: Banner,
    /// For people; empty when there is nothing to say.
    pub sentence: String,
    /// What may be done from here.
    pub follow_ups: Vec<FollowUp>,
}

/// Tells it.
pub fn viewer_context(facts: &ViewerFacts) -> ViewerContext {
    let (banner, sentence) = banner(facts);
    ViewerContext { banner, sentence, follow_ups: follow_ups(facts) }
}

fn banner(facts: &ViewerFacts) -> (Banner, String) {
    const LIMITED: &str = "The operation can be viewed; what can be done with the tenant may be limited.";
    if facts.tenantless {
        return (Banner::TenantlessRun, "This operation belongs to the workspace and to no tenant.".into());
    }
    let Some(tenant) = &facts.run_tenant else {
        return (Banner::RunTenantNotSelectable, format!("The run tenant cannot be selected. {LIMITED}"));
    };
    let name = &tenant.name;
    match (tenant.lifecycle, &facts.selected) {
        (Lifecycle::Onboarding, _) => {
            (Banner::RunTenantOnboarding, format!("The run tenant {name} is being onboarded. {LIMITED}"))
        }
        (Lifecycle::Archived, _) => {
            (Banner::RunTenantArchived, format!("The run tenant {name} is archived. {LIMITED}"))
        }
        (Lifecycle::Draft, _) => {
            (Banner::RunTenantNotSelectable, format!("The run tenant {name} cannot be selected. {LIMITED}"))
        }
        (Lifecycle::Active, None) => (
            Banner::NoTenantSelected,
            format!("This operation belongs to the run tenant {name}; no tenant is selected."),
        ),
        (Lifecycle::Active, Some(selected)) if selected.id != tenant.id => (
            Banner::TenantMismatch,
            format!("This operation belongs to the run tenant {name}; the selected tenant is {}.", selected.name),
        ),
        (Lifecycle::Active, Some(_)) => (Banner::None, String::new()),
    }
}

fn follow_ups(facts: &ViewerFacts) -> Vec<FollowUp> {
    let lifecycle = facts.run_tenant.as_ref().map(|tenant| tenant.lifecycle);
    let selected = facts.selected.as_ref().map(|tenant| tenant.id);
    let is_selected = facts.run_tenant.as_ref().is_some_and(|tenant| selected == Some(tenant.id));
    let workable = match lifecycle {
        Some(Lifecycle::Active) => true,
        // Checking the connection is part of setting a tenant up.
        Some(Lifecycle::Onboarding) => facts.run_type == RunType::ProviderConnectionVerify,
        _ => false,
    };
    let over = facts.status == RunStatus::Completed;
    [
        (FollowUp::OpenTenant, lifecycle.is_some()),
        (FollowUp::SelectTenant, lifecycle == Some(Lifecycle::Active) && !is_selected),
        (FollowUp::StartAgain, over && workable && facts.may_start),
        (FollowUp::Cancel, !over && facts.may_start && !facts.cancel_requested),
    ]
    .into_iter()
    .filter_map(|(follow_up, offered)| offered.then_some(follow_up))
    .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(n: u128, lifecycle: Lifecycle) -> TenantSeen {
        TenantSeen { id: TenantId(Uuid::from_u128(n)), name: format!("T{n}"), lifecycle }
    }

    fn facts(run_tenant: Option<TenantSeen>, selected: Option<TenantSeen>) -> ViewerFacts {
        ViewerFacts {
            run_type: RunType::PromotionExecute,
            status: RunStatus::Completed,
            cancel_requested: false,
            tenantless: false,
            run_tenant,
            selected,
            may_start: true,
        }
    }

    #[test]
    fn each_situation_has_one_banner() {
        use Lifecycle::{Active, Archived, Draft, Onboarding};
        let other = || Some(tenant(2, Active));
        for (run_tenant, selected, expected) in [
            (Some(tenant(1, Active)), Some(tenant(1, Active)), Banner::None),
            (Some(tenant(1, Active)), other(), Banner::TenantMismatch),
            (Some(tenant(1, Active)), None, Banner::NoTenantSelected),
            (Some(tenant(1, Onboarding)), other(), Banner::RunTenantOnboarding),
            (Some(tenant(1, Archived)), None, Banner::RunTenantArchived),
            (Some(tenant(1, Draft)), other(), Banner::RunTenantNotSelectable),
            (None, other(), Banner::RunTenantNotSelectable),
        ] {
            let facts = facts(run_tenant, selected);
            let told = viewer_context(&facts);
            assert_eq!(told.banner, expected, "{facts:?}");
            assert_eq!(told.sentence.is_empty(), expected == Banner::None);
        }
        let tenantless = ViewerFacts { tenantless: true, ..facts(None, other()) };
        assert_eq!(viewer_context(&tenantless).banner, Banner::TenantlessRun);
    }

    #[test]
    fn follow_ups_shrink_with_the_tenant() {
        use FollowUp::{Cancel, OpenTenant, SelectTenant, StartAgain};
        let of = |facts: &ViewerFacts| viewer_context(facts).follow_ups;
        let active = facts(Some(tenant(1, Lifecycle::Active)), None);
        assert_eq!(of(&active), [OpenTenant, SelectTenant, StartAgain]);
        let archived = facts(Some(tenant(1, Lifecycle::Archived)), None);
        assert_eq!(of(&archived), [OpenTenant]);
        let onboarding = facts(Some(tenant(1, Lifecycle::Onboarding)), None);
        assert_eq!(of(&onboarding), [OpenTenant]);
        let check = ViewerFacts { run_type: RunType::ProviderConnectionVerify, ..onboarding };
        assert_eq!(of(&check), [OpenTenant, StartAgain]);
        assert_eq!(of(&facts(None, None)), []);
        // Stopping is possible wherever the tenant is.
        assert_eq!(of(&ViewerFacts { status: RunStatus::Running, ..archived.clone() }), [OpenTenant, Cancel]);
        let stopping = ViewerFacts { status: RunStatus::Running, cancel_requested: true, ..archived };
        assert_eq!(of(&stopping), [OpenTenant]);
        assert_eq!(of(&ViewerFacts { may_start: false, ..active }), [OpenTenant, SelectTenant]);
    }
}
