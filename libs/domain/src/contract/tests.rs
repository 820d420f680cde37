use serde_json::json;

use super::*;
use crate::normal_form::samples::contract;

const SMALL: &str = "policy_type = 'small'\nlabel = 'Small'\npromotion = 'never'\nfamily = 'intune'\norder = 1\nlist = { path = 'a/b' }\n";

fn fault(extra: &str) -> String {
    Contract::from_toml(&format!("{SMALL}{extra}")).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
}

#[test]
fn a_contract_needs_little_and_refuses_what_it_does_not_know() {
    let small = Contract::from_toml(SMALL).unwrap();
    assert_eq!((small.kind, small.api.segment(), small.name_field.as_str()), (Kind::Policy, "beta", "displayName"));
    for (extra, complaint) in [
        ("", ""),
        ("striped = []", "unknown field `striped`"),
        ("strip = ['a..b']", "empty segment"),
        ("unordered = [{ path = 'a[]' }]", "without []"),
        ("links = [{ path = 'a', bind = 'b' }]", "needs {id}"),
        ("children = [{ path = '', field = 'a' }]", "needs path and field"),
        ("assignments = { keep = ['a'], keeps = [] }", "unknown field `keeps`"),
        ("[write]\nupdate = { method = 'PATCH', success = [] }", "2xx"),
        ("[write]\nupdate = { method = 'PATCH', success = [404] }", "2xx"),
        ("[write]\nupdate = { method = 'patch', success = [200] }", "unknown variant `patch`"),
        (
            "[write]\nstyle = 'definition_values'\nupdate = { method = 'PATCH', success = [200] }",
            "needs [write.follow_up]",
        ),
        ("[write]\npath = '/a'\nupdate = { method = 'PATCH', success = [200] }", "without slashes"),
    ] {
        let said = fault(extra);
        assert!(said.contains(complaint) && said.is_empty() == complaint.is_empty(), "{extra}: {said}");
    }
    let promotable = SMALL.replace("never", "promotable");
    assert!(Contract::from_toml(&promotable).is_err_and(|error| error.to_string().contains("needs [write]")));
}

fn split(policy_type: &str, belongs: &str) -> Contract {
    let text = SMALL.replace("'small'", &format!("'{policy_type}'"));
    Contract::from_toml(&format!("{text}{belongs}")).unwrap()
}

#[test]
fn a_collection_is_split_by_what_is_there_and_the_rest_is_left_over() {
    let family = |test: &str| format!("belongs = [{{ path = 'family', {test} }}]");
    let registry = Registry::new([
        split("rest", ""),
        split("security", &family("prefix = 'endpointSecurity'")),
        split("baseline", &family("equals = 'baseline'")),
        split("odd", &family("none_of = ['none', 'baseline', 'endpointSecurityX']")),
    ])
    .unwrap();
    let classified = |object| registry.classify("/a/b/", &object).map(|contract| contract.policy_type.as_str());
    assert_eq!(classified(json!({"family": "endpointSecurityFirewall"})), Some("security"));
    assert_eq!(classified(json!({"family": "baseline"})), Some("baseline"));
    assert_eq!(classified(json!({"family": "none"})), Some("rest"));
    // Both `rest` and `odd` take it equally: no guess.
    assert_eq!(classified(json!({"family": "new"})), None);
    assert!(registry.classify("a/c", &json!({"family": "none"})).is_none(), "unknown collection");
    assert!(registry.classify("a/b", &json!(7)).is_none(), "equal again");
}

#[test]
fn a_registry_lists_foundations_first_and_each_type_once() {
    let order: Vec<_> = ["settings", "filter", "script"].map(contract).into();
    let registry = Registry::new(order).unwrap();
    let listed: Vec<&str> = registry.iter().map(|contract| contract.policy_type.as_str()).collect();
    assert_eq!(listed, ["assignmentFilter", "deviceHealthScript", "settingsCatalogPolicy"]);
    assert!(registry.get("unknown").is_none());
    let twice = Registry::new([contract("filter"), contract("filter")]);
    assert!(matches!(twice, Err(ContractError::Twice(name)) if name == "assignmentFilter"));
}
