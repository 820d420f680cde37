//! Rendered objects, and the way into them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize as _;
use serde_json::Value;

/// Overlays that are rendered. What is for production has to keep every rule.
pub(crate) const OVERLAYS: [&str; 3] = ["dev", "managed", "prod"];

/// The objects of the overlay for production; `None` where nothing can render them, which has been said then.
pub(crate) static PROD: LazyLock<Option<Objects>> = LazyLock::new(|| Objects::of("prod"));

pub(crate) struct Objects(Vec<Value>);

impl Objects {
    /// Renders an overlay.
    pub(crate) fn of(overlay: &str) -> Option<Self> {
        let text = render(overlay)?;
        let read = |document| Value::deserialize(document).expect("what is rendered is YAML");
        Some(Self(serde_yaml_ng::Deserializer::from_str(&text).map(read).collect()))
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    pub(crate) fn named(&self, kind: &str, name: &str) -> Option<&Value> {
        self.of_kind(kind).find(|object| object.name() == name)
    }

    /// Deployments and Jobs: what has pods.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(|object| !object["spec"]["template"]["spec"]["containers"].is_null())
    }

    /// The variables of the one container of a workload, as its process sees them.
    pub(crate) fn environment(&self, workload: &Value) -> BTreeMap<String, String> {
        let container = workload.own_container();
        let mut environment = BTreeMap::new();
        for source in container["envFrom"].as_array().into_iter().flatten() {
            let name = source["configMapRef"]["name"].as_str().expect("variables come from ConfigMaps");
            let map = self.named("ConfigMap", name).unwrap_or_else(|| panic!("no ConfigMap {name} is rendered"));
            environment
                .extend(map["data"].as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))));
        }
        let own = container["env"].as_array().into_iter().flatten();
        environment.extend(own.map(|variable| (text(&variable["name"]), text(&variable["value"]))));
        environment
    }
}

/// The rendered text of an overlay.
pub(crate) fn render(overlay: &str) -> Option<String> {
    let folder = k8s().join("overlays").join(overlay);
    let kubectl = std::env::var_os("ATLAS_KUBECTL").unwrap_or_else(|| "kubectl".into());
    match Command::new(kubectl).arg("kustomize").arg(&folder).output() {
        Ok(done) if done.status.success() => Some(String::from_utf8(done.stdout).expect("what is rendered is text")),
        Ok(done) => panic!("{overlay} cannot be rendered: {}", String::from_utf8_lossy(&done.stderr)),
        Err(_) => {
            system_tests::skipped("rules of manifests", "there is no kubectl; `cargo dev test` brings one");
            None
        }
    }
}

pub(crate) fn k8s() -> PathBuf {
    dev::paths::repository().join("k8s")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What is asked of an object again and again.
pub(crate) trait Object {
    fn name(&self) -> &str;
    fn pod(&self) -> &Value;
    fn containers(&self) -> &[Value];

    /// The container of our program: there may be others beside it.
    fn own_container(&self) -> &Value {
        let containers = self.containers();
        containers.iter().find(|container| container["name"] == "tenantatlas").unwrap_or(&containers[0])
    }

    fn pod_labels(&self) -> &Value;
}

impl Object for Value {
    fn name(&self) -> &str {
        self["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn pod(&self) -> &Value {
        &self["spec"]["template"]["spec"]
    }

    fn containers(&self) -> &[Value] {
        self.pod()["containers"].as_array().map_or(&[], Vec::as_slice)
    }

    fn pod_labels(&self) -> &Value {
        &self["spec"]["template"]["metadata"]["labels"]
    }
}

/// Whether a label selector selects these labels.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    let expressed = selector["matchExpressions"].as_array().into_iter().flatten().all(|expression| {
        assert_eq!(expression["operator"], "In", "no other operator is understood here");
        let label = &labels[expression["key"].as_str().unwrap_or_default()];
        expression["values"].as_array().is_some_and(|values| values.contains(label))
    });
    equal && expressed
}
