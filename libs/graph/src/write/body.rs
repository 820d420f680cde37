//! The last touch to a body: links to other objects are sent as absolute addresses.

use domain::contract::Contract;
use serde_json::Value;

use crate::client::Client;

/// Payloads name the other end of a link below the API version; Graph wants `https://<graph>/<version>/...`.
pub(super) fn make_binds_absolute(body: &mut Value, client: &Client, contract: &Contract) {
    let base = format!("{}/{}/", client.graph_base(), contract.api.segment());
    absolute(body, &base);
}

fn absolute(value: &mut Value, base: &str) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| absolute(element, base)),
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                if key.ends_with("@odata.bind") { bind(field, base) } else { absolute(field, base) }
            }
        }
        _ => {}
    }
}

fn bind(link: &mut Value, base: &str) {
    match link {
        Value::Array(links) => links.iter_mut().for_each(|link| bind(link, base)),
        Value::String(url) if !url.contains("://") => *url = format!("{base}{}", url.trim_start_matches('/')),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_relative_links_change() {
        let mut body = json!({"a@odata.bind": "x('1')", "b": [{"c@odata.bind": ["y('2')", "https://g/beta/z('3')"], "d": "e('4')"}]});
        absolute(&mut body, "https://g/beta/");
        assert_eq!(
            body,
            json!({"a@odata.bind": "https://g/beta/x('1')",
                "b": [{"c@odata.bind": ["https://g/beta/y('2')", "https://g/beta/z('3')"], "d": "e('4')"}]})
        );
    }
}
