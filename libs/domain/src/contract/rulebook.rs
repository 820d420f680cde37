//! The rules of a contract, found by place: what a walk over an object asks at every value.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{Contract, DefaultRule, FieldTest, LinkRule, ReferenceRule, SecretRule, TextRule, UnorderedRule};
use crate::id::PolicyType;
use crate::json::{Path, Step};

/// All rules of a contract and the ones that hold for every type, indexed by the field they end in.
pub(crate) struct RuleBook<'c> {
    by_field: HashMap<&'c str, Vec<(&'c Path, Rule<'c>)>>,
}

#[derive(Clone, Copy)]
enum Rule<'c> {
    Strip,
    Secret(&'c SecretRule),
    Reference(&'c ReferenceRule),
    Link(&'c LinkRule),
    Text(&'c TextRule),
    Duration,
    Time,
    Unordered(&'c UnorderedRule),
    Default(&'c DefaultRule),
}

/// The rules that apply to one value.
#[derive(Default, Clone, Copy)]
pub(crate) struct Found<'c> {
    pub(crate) strip: bool,
    pub(crate) secret: bool,
    pub(crate) duration: bool,
    pub(crate) time: bool,
    pub(crate) reference: Option<&'c ReferenceRule>,
    pub(crate) link: Option<&'c LinkRule>,
    pub(crate) text: Option<&'c TextRule>,
    pub(crate) unordered: Option<&'c UnorderedRule>,
    pub(crate) default: Option<&'c DefaultRule>,
}

impl<'c> RuleBook<'c> {
    pub(crate) fn new(contract: &'c Contract) -> Self {
        let mut book = Self { by_field: HashMap::new() };
        let scope_tags = &*SCOPE_TAGS;
        contract.strip.iter().for_each(|path| book.add(path, Rule::Strip));
        contract.secrets.iter().for_each(|rule| book.add(&rule.path, Rule::Secret(rule)));
        contract.links.iter().for_each(|rule| book.add(&rule.path, Rule::Link(rule)));
        contract.text.iter().for_each(|rule| book.add(&rule.path, Rule::Text(rule)));
        contract.durations.iter().for_each(|path| book.add(path, Rule::Duration));
        contract.times.iter().for_each(|path| book.add(path, Rule::Time));
        // The contract's own rules come first, so that it can say something else about scope tags.
        contract.references.iter().chain(&scope_tags.references).for_each(|r| book.add(&r.path, Rule::Reference(r)));
        contract.unordered.iter().chain(&scope_tags.unordered).for_each(|r| book.add(&r.path, Rule::Unordered(r)));
        contract.defaults.iter().chain(&scope_tags.defaults).for_each(|r| book.add(&r.path, Rule::Default(r)));
        book
    }

    fn add(&mut self, path: &'c Path, rule: Rule<'c>) {
        self.by_field.entry(path.last_field()).or_default().push((path, rule));
    }

    /// The rules for the value at `place`; `holder` is the object whose field it is (or is an element of).
    pub(crate) fn at(&self, place: &[Step<'_>], holder: &Value) -> Found<'c> {
        let mut found = Found::default();
        let field = place.iter().rev().find_map(|step| match step {
            Step::Field(name) => Some(*name),
            Step::Element(_) => None,
        });
        let rules = field.and_then(|name| self.by_field.get(name));
        for (_, rule) in rules.into_iter().flatten().filter(|(path, _)| path.matches(place)) {
            match *rule {
                Rule::Strip => found.strip = true,
                Rule::Duration => found.duration = true,
                Rule::Time => found.time = true,
                Rule::Secret(rule) => found.secret |= all_hold(&rule.when, holder),
                Rule::Reference(rule) if all_hold(&rule.when, holder) => first(&mut found.reference, rule),
                Rule::Text(rule) if all_hold(&rule.when, holder) => first(&mut found.text, rule),
                Rule::Reference(_) | Rule::Text(_) => {}
                Rule::Link(rule) => first(&mut found.link, rule),
                Rule::Unordered(rule) => first(&mut found.unordered, rule),
                Rule::Default(rule) => first(&mut found.default, rule),
            }
        }
        found
    }

    /// Every array that some rule goes through, so that an unrolled one can be put right.
    pub(crate) fn arrays(&self) -> Vec<Path> {
        let rules = self.by_field.values().flatten();
        let mut arrays: Vec<Path> = rules
            .flat_map(|(path, rule)| {
                let own = matches!(rule, Rule::Unordered(_)).then(|| (*path).clone());
                path.arrays().into_iter().chain(own)
            })
            .collect();
        // Outer arrays first: an inner one is only reachable once the outer one is an array.
        arrays.sort_by_key(|path| (path.depth(), path.as_str().to_owned()));
        arrays
    }
}

fn first<'c, T>(slot: &mut Option<&'c T>, rule: &'c T) {
    if slot.is_none() {
        *slot = Some(rule);
    }
}

fn all_hold(tests: &[FieldTest], holder: &Value) -> bool {
    tests.iter().all(|test| test.holds(holder))
}

struct ScopeTags {
    references: Vec<ReferenceRule>,
    unordered: Vec<UnorderedRule>,
    defaults: Vec<DefaultRule>,
}

/// Scope tags are on almost every Intune object: `roleScopeTagIds`, or `roleScopeTags` on assignment filters and policy
/// sets. Their ids are small integers per tenant; only `0`, Default, is the same everywhere, and Graph adds it when none
/// is given, so that alone it equals absent (GRAPH section 1 and Q6).
static SCOPE_TAGS: LazyLock<ScopeTags> = LazyLock::new(|| {
    let mut tags = ScopeTags { references: Vec::new(), unordered: Vec::new(), defaults: Vec::new() };
    for field in ["roleScopeTagIds", "roleScopeTags"] {
        let path = |text: &str| text.parse::<Path>().expect("a constant path parses");
        tags.references.push(ReferenceRule {
            path: path(&format!("{field}[]")),
            kind: PolicyType::from(PolicyType::ROLE_SCOPE_TAG),
            when: Vec::new(),
            sentinels: Vec::new(),
            none_values: Vec::new(),
            fixed: [("0".to_owned(), "Default".to_owned())].into(),
            bind: None,
        });
        tags.unordered.push(UnorderedRule { path: path(field), key: Vec::new() });
        let default = json!([{ "$ref": { "kind": PolicyType::ROLE_SCOPE_TAG, "name": "default", "fixed": true } }]);
        tags.defaults.push(DefaultRule { path: path(field), value: default, omit: false });
    }
    tags
});
