//! What to do about an error, by its machine reason, then by its code.

use tonic::Code;

/// One sentence; `None` where the message says it all.
pub(super) fn fix(code: Code, reason: &str, metadata: &[(String, String)]) -> Option<String> {
    by_reason(reason, metadata).or_else(|| by_code(code).map(str::to_owned))
}

fn by_reason(reason: &str, metadata: &[(String, String)]) -> Option<String> {
    let named = |wanted: &str| metadata.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let fix = match reason {
        "CAPABILITY_MISSING" => {
            let capability =
                named("capability").map_or_else(|| "the capability".to_owned(), |name| format!("`{name}`"));
            return Some(format!("ask an owner of the workspace for a role that has {capability}"));
        }
        "TOKEN_MISSING" => "`atlasctl login`, or give a token: TENANTATLAS_TOKEN, or `context set --token-file`",
        "TOKEN_EXPIRED" => "get a new token: `atlasctl login`, or renew TENANTATLAS_TOKEN or the token file",
        "TOKEN_INVALID" => {
            "check that the token is of the issuer and audience this installation trusts: `atlasctl whoami`"
        }
        "PREFLIGHT_STALE" => "the tenants changed meanwhile: read the preflight again and confirm what it says now",
        "CONFIRMATION_MISMATCH" => "look again and confirm what is there now: it changed since",
        "ONBOARDING_CHANGED" => "`atlasctl onboarding get` shows what it is now; `onboarding resume` takes it over",
        "ONBOARDING_INCOMPLETE" => "`atlasctl onboarding get` says what is next",
        "TENANT_CHANGED" => "somebody else changed the tenant meanwhile: look at it and try again",
        "NOTHING_READY" => "see why each subject is left out: `atlasctl preflight`",
        "COMPARE_CHANGED" | "PREFLIGHT_CHANGED" => "a sync finished meanwhile: run the command again",
        "SAME_TENANT" => "name two different tenants with --source and --target",
        "REQUEST_ID_REUSED" => "choose another --request-id: this one was used for something else",
        "RUN_NOT_ACTIVE" => "the operation has ended already: `atlasctl runs get`",
        "TOO_MANY_SUBJECTS" => "promote in parts: narrow the selection with --type, --platform or --name-contains",
        "SUBJECT_AMBIGUOUS" => "rename one of the policies that share a name, and sync the tenant",
        "PROVIDER_CONNECTION_MISSING" => "set the tenant's provider connection first",
        "SERVICE_IDENTITY_REQUIRED" => "this call is not for people",
        "METHOD_UNKNOWN" => "the installation is older than this atlasctl: use the one of its release",
        "OVERLOADED" | "TOO_MANY_STREAMS" | "DRAINING" => "try again in a moment",
        _ => return None,
    };
    Some(fix.to_owned())
}

const fn by_code(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::NotFound => {
            "it does not exist, or you are not entitled to it: check the id, and who you are with `atlasctl whoami`"
        }
        Code::Unauthenticated => "`atlasctl login`, or check TENANTATLAS_TOKEN",
        Code::Unavailable => "try again in a moment",
        Code::DeadlineExceeded => "allow more time with --timeout",
        Code::Internal => "this is a defect: report it with the trace id",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_advises_before_the_code_does() {
        let fix = |code, reason| fix(code, reason, &[]);
        assert!(fix(Code::Unauthenticated, "TOKEN_EXPIRED").unwrap().contains("new token"));
        assert!(fix(Code::Unauthenticated, "SOMETHING_NEW").unwrap().contains("login"));
        assert_eq!(fix(Code::InvalidArgument, "FIELD_INVALID"), None, "the fields are told");
    }
}
