//! TenantService: tenants and how the provider is reached for them.

mod advance_onboarding;
mod archive_tenant;
mod batch_evaluate_operability;
mod cancel_onboarding;
mod clear_selected_tenant;
mod complete_onboarding;
mod evaluate_operability;
mod external_id;
mod get_onboarding;
mod get_provider_connection;
mod get_selected_tenant;
mod get_tenant;
mod lifecycle;
mod list_onboardings;
mod list_tenant_actions;
mod list_tenants;
mod onboarding;
mod register_tenant;
mod restore_tenant;
mod resume_onboarding;
mod search_tenants;
mod select_tenant;
mod set_provider_connection;
mod start_onboarding;
mod update_tenant;
mod verify_provider_connection;

pub use advance_onboarding::{Step, advance_onboarding};
pub use archive_tenant::archive_tenant;
pub use batch_evaluate_operability::{Check, MAX_CHECKS, Outcome, batch_evaluate_operability};
pub use cancel_onboarding::cancel_onboarding;
pub use clear_selected_tenant::{ClearSelectedTenant, clear_selected_tenant};
pub use complete_onboarding::complete_onboarding;
pub use evaluate_operability::evaluate_operability;
pub use get_onboarding::get_onboarding;
pub use get_provider_connection::get_provider_connection;
pub use get_selected_tenant::{Selection, get_selected_tenant};
pub use get_tenant::get_tenant;
pub use lifecycle::LifecycleChange;
pub use list_onboardings::{OnboardingsAsked, list_onboardings};
pub use list_tenant_actions::list_tenant_actions;
pub use list_tenants::list_tenants;
pub use onboarding::{Onboarded, OnboardingChange};
pub use register_tenant::{RegisterTenant, register_tenant};
pub use restore_tenant::restore_tenant;
pub use resume_onboarding::resume_onboarding;
pub use search_tenants::{MAX_QUERY_CHARS, Place, search_tenants};
pub use select_tenant::{SelectTenant, select_tenant};
pub use set_provider_connection::{SetProviderConnection, checked_route, set_provider_connection};
pub use start_onboarding::{StartOnboarding, Subject, start_onboarding};
pub use update_tenant::{UpdateTenant, update_tenant};
pub(crate) use verify_provider_connection::VERIFIED_CONNECTION;
pub use verify_provider_connection::verify_provider_connection;

/// The most characters of a domain name.
pub const MAX_DOMAIN_CHARS: usize = 253;
/// The most characters of an address or a credential reference.
pub const MAX_ADDRESS_CHARS: usize = 1000;
/// The most other names of a tenant.
pub const MAX_ALIASES: usize = 50;
/// The most characters of the reason given for a change.
pub const MAX_REASON_CHARS: usize = 500;
