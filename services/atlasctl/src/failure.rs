//! What went wrong, as a person reads it: what, why (code and machine reason), and what to do about it.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

mod advice;

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A service's answer.
    Refused(Box<Refused>),
    /// What was asked for cannot be done, and no service had to be asked to know it.
    Unusable {
        /// What is wrong.
        message: String,
        /// What to do about it.
        fix: Option<String>,
    },
    /// Whoever reads the output has stopped reading.
    NobodyReads,
}

/// A service's answer that was no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// gRPC code.
    pub(crate) code: Code,
    /// Machine reason, UPPER_SNAKE; empty when the answer came from no service of ours.
    pub(crate) reason: String,
    /// A sentence.
    message: String,
    /// Which fields are wrong, and why.
    fields: Vec<(String, String)>,
    /// What the reason is about, such as the missing capability.
    metadata: Vec<(String, String)>,
    /// Why there is no connection, when there is none.
    cut: Option<Cut>,
    /// By which support finds the call.
    request_id: String,
    trace_id: Option<String>,
}

/// Why a service did not answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// It is somebody whose certificate nobody trusted vouches for.
    Certificate,
    /// It cannot be reached, or is not what it was taken for.
    Away,
}

impl Cut {
    /// Of an answer that no service of ours gave: those have a reason.
    fn of(status: &Status, reason: &str) -> Option<Self> {
        let unanswered = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled);
        if !unanswered || !reason.is_empty() {
            return None;
        }
        let causes = std::iter::successors(std::error::Error::source(status), |cause| cause.source());
        let told = causes.fold(status.message().to_owned(), |told, cause| format!("{told} {cause}"));
        Some(if told.contains("certificate") { Self::Certificate } else { Self::Away })
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Certificate => "the service shows a certificate that is not trusted",
            Self::Away => "the service cannot be reached",
        }
    }

    const fn fix(self) -> &'static str {
        match self {
            Self::Certificate => {
                "name the authority that it is from: `atlasctl context set NAME --ca-file FILE`; or this is not the service: check its endpoint"
            }
            Self::Away => {
                "check the endpoints (`atlasctl context list`; https:// where services speak TLS) and that the services are up; \
                 -v says more"
            }
        }
    }
}

impl Failure {
    /// Without advice: the message says it all.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Unusable { message: message.into(), fix: None }
    }

    /// With what to do about it.
    pub(crate) fn with_fix(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Unusable { message: message.into(), fix: Some(fix.into()) }
    }

    /// A service's answer to the call with this request id.
    pub(crate) fn of_status(status: &Status, request_id: &str) -> Self {
        Self::Refused(Box::new(Refused::of(status, request_id)))
    }

    /// The text for standard error.
    pub(crate) fn shown(&self, verbose: bool) -> String {
        match self {
            Self::Refused(refused) => refused.shown(verbose),
            Self::Unusable { message, fix: None } => message.clone(),
            Self::Unusable { message, fix: Some(fix) } => format!("{message}\n  fix: {fix}"),
            Self::NobodyReads => String::new(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::new(format!("cannot write: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(false))
    }
}

impl Refused {
    fn of(status: &Status, request_id: &str) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let mut metadata: Vec<_> = info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default();
        metadata.sort();
        let fields = details.bad_request().map(|bad| {
            bad.field_violations.iter().map(|wrong| (wrong.field.clone(), wrong.description.clone())).collect()
        });
        let trace_id = trace_id(status, &metadata);
        metadata.retain(|(name, _)| name != "trace_id");
        let reason = info.map(|info| info.reason.clone()).unwrap_or_default();
        Self {
            code: status.code(),
            cut: Cut::of(status, &reason),
            reason,
            message: status.message().to_owned(),
            fields: fields.unwrap_or_default(),
            metadata,
            request_id: request_id.to_owned(),
            trace_id,
        }
    }

    fn shown(&self, verbose: bool) -> String {
        let mut text = match self.cut {
            // A connection's own words mean something to those who wrote the library.
            Some(cut) => cut.words().to_owned(),
            None if self.message.is_empty() => code_name(self.code).to_lowercase().replace('_', " "),
            None => self.message.clone(),
        };
        match self.reason.as_str() {
            "" => text += &format!("\n  code: {}", code_name(self.code)),
            reason if reason == code_name(self.code) => text += &format!("\n  reason: {reason}"),
            reason => text += &format!("\n  reason: {reason} ({})", code_name(self.code)),
        }
        for (field, why) in &self.fields {
            let told = format!("{field}: {why}");
            if told != self.message {
                text += &format!("\n  {told}");
            }
        }
        let fix = self.cut.map(|cut| cut.fix().to_owned());
        if let Some(fix) = fix.or_else(|| advice::fix(self.code, &self.reason, &self.metadata)) {
            text += &format!("\n  fix: {fix}");
        }
        if verbose {
            if self.reason.is_empty() && !self.message.is_empty() {
                text += &format!("\n  cause: {}", self.message);
            }
            for (name, value) in &self.metadata {
                text += &format!("\n  {name}: {value}");
            }
            text += &format!("\n  request id: {}", self.request_id);
        }
        // Of a defect it is all there is to hand to those who can find out.
        if let Some(trace_id) = self.trace_id.as_ref().filter(|_| verbose || self.code == Code::Internal) {
            text += &format!("\n  trace id: {trace_id}");
        }
        text
    }
}

/// From the error's own metadata, or from the `traceparent` the service sent back.
fn trace_id(status: &Status, metadata: &[(String, String)]) -> Option<String> {
    let told = metadata.iter().find(|(name, _)| name == "trace_id").map(|(_, value)| value.clone());
    told.or_else(|| {
        let traceparent = status.metadata().get("traceparent")?.to_str().ok()?;
        traceparent.split('-').nth(1).map(str::to_owned)
    })
}

/// The code as gRPC writes it.
pub(crate) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn shown(code: Code, message: &str, details: ErrorDetails, verbose: bool) -> String {
        Failure::of_status(&Status::with_error_details(code, message, details), "0192-req").shown(verbose)
    }

    fn because(reason: &str, metadata: &[(&str, &str)]) -> ErrorDetails {
        let metadata: HashMap<_, _> = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ErrorDetails::with_error_info(reason, "tenantatlas", metadata)
    }

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        assert_eq!(
            shown(
                Code::PermissionDenied,
                "a capability is missing",
                because("CAPABILITY_MISSING", &[("capability", "tenant.manage")]),
                false
            ),
            "a capability is missing\n  reason: CAPABILITY_MISSING (PERMISSION_DENIED)\n  \
             fix: ask an owner of the workspace for a role that has `tenant.manage`"
        );
        // Code and reason are not said twice.
        let hidden = shown(Code::NotFound, "not found", because("NOT_FOUND", &[]), false);
        assert!(hidden.starts_with("not found\n  reason: NOT_FOUND\n  fix: "), "{hidden}");
    }

    #[test]
    fn the_ids_for_support_are_shown_when_asked_for_and_of_a_defect_always() {
        let stale = |verbose| shown(Code::FailedPrecondition, "stale", because("PREFLIGHT_STALE", &[]), verbose);
        assert!(!stale(false).contains("0192-req"));
        assert!(stale(true).ends_with("request id: 0192-req"));
        let defect = shown(Code::Internal, "internal error", because("INTERNAL", &[("trace_id", "4bf9")]), false);
        assert!(defect.ends_with("trace id: 4bf9"), "{defect}");
        let mut traced = Status::unavailable("draining");
        traced.metadata_mut().insert("traceparent", "00-4bf92f3577b34da6-00f067aa-01".parse().unwrap());
        assert!(Failure::of_status(&traced, "r").shown(true).ends_with("trace id: 4bf92f3577b34da6"));
    }

    #[test]
    fn the_fields_that_are_wrong_are_named_once() {
        let mut details = because("FIELD_INVALID", &[]);
        details.add_bad_request_violation("run_id", "is no UUID");
        let once = shown(Code::InvalidArgument, "run_id: is no UUID", details.clone(), false);
        assert_eq!(once.matches("is no UUID").count(), 1, "{once}");
        details.add_bad_request_violation("page_size", "must not be negative");
        let both = shown(Code::InvalidArgument, "two fields", details, false);
        assert!(both.contains("\n  run_id: is no UUID\n  page_size: must not be negative"), "{both}");
    }

    #[test]
    fn a_connection_that_cannot_be_made_is_told_in_words_of_ours() {
        let refused = Status::unavailable("tcp connect error");
        let plain = Failure::of_status(&refused, "r").shown(false);
        assert!(plain.starts_with("the service cannot be reached\n  code: UNAVAILABLE\n  fix: "), "{plain}");
        assert!(!plain.contains("tcp") && Failure::of_status(&refused, "r").shown(true).contains("tcp connect error"));
        let stranger = Status::unavailable("invalid peer certificate: UnknownIssuer");
        let stranger = Failure::of_status(&stranger, "r").shown(false);
        assert!(stranger.contains("not trusted\n") && stranger.contains("--ca-file FILE"), "{stranger}");
        // Of a service of ours, what it says counts.
        let ours = shown(Code::Unavailable, "it is going down", because("DRAINING", &[]), false);
        assert!(ours.starts_with("it is going down\n  reason: DRAINING (UNAVAILABLE)\n"), "{ours}");
    }
}
