//! Folders of exports as tenants.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use graph_emulator::{Became, Emulator, Report};
use serde_json::{Value, json};

use crate::harness::*;

/// Other people's exports; where they are absent the test says that it was skipped.
#[allow(clippy::print_stderr)]
fn exports() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("ATLAS_EXPORTS_DIR").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        eprintln!("SKIPPED: no exports in ATLAS_EXPORTS_DIR or ../shared/data");
        return None;
    }
    Some(folder)
}

fn fates(report: &Report) -> BTreeMap<String, usize> {
    let mut fates = BTreeMap::new();
    for file in &report.files {
        let fate = match &file.became {
            Became::Object { kind, .. } => kind.clone(),
            Became::Same { .. } => "same".into(),
            Became::Renumbered { .. } => "renumbered".into(),
            Became::NotAPolicy { what } => what.clone(),
            Became::Unreadable { why } => format!("unreadable: {why}"),
        };
        *fates.entry(fate).or_default() += 1;
    }
    fates
}

#[tokio::test]
async fn all_exports_load_and_the_report_says_what_each_became() {
    let Some(folder) = exports() else { return };
    let graph = Graph::with(Emulator::builder().tenant(spec()).load(TENANT, &folder)).await;
    let report = &graph.running.reports[0].1;
    assert_eq!(report.files.len(), 432);
    assert_eq!(report.failures().count(), 0, "{:?}", report.failures().collect::<Vec<_>>());
    let fates = fates(report);
    assert_eq!(fates["migration table"], 1);
    assert_eq!(fates.values().sum::<usize>(), 432);
    assert_eq!(fates["conditionalAccessPolicy"], 36);
    assert_eq!(fates["namedLocation"], 3);
    for kind in [
        "settingsCatalogPolicy",
        "deviceConfiguration",
        "deviceCompliancePolicy",
        "compliancePolicyV2",
        "groupPolicyConfiguration",
        "endpointSecurityIntent",
    ] {
        assert!(fates[kind] > 0, "{kind}");
    }
    let again = graph.running.load_folder(TENANT, &folder).unwrap();
    assert_eq!(again.objects(), 0, "the same files make the same tenant");
}

#[tokio::test]
async fn what_was_loaded_reads_like_a_tenant() {
    let Some(folder) = exports() else { return };
    let graph = Graph::with(Emulator::builder().tenant(spec()).load(TENANT, &folder)).await;
    let mut settings = 0;
    for policy in graph.pages(CATALOG).await.into_iter().flatten() {
        let path = format!("{CATALOG}/{}/settings", policy["id"].as_str().unwrap());
        let read: usize = graph.pages(&path).await.iter().map(Vec::len).sum();
        assert_eq!(policy["settingCount"], read);
        assert!(policy.get("@odata.type").is_none() && policy.get("settings").is_none());
        settings = settings.max(read);
    }
    assert_eq!(settings, 306, "the largest baseline is whole");
    let admx = "/beta/deviceManagement/groupPolicyConfigurations";
    let mut values = 0;
    for policy in graph.pages(admx).await.into_iter().flatten() {
        let path = format!(
            "{admx}/{}/definitionValues?$expand=definition,presentationValues($expand=presentation)",
            policy["id"].as_str().unwrap()
        );
        for value in graph.pages(&path).await.into_iter().flatten() {
            assert!(value["definition"]["id"].is_string());
            for presented in value["presentationValues"].as_array().unwrap() {
                assert!(presented["presentation"]["id"].is_string());
                values += 1;
            }
        }
    }
    assert!(values > 0);
    let compliance = graph
        .get(&format!("{COMPLIANCE}?$expand=scheduledActionsForRule($expand=scheduledActionConfigurations)"))
        .await
        .expect(200);
    for policy in compliance.body["value"].as_array().unwrap() {
        assert!(!policy["scheduledActionsForRule"][0]["scheduledActionConfigurations"].as_array().unwrap().is_empty());
    }
}

/// What is read of a loaded tenant can be written to an empty one once references are mapped: the two sides of the emulator agree.
#[tokio::test]
async fn loaded_catalog_policies_can_be_created_in_an_empty_tenant() {
    let Some(folder) = exports() else { return };
    let source = Graph::with(Emulator::builder().tenant(spec()).load(TENANT, &folder)).await;
    let target = Graph::start().await;
    for policy in source.pages(CATALOG).await.into_iter().flatten() {
        let path = format!("{CATALOG}/{}?$expand=settings", policy["id"].as_str().unwrap());
        let mut body = source.get(&path).await.expect(200).body;
        let expected = body["settings"].clone();
        body.as_object_mut().unwrap().remove("@odata.context");
        let id = target.post(CATALOG, body).await.expect(201).id();
        let read = target.get(&format!("{CATALOG}/{id}?$expand=settings")).await.expect(200);
        assert_eq!(read.body["settings"], expected);
    }
}

#[tokio::test]
async fn encodings_shapes_and_lists_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
    let utf16 = |value: Value| {
        [vec![0xff, 0xfe], value.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect()].concat()
    };
    write(
        "a.json",
        utf16(
            json!({"@odata.type": "#microsoft.graph.deviceShellScript", "id": "s", "displayName": "ä", "scriptContent": "eA=="}),
        ),
    );
    write("b.json", [vec![0xef, 0xbb, 0xbf], catalog("plain body", 2).to_string().into_bytes()].concat());
    let context = "https://graph.microsoft.com/beta/$metadata#deviceManagement/roleScopeTags";
    write(
        "c.json",
        json!({"@odata.context": context, "value": [{"id": "5", "displayName": "Five", "isBuiltIn": false}]})
            .to_string()
            .into_bytes(),
    );
    write("d.json", b"{\"what\": \"is this\"}".to_vec());
    write("e.json", b"not json".to_vec());
    write("f.txt", b"ignored".to_vec());
    let admx = json!({"@odata.type": "#microsoft.graph.groupPolicyConfiguration", "id": "g", "displayName": "one value",
        "definitionValues": {"enabled": true, "definition@odata.bind": format!("https://graph.microsoft.com/beta/deviceManagement/groupPolicyDefinitions('{OTHER}')")}});
    write("g.json", admx.to_string().into_bytes());
    let mut tagged = catalog("tagged", 1);
    tagged["roleScopeTagIds"] = json!(["42"]);
    write("h.json", tagged.to_string().into_bytes());

    let graph = Graph::with(Emulator::builder().tenant(spec()).load(TENANT, folder.path())).await;
    let report = &graph.running.reports[0].1;
    assert_eq!(report.objects(), 5);
    let failed: Vec<_> = report.failures().map(|file| file.path.to_string_lossy().into_owned()).collect();
    assert_eq!(failed, ["d.json", "e.json"]);
    assert_eq!(graph.get(&format!("{TAGS}/5")).await.body["displayName"], "Five");
    graph.get(&format!("{TAGS}/42")).await.expect(404);
    let tagged = graph.get(&format!("{CATALOG}?$filter=name eq 'tagged'")).await;
    assert_eq!(tagged.body["value"][0]["roleScopeTagIds"], json!(["42"]), "kept as the file says");
    let values = graph.get("/beta/deviceManagement/groupPolicyConfigurations/g/definitionValues").await;
    assert_eq!(values.body["value"].as_array().unwrap().len(), 1, "a list of one, written as the item itself");
}

#[tokio::test]
async fn a_masked_secret_stays_a_secret_and_assignments_are_kept() {
    let graph = Graph::start().await;
    let target = json!({"@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": OTHER});
    let export = json!({"@odata.type": "#microsoft.graph.windows10CustomConfiguration", "id": OTHER, "displayName": "oma",
        "omaSettings": [{"@odata.type": "#microsoft.graph.omaSettingString", "omaUri": "./x", "value": "****", "isEncrypted": true, "secretReferenceValueId": "ref"}],
        "assignments": [{"id": "a1", "target": target}]});
    graph.running.load_document(TENANT, &export, None).unwrap();
    let read = graph.get(&format!("{CONFIGS}/{OTHER}?$expand=assignments")).await.expect(200);
    assert_eq!(read.body["omaSettings"][0]["value"], "****");
    assert_eq!(read.body["assignments"][0]["target"], target);
    let plain = graph
        .get(&format!("{CONFIGS}/{OTHER}/getOmaSettingPlainTextValue(secretReferenceValueId='ref')"))
        .await
        .expect(200);
    assert_ne!(plain.body["value"], "****");
}
