//! Alerts and dashboards look at metrics that exist; every alert fires in its test and has its page.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::objects::{PROD, k8s};

fn rules() -> Option<Vec<Value>> {
    let prod = PROD.as_ref()?;
    let groups =
        prod.of_kind("PrometheusRule").flat_map(|rule| rule["spec"]["groups"].as_array().into_iter().flatten());
    Some(groups.flat_map(|group| group["rules"].as_array().into_iter().flatten()).cloned().collect())
}

#[test]
fn every_alert_has_its_page_and_its_test() {
    let Some(rules) = rules() else { return };
    let pages = std::fs::read_to_string(k8s().join("runbooks.md")).expect("k8s/runbooks.md");
    let tests = std::fs::read_to_string(k8s().join("components/telemetry/alerts.test.yaml")).expect("the tests");
    let tests: Value = serde_yaml_ng::from_str(&tests).expect("the tests are YAML");
    let tests: Vec<&Value> = tests["tests"].as_array().into_iter().flatten().collect();
    let checks = || tests.iter().flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten());
    assert!(rules.len() > 10, "alerts are rendered");
    for rule in &rules {
        let name = rule["alert"].as_str().expect("every rule is an alert");
        assert!(pages.lines().any(|line| line == format!("## {name}")), "runbooks.md has no page on {name}");
        let link = format!("k8s/runbooks.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], link.as_str(), "{name}");
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("critical" | "warning")), "{name}");
        let fires = |check: &&Value| check["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        let of_it = || checks().filter(|check| check["alertname"] == name);
        assert!(of_it().any(|check| fires(&check)), "{name} fires in no test");
        assert!(of_it().any(|check| !fires(&check)), "{name} keeps silent in no test");
    }
}

#[test]
fn every_alert_fires_when_it_should() {
    let Some(prod) = &*PROD else { return };
    let promtool = std::env::var_os("ATLAS_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let folder = tempfile::tempdir().expect("a folder");
    let rules = &prod.of_kind("PrometheusRule").next().expect("there are alerts")["spec"];
    // JSON is YAML.
    std::fs::write(folder.path().join("rules.yaml"), rules.to_string()).expect("a file");
    let tests = folder.path().join("alerts.test.yaml");
    std::fs::copy(k8s().join("components/telemetry/alerts.test.yaml"), &tests).expect("a file");
    for (what, file) in [("check", folder.path().join("rules.yaml")), ("test", tests)] {
        match Command::new(&promtool).args([what, "rules"]).arg(file).output() {
            Ok(done) => {
                let said = [done.stdout, done.stderr].concat();
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
            }
            Err(_) => return system_tests::skipped("alerts", "there is no promtool (Debian: prometheus)"),
        }
    }
}

#[test]
fn alerts_and_dashboards_look_at_metrics_that_exist() {
    let Some(rules) = rules() else { return };
    let mut expressions: Vec<String> =
        rules.iter().filter_map(|rule| rule["expr"].as_str().map(str::to_owned)).collect();
    for entry in std::fs::read_dir(k8s().join("components/telemetry/dashboards")).expect("dashboards") {
        let text = std::fs::read_to_string(entry.expect("a dashboard").path()).expect("a dashboard is text");
        let before = expressions.len();
        collect(&serde_json::from_str(&text).expect("a dashboard is JSON"), &mut expressions);
        assert!(expressions.len() > before + 3, "a dashboard shows something");
    }
    let known = measured();
    assert!(
        known.contains("rpc_server_call_duration_seconds_bucket") && known.contains("operation_run_rescues_total"),
        "{known:?}"
    );
    for expression in &expressions {
        for metric in metrics_in(expression) {
            let foreign = metric == "up" || metric.starts_with("cnpg_") && !metric.starts_with("cnpg_tenantatlas_");
            assert!(foreign || known.contains(&metric), "nothing measures {metric}: {expression}");
        }
    }
}

/// Every `expr` of a dashboard, with its variables filled in.
fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get("expr").and_then(Value::as_str).map(|text| text.replace("$__rate_interval", "5m")));
            fields.values().for_each(|field| collect(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}

/// What a Prometheus expression reads: its words that are neither labels, nor functions, nor operators.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let mut text = expression.to_owned();
    for (open, close) in [("{", '}'), ("by (", ')'), ("\"", '"')] {
        while let Some(start) = text.find(open) {
            let from = start + open.len();
            let end = text[from..].find(close).map_or(text.len(), |end| from + end + 1);
            text.replace_range(start..end, " ");
        }
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let metric = |word: &&str| (word.contains('_') || *word == "up") && *word != "histogram_quantile";
    words.filter(metric).map(str::to_owned).collect()
}

#[test]
fn metrics_are_told_from_the_words_around_them() {
    let found = metrics_in(r#"sum by (rpc_method) (rate(a_b_total{c_d="e_f"}[5m])) > 1 or absent(up{x="y"})"#);
    assert_eq!(found, BTreeSet::from(["a_b_total".to_owned(), "up".to_owned()]));
}

/// The names that Prometheus sees of the instruments in the sources, and of our query at the database.
fn measured() -> BTreeSet<String> {
    let mut names = BTreeSet::from(["cnpg_tenantatlas_idle_in_transaction_seconds".to_owned()]);
    for folder in ["libs/server/src", "libs/graph/src", "libs/worker/src", "services"] {
        instruments(&dev::paths::repository().join(folder), &mut names);
    }
    names
}

fn instruments(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be read") {
        let path = entry.expect("an entry of a folder can be read").path();
        if path.is_dir() {
            instruments(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).expect("a source is UTF-8");
            for kind in ["counter", "gauge", "histogram"] {
                for definition in source.split(&format!("_{kind}(\"")).skip(1) {
                    names.extend(exposed(kind, definition));
                }
            }
        }
    }
}

/// What becomes of `rpc.server.call.duration").with_unit("s")...` at /metrics.
fn exposed(kind: &str, definition: &str) -> Vec<String> {
    let Some((name, rest)) = definition.split_once('"') else { return Vec::new() };
    let built = rest.split_once(".build()").map_or(rest, |(before, _)| before);
    let unit = if built.contains("with_unit(\"s\")") { "_seconds" } else { "" };
    let base = format!("{}{unit}", name.replace('.', "_"));
    match kind {
        "histogram" => ["_bucket", "_sum", "_count"].map(|end| format!("{base}{end}")).to_vec(),
        // An up-down counter is a gauge there.
        _ => vec![base.clone(), format!("{base}_total")],
    }
}
