//! Where the objects of a contract are: its paths as addresses.

use domain::contract::{Contract, Write};
use serde_json::Value;

use crate::path::Path;

/// The collection the contract's objects are listed from.
pub(crate) fn list(contract: &Contract) -> Path {
    Path::new(contract.api.segment(), &format!("/{}", contract.list.path)).with_query(&contract.list.query)
}

/// One object, read whole: with the query of its own reads, or else with what the list's query expands and selects.
pub(crate) fn item(contract: &Contract, id: &str) -> Path {
    let query = match &contract.item {
        Some(item) => item.query.clone(),
        None => without_filter(&contract.list.query),
    };
    object(contract, id).with_query(&query)
}

/// One object's own address.
pub(crate) fn object(contract: &Contract, id: &str) -> Path {
    Path::with(contract.api.segment(), &format!("/{}/{{id}}", contract.list.path), &[("id", id)])
}

/// Where an object is created. `content` fills the names in the path.
pub(crate) fn create(contract: &Contract, write: &Write, content: &Value) -> Path {
    let template = write.create.path.as_deref().or(write.path.as_deref()).unwrap_or(&contract.list.path);
    let values = text_fields(content);
    Path::with(contract.api.segment(), &format!("/{template}"), &values)
}

/// One object's own address for writes.
pub(crate) fn written(contract: &Contract, write: &Write, id: &str) -> Path {
    let collection = write.path.as_deref().unwrap_or(&contract.list.path);
    Path::with(contract.api.segment(), &format!("/{collection}/{{id}}"), &[("id", id)])
}

/// A child collection: below `holder`'s address, or below the API version when its path begins with a slash. `fields` are
/// those of the object (of the element, for a nested child).
pub(crate) fn child(contract: &Contract, holder: &Path, path: &str, query: &str, fields: &Value) -> Path {
    let values = text_fields(fields);
    let place = match path.strip_prefix('/') {
        Some(_) => Path::with(contract.api.segment(), path, &values),
        None => holder.below(path, &values),
    };
    place.with_query(query)
}

/// The top-level texts of an object, by name.
fn text_fields(object: &Value) -> Vec<(&str, &str)> {
    let fields = object.as_object().into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}

fn without_filter(query: &str) -> String {
    let parts = query.split('&').filter(|part| !part.starts_with("$filter=") && !part.starts_with("$top="));
    parts.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::registry;

    #[test]
    fn contracts_become_addresses() {
        let contract = registry().get("deviceCompliancePolicy").expect("known");
        assert_eq!(list(contract).encoded(), "/beta/deviceManagement/deviceCompliancePolicies");
        assert_eq!(
            item(contract, "a b").encoded(),
            "/beta/deviceManagement/deviceCompliancePolicies/a%20b?$expand=assignments,scheduledActionsForRule($expand=scheduledActionConfigurations)"
        );
        let admx = registry().get("groupPolicyConfiguration").expect("known");
        let values = &admx.children[0];
        let place = child(admx, &object(admx, "p1"), &values.path, &values.query, &json!({"id": "p1"}));
        assert_eq!(
            place.encoded(),
            "/beta/deviceManagement/groupPolicyConfigurations/p1/definitionValues?$expand=definition"
        );
        let absolute =
            child(admx, &place, "/deviceManagement/templates/{templateId}/categories", "", &json!({"templateId": "t"}));
        assert_eq!(absolute.encoded(), "/beta/deviceManagement/templates/t/categories");
        assert_eq!(without_filter("$filter=a eq 'b'&$select=id"), "$select=id");
    }
}
