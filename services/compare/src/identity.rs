//! Which of our own services may call what is reserved to them. Their names are those of their OAuth clients.

/// promotion-service.
pub const PROMOTION: &str = "promotion-service";

/// Every service of ours that reads captured content, names and connections to do its work.
pub const SERVICES: &[&str] = &[PROMOTION, "compare-service", "operation-run-service"];
