use serde_json::{Value, json};

use crate::harness::*;

fn to_group(id: &str) -> Value {
    json!({"target": {"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": id}})
}

#[tokio::test]
async fn assign_replaces_the_whole_set() {
    let graph = Graph::start().await;
    let (first, second) = (graph.group("a").await, graph.group("b").await);
    let id = graph.post(CATALOG, catalog("p", 1)).await.id();
    let assign = format!("{CATALOG}/{id}/assign");
    graph.post(&assign, json!({"assignments": [to_group(&first), {"target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"}}]})).await.expect(200);
    let answer = graph.post(&assign, json!({"assignments": [to_group(&second)]})).await.expect(200);
    assert_eq!(answer.body["value"].as_array().unwrap().len(), 1);
    let read = graph.get(&format!("{CATALOG}/{id}/assignments")).await.expect(200);
    let item = &read.body["value"][0];
    assert_eq!((&item["id"], &item["source"]), (&json!(format!("{id}_{second}")), &json!("direct")));
    assert_eq!(item["target"]["deviceAndAppManagementAssignmentFilterType"], "none");
    assert!(read.body["@odata.context"].as_str().unwrap().contains(&id));
    let expanded = graph.get(&format!("{CATALOG}?$expand=assignments")).await;
    assert_eq!(expanded.body["value"][0]["assignments"].as_array().unwrap().len(), 1);
    assert_eq!(expanded.body["value"][0]["isAssigned"], true);
}

#[tokio::test]
async fn the_body_key_is_the_kinds_own() {
    let graph = Graph::start().await;
    let path = "/beta/deviceManagement/deviceShellScripts";
    let id = graph
        .post(path, json!({"displayName": "s", "fileName": "s.sh", "scriptContent": "eA=="}))
        .await
        .expect(201)
        .id();
    let group = graph.group("g").await;
    graph
        .post(&format!("{path}/{id}/assign"), json!({"assignments": [to_group(&group)]}))
        .await
        .refused(400, "deviceManagementScriptAssignments");
    graph
        .post(&format!("{path}/{id}/assign"), json!({"deviceManagementScriptAssignments": [to_group(&group)]}))
        .await
        .expect(200);
    assert_eq!(
        graph.get(&format!("{path}/{id}?$expand=assignments")).await.body["assignments"].as_array().unwrap().len(),
        1
    );
    graph
        .post(&format!("{FILTERS}/{}/assign", graph.filter("f").await), json!({"assignments": []}))
        .await
        .refused(400, "'assign'");
}

#[tokio::test]
async fn what_an_assignment_must_not_be() {
    let graph = Graph::start().await;
    let (group, filter) = (graph.group("g").await, graph.filter("f").await);
    let id = graph.post(CATALOG, catalog("p", 1)).await.id();
    let with_filter = |kind: &str, filter: &str| {
        json!({"target": {"@odata.type": format!("#microsoft.graph.{kind}"), "groupId": group,
            "deviceAndAppManagementAssignmentFilterId": filter, "deviceAndAppManagementAssignmentFilterType": "include"}})
    };
    let cases = [
        (json!([to_group(&group), to_group(&group)]), "more than once"),
        (json!([to_group(OTHER)]), "Group"),
        (json!([{"target": {"groupId": group}}]), "@odata.type"),
        (json!([{"target": {"@odata.type": "#microsoft.graph.nobody"}}]), "not assignable"),
        (json!([with_filter("groupAssignmentTarget", OTHER)]), "Scope Tags validation failed : Filters"),
        (json!([with_filter("exclusionGroupAssignmentTarget", &filter)]), "exclusion"),
        (json!([{}]), "target"),
    ];
    for (assignments, words) in cases {
        graph.post(&format!("{CATALOG}/{id}/assign"), json!({"assignments": assignments})).await.refused(400, words);
    }
    graph.post(&format!("{CATALOG}/{id}/assign"), json!({})).await.expect(400);
    let zero = with_filter("groupAssignmentTarget", "00000000-0000-0000-0000-000000000000");
    let kept = graph.post(&format!("{CATALOG}/{id}/assign"), json!({"assignments": [zero]})).await.expect(200);
    assert_eq!(kept.body["value"][0]["target"]["deviceAndAppManagementAssignmentFilterId"], Value::Null);
    graph
        .post(
            &format!("{CATALOG}/{id}/assign"),
            json!({"assignments": [with_filter("groupAssignmentTarget", &filter)]}),
        )
        .await
        .expect(200);
}
