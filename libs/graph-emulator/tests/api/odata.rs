//! Query options as clients use them.

use serde_json::{Value, json};

use crate::harness::*;

fn names(answer: &Answer) -> Vec<&str> {
    answer.body["value"].as_array().unwrap().iter().map(|item| item["displayName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn groups_are_found_by_name_with_only_what_was_selected() {
    let graph = Graph::start().await;
    for name in ["Bob's devices", "Bob", "Bob"] {
        graph.group(name).await;
    }
    let answer =
        graph.get("/v1.0/groups?$filter=displayName eq 'Bob''s devices'&$select=id,displayName").await.expect(200);
    assert_eq!(names(&answer), ["Bob's devices"]);
    assert_eq!(answer.body["value"][0].as_object().unwrap().len(), 2);
    let twice = graph.get("/v1.0/groups?%24filter=displayName+eq+'Bob'&$count=true").await.expect(200);
    assert_eq!(twice.body["@odata.count"], 2, "names are not unique");
    assert_eq!(graph.get("/v1.0/groups/$count").await.body, json!(3));
    graph.get("/v1.0/groups?$filter=displayName like 'B'").await.refused(400, "Invalid filter");
    let ordered = graph.get("/v1.0/groups?$orderby=displayName desc&$top=1").await.expect(200);
    assert_eq!(names(&ordered), ["Bob's devices"]);
}

#[tokio::test]
async fn a_next_link_keeps_the_query_and_every_item_comes_once() {
    let graph = Graph::start().await;
    for at in 0..7 {
        graph.group(&format!("g{at}")).await;
    }
    let pages = graph.pages("/v1.0/groups?$top=3&$select=displayName").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    assert!(pages.iter().flatten().all(|group| group.as_object().unwrap().len() == 1));
}

#[tokio::test]
async fn sloppy_addresses_work_and_wrong_expands_do_not() {
    let graph = Graph::start().await;
    let id = graph.post(CATALOG, catalog("p", 1)).await.id();
    for path in [
        format!("/beta//deviceManagement/configurationPolicies/{id}/?expand=assignments"),
        format!("/beta/deviceManagement/configurationPolicies('{id}')??$expand=assignments"),
        format!("/beta/devicemanagement/ConfigurationPolicies/{id}?%24expand=assignments"),
    ] {
        let answer = graph.get(&path).await.expect(200);
        assert_eq!(answer.body["assignments"], json!([]), "{path}");
    }
    graph
        .get(&format!("{CATALOG}/{id}?$expand=nonsense"))
        .await
        .refused(400, "Could not find a property named 'nonsense'");
    let property = graph.get(&format!("{CATALOG}/{id}/name")).await.expect(200);
    assert_eq!(property.body["value"], "p");
    graph.get(&format!("{CATALOG}/{id}/nonsense")).await.refused(400, "'nonsense'");
    assert_eq!(graph.get(&format!("{CATALOG}?$filter=name eq 'q'")).await.body["value"], Value::Array(vec![]));
}
