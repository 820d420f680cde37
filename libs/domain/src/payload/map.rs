//! The walk that rewrites content for a target.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Obstacle;
use crate::contract::{Contract, Found, LinkRule, ReferenceRule, RuleBook};
use crate::id::PolicyType;
use crate::json::{Step, is_folded};
use crate::normal_form::{
    Referral, all_bound, bound_field, bound_id, element_label, is_annotation, is_common_noise, is_masked,
    is_secret_setting, refer,
};
use crate::reference::{NameTable, Reference, Standing};

pub(super) struct Names<'n> {
    pub(super) source: &'n NameTable,
    pub(super) target: &'n NameTable,
}

impl Names<'_> {
    /// The value that stands for a reference in the target; what is no reference stays.
    pub(super) fn carry(
        &self,
        rule: &ReferenceRule,
        value: &Value,
        path: &str,
    ) -> Result<Option<String>, Box<Obstacle>> {
        match refer(rule, value, path, self.source) {
            Referral::Nothing | Referral::Word => Ok(None),
            Referral::To(reference) => match reference.target_id(self.target) {
                Ok(id) => Ok(Some(id.to_owned())),
                Err(fault) => Err(Box::new(Obstacle::Reference { reference, fault })),
            },
        }
    }
}

pub(super) fn map(contract: &Contract, raw: &Value, names: &Names<'_>, obstacles: &mut Vec<Obstacle>) -> Value {
    let book = RuleBook::new(contract);
    let mut walk = Walk { contract, book, names, place: Vec::new(), labels: Vec::new(), links: Vec::new(), obstacles };
    let mut content = walk.object(raw);
    if let (Value::Object(fields), Some(default)) = (&mut content, &contract.default_odata_type) {
        fields.entry("@odata.type").or_insert_with(|| default.as_str().into());
    }
    content
}

struct Walk<'w> {
    contract: &'w Contract,
    book: RuleBook<'w>,
    names: &'w Names<'w>,
    place: Vec<Step<'w>>,
    labels: Vec<String>,
    /// The links of the objects around the value at hand, by field: a presentation's bind names its definition.
    links: Vec<BTreeMap<&'w str, &'w str>>,
    obstacles: &'w mut Vec<Obstacle>,
}

impl<'w> Walk<'w> {
    fn object(&mut self, object: &'w Value) -> Value {
        let mut safe = Map::new();
        let fields = || object.as_object().into_iter().flatten();
        let ids = fields().filter_map(|(key, value)| Some((bound_field(key).unwrap_or(key), bound_id(value)?)));
        self.links.push(ids.collect());
        for (key, value) in fields() {
            let field = match bound_field(key) {
                Some(field) if object.get(field).is_none_or(is_folded) => field,
                Some(_) => continue,
                None if is_annotation(key) || self.is_implied_type(key, value) => continue,
                None => key,
            };
            self.place.push(Step::Field(field));
            let found = self.book.at(&self.place, object);
            if !found.strip && !is_common_noise(field, self.place.len() == 1) && !value.is_null() {
                self.field(field, field != key, value, object, found, &mut safe);
            }
            self.place.pop();
        }
        self.links.pop();
        Value::Object(safe)
    }

    fn field(
        &mut self,
        field: &'w str,
        bound: bool,
        value: &'w Value,
        holder: &'w Value,
        found: Found<'w>,
        safe: &mut Map<String, Value>,
    ) {
        // What has no id is no link, whatever the field is called, and stays as it is.
        let link = found.link.and_then(|link| Some((link, bound_id(value)?)));
        let navigation = found.reference.and_then(|rule| Some((rule, rule.bind.as_deref()?)));
        if let Some((link, id)) = link {
            if let Some(url) = self.link_url(link, id) {
                safe.insert(format!("{field}@odata.bind"), url.into());
            }
        } else if let Some((rule, bind)) = navigation.filter(|_| all_bound(value)) {
            if let Some(urls) = self.bind(rule, bind, value) {
                safe.insert(format!("{field}@odata.bind"), urls);
            }
        } else if bound {
            self.undeclared(value);
        } else if found.default.is_none_or(|default| !default.omit || default.value != *value) {
            let mapped = self.value(value, holder, found);
            safe.insert(field.to_owned(), mapped);
        }
    }

    fn value(&mut self, value: &'w Value, holder: &'w Value, found: Found<'w>) -> Value {
        let catalog_secret =
            self.place.last() == Some(&Step::Field("value")) && holder.as_object().is_some_and(is_secret_setting);
        if (found.secret || catalog_secret || is_masked(value)) && !is_folded(value) {
            let path = self.place_text();
            self.obstacles.push(Obstacle::Secret { path });
            return Value::Null;
        }
        match (found.reference, value) {
            (_, Value::Array(elements)) => self.elements(elements, holder, found),
            (Some(rule), _) => self.reference(rule, value),
            (None, Value::Object(_)) => self.object(value),
            (None, other) => other.clone(),
        }
    }

    fn elements(&mut self, elements: &'w [Value], holder: &'w Value, array: Found<'w>) -> Value {
        let mut safe = Vec::with_capacity(elements.len());
        for (position, element) in elements.iter().enumerate() {
            self.place.push(Step::Element(position));
            let label = array.unordered.and_then(|rule| element_label(element, &rule.key));
            self.labels.push(label.unwrap_or_default());
            let mut found = self.book.at(&self.place, holder);
            found.reference = found.reference.or(array.reference);
            found.secret |= array.secret;
            if !found.strip {
                safe.push(self.value(element, holder, found));
            }
            self.labels.pop();
            self.place.pop();
        }
        Value::Array(safe)
    }

    fn reference(&mut self, rule: &ReferenceRule, value: &Value) -> Value {
        match self.names.carry(rule, value, &self.place_text()) {
            Ok(None) => value.clone(),
            Ok(Some(id)) if value.is_object() => json!({ "id": id }),
            Ok(Some(id)) => id.into(),
            Err(obstacle) => {
                self.obstacles.push(*obstacle);
                Value::Null
            }
        }
    }

    /// The bind of a mapped navigation property, or of each of several.
    fn bind(&mut self, rule: &ReferenceRule, bind: &str, value: &Value) -> Option<Value> {
        if let Value::Array(values) = value {
            return Some(values.iter().filter_map(|value| self.bind(rule, bind, value)).collect());
        }
        let id = bound_id(value)?;
        match self.names.carry(rule, &json!(id), &self.place_text()) {
            Ok(mapped) => mapped.map(|id| bind.replace("{id}", &id).into()),
            Err(obstacle) => {
                self.obstacles.push(*obstacle);
                None
            }
        }
    }

    /// A link that no rule knows means something in the source only.
    fn undeclared(&mut self, value: &Value) {
        let urls = value.as_array().map_or_else(|| vec![value], |urls| urls.iter().collect());
        for id in urls.into_iter().filter_map(bound_id) {
            let path = self.place_text();
            let reference = Reference {
                kind: PolicyType::from(path.as_str()),
                id: id.to_owned(),
                name: None,
                display_name: id.to_owned(),
                path,
                standing: Standing::Unresolved,
            };
            self.obstacles
                .push(Obstacle::Reference { reference, fault: crate::reference::MappingFault::UnknownInSource });
        }
    }

    /// The link's URL, with the ids of links around it filled in; `None` when one of them is missing.
    fn link_url(&self, link: &LinkRule, id: &str) -> Option<String> {
        let mut url = link.bind.replace("{id}", id);
        while let Some((start, end)) = url.find('{').and_then(|start| Some((start, start + url[start..].find('}')?))) {
            let name = &url[start + 1..end];
            let outer = self.links.iter().rev().find_map(|links| links.get(name).copied())?;
            url.replace_range(start..=end, outer);
        }
        Some(url)
    }

    fn is_implied_type(&self, key: &str, value: &Value) -> bool {
        key == "@odata.type"
            && !self.place.is_empty()
            && value.as_str().is_some_and(|t| self.contract.implied_types.iter().any(|implied| implied == t))
    }

    fn place_text(&self) -> String {
        crate::normal_form::place_text(&self.place, &self.labels)
    }
}
