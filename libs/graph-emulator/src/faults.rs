//! Faults by rule: which calls go wrong, how, and how often. Rules are given over HTTP or by the library; both speak `FaultRule`.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::call::{Call, Refusal};

/// Which calls go wrong, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Set by the emulator when the rule is added.
    #[serde(default)]
    pub id: u64,
    /// The calls concerned; absent parts match everything.
    #[serde(default, rename = "match")]
    pub matching: FaultMatch,
    /// What happens to them.
    pub action: FaultAction,
    /// How many calls are hit before the rule is spent; absent = no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How many matching calls pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// Chance from 0 to 1 that a matching call is hit; absent = always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Seed of that chance: the same calls in the same order are hit again.
    #[serde(default)]
    pub seed: u64,
}

impl FaultRule {
    /// A rule that hits every call.
    pub fn new(action: FaultAction) -> Self {
        Self { id: 0, matching: FaultMatch::default(), action, times: None, skip: 0, probability: None, seed: 0 }
    }

    /// Only calls of this tenant.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.matching.tenant = Some(tenant.into());
        self
    }

    /// Only calls with this method; `"WRITE"` = every method but GET.
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.matching.method = Some(method.into());
        self
    }

    /// Only calls whose path matches, see [`FaultMatch::path`].
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.matching.path = Some(path.into());
        self
    }

    /// Hits so many calls, then is spent.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Lets so many matching calls pass first.
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Hits by chance, repeatably.
    pub fn chance(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = seed;
        self
    }
}

/// The calls a rule concerns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultMatch {
    /// Tenant id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// HTTP method, or `WRITE` for all but GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Prefix of the path below the version, such as `/deviceManagement/configurationPolicies`. `*` stands for any text, a final
    /// `$` for the end of the path. Letter case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultAction {
    /// 429. `retry_after` goes into the header as it is: `"2"`, `"2.128"`, or absent as Intune often leaves it.
    Throttle {
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// Any error status, before anything is done.
    Status {
        status: u16,
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// The call waits so many milliseconds before it is served.
    Latency { latency_ms: u64 },
    /// The call is served and committed, then the connection is held and cut: the client never learns the outcome.
    TimeoutAfterCommit {
        #[serde(default)]
        hold_ms: u64,
    },
    /// The connection is cut, nothing was done.
    CutBeforeCommit {
        #[serde(default)]
        hold_ms: u64,
    },
    /// Reads answer the state before this write for so many milliseconds.
    StaleReads { stale_reads_ms: u64 },
    /// An error of the Intune service: JSON inside `error.message`.
    MessageError {
        message: String,
        #[serde(default = "bad_request")]
        status: u16,
    },
    /// Multi Admin Approval as if a policy of the tenant covered the call: 400 without justification, 412 with one, and served
    /// once the request is approved and sent again with its code.
    ApprovalRequired,
    /// 400: the approval justification header is missing.
    JustificationRequired,
    /// 403.
    Forbidden {
        #[serde(default)]
        message: Option<String>,
    },
}

fn bad_request() -> u16 {
    400
}

/// What the rules together do to one call.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) latency: Duration,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) cut: Option<Cut>,
    pub(crate) stale: Option<Duration>,
    pub(crate) approval: bool,
    /// Ids of the rules that hit.
    pub(crate) rules: Vec<u64>,
}

/// A connection to be cut without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) hold: Duration,
    pub(crate) before_commit: bool,
}

/// The rules in force, with what they have done so far.
#[derive(Debug, Default)]
pub(crate) struct FaultBook {
    rules: Vec<Armed>,
    last_id: u64,
}

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    chance: StdRng,
}

impl FaultBook {
    /// Adds a rule and answers its id.
    pub(crate) fn add(&mut self, mut rule: FaultRule) -> u64 {
        self.last_id += 1;
        rule.id = self.last_id;
        let chance = StdRng::seed_from_u64(rule.seed);
        self.rules.push(Armed { rule, chance });
        self.last_id
    }

    /// The rules not yet spent, `times` and `skip` counted down.
    pub(crate) fn list(&self) -> Vec<FaultRule> {
        self.rules.iter().map(|armed| armed.rule.clone()).collect()
    }

    /// Removes one rule, or all.
    pub(crate) fn remove(&mut self, id: Option<u64>) -> usize {
        let before = self.rules.len();
        self.rules.retain(|armed| id.is_some_and(|id| armed.rule.id != id));
        before - self.rules.len()
    }

    /// What happens to this call. Rules apply in the order they were added, up to the first that refuses the call.
    pub(crate) fn hit(&mut self, call: &Call) -> Effects {
        let mut effects = Effects::default();
        for armed in &mut self.rules {
            if !armed.rule.matching.admits(call) || !armed.fires() {
                continue;
            }
            effects.rules.push(armed.rule.id);
            armed.rule.action.apply(&mut effects);
            if effects.refusal.is_some() {
                break;
            }
        }
        self.rules.retain(|armed| armed.rule.times != Some(0));
        effects
    }
}

impl Armed {
    fn fires(&mut self) -> bool {
        if self.rule.skip > 0 {
            self.rule.skip -= 1;
            return false;
        }
        if self.rule.times == Some(0)
            || self.rule.probability.is_some_and(|chance| self.chance.random::<f64>() >= chance)
        {
            return false;
        }
        if let Some(times) = &mut self.rule.times {
            *times -= 1;
        }
        true
    }
}

impl FaultMatch {
    fn admits(&self, call: &Call) -> bool {
        let method = self.method.as_deref().is_none_or(|wanted| match wanted {
            "WRITE" => call.writes(),
            wanted => call.method.as_str().eq_ignore_ascii_case(wanted),
        });
        method
            && self.tenant.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&call.tenant))
            && self.path.as_deref().is_none_or(|pattern| path_matches(pattern, &call.path))
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    let path = format!("/{}", path.trim_start_matches('/')).to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let (pattern, whole) = match pattern.strip_suffix('$') {
        Some(rest) => (rest, true),
        None => (pattern.as_str(), false),
    };
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        if whole && at + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    !whole || rest.is_empty()
}

impl FaultAction {
    fn apply(&self, effects: &mut Effects) {
        let after = |refusal: Refusal, seconds: &Option<String>| match seconds {
            Some(seconds) => refusal.header("retry-after", seconds.clone()),
            None => refusal,
        };
        match self {
            FaultAction::Throttle { retry_after } => {
                effects.refusal = Some(after(throttled(), retry_after));
            }
            FaultAction::Status { status, code, message, retry_after } => {
                let code = code.as_deref().unwrap_or(default_code(*status));
                let message = message.as_deref().unwrap_or("The service is not able to process the request.");
                effects.refusal = Some(after(Refusal::new(*status, code, message), retry_after));
            }
            FaultAction::Latency { latency_ms } => effects.latency += Duration::from_millis(*latency_ms),
            FaultAction::TimeoutAfterCommit { hold_ms } => {
                effects.cut = Some(Cut { hold: Duration::from_millis(*hold_ms), before_commit: false });
            }
            FaultAction::CutBeforeCommit { hold_ms } => {
                effects.cut = Some(Cut { hold: Duration::from_millis(*hold_ms), before_commit: true });
            }
            FaultAction::StaleReads { stale_reads_ms } => effects.stale = Some(Duration::from_millis(*stale_reads_ms)),
            FaultAction::MessageError { message, status } => {
                effects.refusal = Some(Refusal::new(*status, default_code(*status), message).nested());
            }
            FaultAction::ApprovalRequired => effects.approval = true,
            FaultAction::JustificationRequired => effects.refusal = Some(crate::approval::justification_required()),
            FaultAction::Forbidden { message } => {
                let message = message.as_deref().unwrap_or("Application is not authorized to perform this operation.");
                effects.refusal = Some(Refusal::new(403, "Forbidden", message));
            }
        }
    }
}

/// The 429 of Intune and Entra.
pub(crate) fn throttled() -> Refusal {
    Refusal::new(429, "TooManyRequests", "Too many requests have been sent. Try again later.")
}

fn default_code(status: u16) -> &'static str {
    match status {
        400 => "BadRequest",
        403 => "Forbidden",
        404 => "ResourceNotFound",
        409 => "Conflict",
        412 => "PreconditionFailed",
        423 => "Locked",
        429 => "TooManyRequests",
        502 => "BadGateway",
        503 => "ServiceUnavailable",
        504 => "GatewayTimeout",
        _ => "InternalServerError",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_patterns() {
        let path = "/deviceManagement/configurationPolicies('1')/settings";
        assert!(path_matches("/devicemanagement/", path));
        assert!(path_matches("*/settings$", path));
        assert!(path_matches("/deviceManagement/*/settings", path));
        assert!(!path_matches("/deviceManagement/configurationPolicies$", path));
        assert!(!path_matches("/settings", path));
        assert!(path_matches("/deviceManagement/configurationPolicies$", "deviceManagement/configurationPolicies"));
    }

    #[test]
    fn rules_have_a_json_form() {
        let json = r#"{"match":{"method":"POST"},"action":{"kind":"throttle","retry_after":"2.128"},"times":3}"#;
        let rule: FaultRule = serde_json::from_str(json).unwrap();
        assert_eq!(
            rule,
            FaultRule::new(FaultAction::Throttle { retry_after: Some("2.128".into()) }).method("POST").times(3)
        );
        assert!(serde_json::from_str::<FaultRule>(r#"{"action":{"kind":"explode"}}"#).is_err());
    }
}
