//! What Microsoft ships to every tenant: policy templates and administrative template (ADMX) definitions. The emulator has no copy
//! of that catalogue; it learns the entries from the objects it is given, since their ids are the same everywhere. The exception
//! is an uploaded ADMX file: its definitions exist only in the tenant that has the file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::object::Object;
use crate::odata::json::walk;

/// The learned catalogue.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    templates: BTreeMap<String, Template>,
    definitions: BTreeMap<String, Definition>,
    intent_templates: BTreeSet<String>,
}

/// A settings catalog template.
#[derive(Debug, Default)]
struct Template {
    reference: Map<String, Value>,
    platforms: Value,
    technologies: Value,
    retired: bool,
    /// Setting definition id -> setting instance template id.
    instances: BTreeMap<String, String>,
}

/// An ADMX definition.
#[derive(Debug, Default, Clone)]
pub(crate) struct Definition {
    pub(crate) body: Map<String, Value>,
    pub(crate) presentations: BTreeMap<String, Map<String, Value>>,
    /// Tenants that hold the uploaded file; `None` = built in.
    tenants: Option<BTreeSet<String>>,
}

impl Catalogue {
    /// Learns from an object that some tenant holds.
    pub(crate) fn learn(&mut self, tenant: &str, object: &Object) {
        match object.kind.as_str() {
            "settingsCatalogPolicy" => self.learn_template(object),
            "endpointSecurityIntent" => {
                self.intent_templates.extend(object.text("templateId").map(str::to_owned));
            }
            "groupPolicyConfiguration" => {
                let custom = object.text("policyConfigurationIngestionType") == Some("custom");
                for value in object.child("definitionValues") {
                    self.learn_definition(value, custom.then_some(tenant));
                }
            }
            _ => {}
        }
    }

    fn learn_template(&mut self, policy: &Object) {
        let Some(reference) = policy.body.get("templateReference").and_then(Value::as_object) else { return };
        let Some(id) = reference.get("templateId").and_then(Value::as_str).filter(|id| !id.is_empty()) else { return };
        let template = self.templates.entry(id.to_owned()).or_default();
        if template.reference.get("templateDisplayName").is_none_or(Value::is_null) {
            template.reference = reference.clone();
            template.platforms = policy.body.get("platforms").cloned().unwrap_or_default();
            template.technologies = policy.body.get("technologies").cloned().unwrap_or_default();
        }
        for setting in policy.child("settings") {
            walk(setting, &mut |map| {
                let definition = map.get("settingDefinitionId").and_then(Value::as_str);
                let instance =
                    map.get("settingInstanceTemplateReference").and_then(|it| it.get("settingInstanceTemplateId"));
                if let (Some(definition), Some(instance)) = (definition, instance.and_then(Value::as_str)) {
                    template.instances.entry(definition.to_owned()).or_insert_with(|| instance.to_owned());
                }
            });
        }
    }

    fn learn_definition(&mut self, value: &Value, custom_in: Option<&str>) {
        let Some(id) = value.get("_definition").and_then(Value::as_str) else { return };
        let known = self.definitions.entry(id.to_lowercase()).or_default();
        match value.get("_definition_body").and_then(Value::as_object) {
            Some(body) => known.body = body.clone(),
            None if known.body.is_empty() => known.body = described(id),
            None => {}
        }
        if let Some(tenant) = custom_in {
            known.tenants.get_or_insert_default().insert(tenant.to_lowercase());
        }
        for presented in value.get("presentationValues").and_then(Value::as_array).into_iter().flatten() {
            let Some(id) = presented.get("_presentation").and_then(Value::as_str) else { continue };
            let body = presented.get("_presentation_body").and_then(Value::as_object).cloned();
            let kind = presented.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
            let entry = known.presentations.entry(id.to_lowercase());
            entry.or_insert_with(|| body.unwrap_or_else(|| presentation(id, kind)));
        }
    }

    /// Whether policies of a template may still be created; unknown templates are taken on trust.
    pub(crate) fn retired(&self, template: &str) -> bool {
        self.templates.get(template).is_some_and(|template| template.retired)
    }

    /// Marks a template as no longer creatable.
    pub(crate) fn retire(&mut self, template: &str) {
        self.templates.entry(template.to_owned()).or_default().retired = true;
    }

    /// The setting instance template id that a template prescribes for a setting, where known.
    pub(crate) fn instance_template(&self, template: &str, definition: &str) -> Option<&str> {
        self.templates.get(template)?.instances.get(definition).map(String::as_str)
    }

    /// All templates as `configurationPolicyTemplates` lists them.
    pub(crate) fn templates(&self) -> Vec<Value> {
        self.templates.iter().map(|(id, template)| template.to_json(id)).collect()
    }

    /// The setting templates of one template.
    pub(crate) fn setting_templates(&self, id: &str) -> Option<Vec<Value>> {
        let instances = &self.templates.get(id)?.instances;
        Some(
            instances
                .iter()
                .enumerate()
                .map(|(at, (definition, instance))| {
                    json!({
                        "id": at.to_string(),
                        "settingInstanceTemplate": {
                            "settingInstanceTemplateId": instance,
                            "settingDefinitionId": definition,
                            "isRequired": false
                        }
                    })
                })
                .collect(),
        )
    }

    /// The legacy endpoint security templates that intents use.
    pub(crate) fn intent_templates(&self) -> &BTreeSet<String> {
        &self.intent_templates
    }

    /// An ADMX definition as `tenant` sees it.
    pub(crate) fn definition(&self, tenant: &str, id: &str) -> Option<&Definition> {
        let found = self.definitions.get(&id.to_lowercase())?;
        let visible = found.tenants.as_ref().is_none_or(|tenants| tenants.contains(&tenant.to_lowercase()));
        visible.then_some(found)
    }

    /// A presentation of any definition that `tenant` sees.
    pub(crate) fn presentation(&self, tenant: &str, id: &str) -> Option<Value> {
        let id = id.to_lowercase();
        let found = self.definitions(tenant).into_iter().find_map(|definition| definition.presentations.get(&id))?;
        Some(Value::Object(found.clone()))
    }

    /// Whether some other tenant's uploaded file defines this id: then it cannot be a built-in one.
    pub(crate) fn custom_elsewhere(&self, tenant: &str, id: &str) -> bool {
        self.definitions.contains_key(&id.to_lowercase()) && self.definition(tenant, id).is_none()
    }

    /// All definitions that `tenant` sees.
    pub(crate) fn definitions(&self, tenant: &str) -> Vec<&Definition> {
        self.definitions.keys().filter_map(|id| self.definition(tenant, id)).collect()
    }
}

impl Template {
    fn to_json(&self, id: &str) -> Value {
        let field = |name: &str| self.reference.get(name).cloned().unwrap_or_default();
        let (base, version) = id.rsplit_once('_').unwrap_or((id, "1"));
        json!({
            "id": id,
            "baseId": base,
            "version": version.parse::<u32>().unwrap_or(1),
            "displayName": field("templateDisplayName"),
            "displayVersion": field("templateDisplayVersion"),
            "templateFamily": field("templateFamily"),
            "lifecycleState": if self.retired { "retired" } else { "active" },
            "platforms": self.platforms,
            "technologies": self.technologies,
            "settingTemplateCount": self.instances.len(),
        })
    }
}

/// Exports rarely carry the definition itself. Its id then stands for its name, the same in every tenant.
fn described(id: &str) -> Map<String, Value> {
    let body = json!({
        "id": id,
        "classType": "machine",
        "displayName": format!("Definition {id}"),
        "categoryPath": "\\Administrative Templates",
        "policyType": "admxBacked",
        "version": "1.0"
    });
    body.as_object().cloned().unwrap_or_default()
}

/// The presentation that belongs to a presentation value's type.
fn presentation(id: &str, value_type: &str) -> Map<String, Value> {
    let suffix = match value_type.rsplit("PresentationValue").next().unwrap_or_default() {
        "Boolean" => "CheckBox",
        "Decimal" => "DecimalTextBox",
        "LongDecimal" => "LongDecimalTextBox",
        "List" => "ListBox",
        "MultiText" => "MultiTextBox",
        _ => "TextBox",
    };
    let body = json!({
        "@odata.type": format!("#microsoft.graph.groupPolicyPresentation{suffix}"),
        "id": id,
        "label": format!("Presentation {id}"),
    });
    body.as_object().cloned().unwrap_or_default()
}
