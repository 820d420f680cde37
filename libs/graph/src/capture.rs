//! Reading a tenant by contract: lists, objects that must be read by themselves, children, assignments. What was read is
//! checked against what the object says it has, because a truncated read is the most common fault of tools of this kind and
//! looks exactly like a smaller policy.

mod children;

use domain::contract::Contract;
use domain::id::SubjectKey;
use domain::identity::{folded_name, subject_key};
use serde_json::Value;

use crate::client::{Client, Pages};
use crate::error::{GraphError, Kind};
use crate::place;
use crate::registry::registry;

/// One object as read.
#[derive(Debug, Clone, PartialEq)]
pub struct CapturedObject {
    /// The provider's JSON, its children and assignments placed in their fields.
    pub raw: Value,
    /// False when less was read than there is: a child could not be read, or its elements do not add up to the object's own
    /// count. Such an object proves that it exists and nothing about its content.
    pub complete: bool,
    /// Why it is incomplete, when the provider said so.
    pub fault: Option<GraphError>,
}

/// The objects of one type, page by page.
#[derive(Debug)]
pub struct Capture<'c> {
    client: Client,
    contract: &'c Contract,
    pages: Pages,
}

/// Starts reading all objects of a type. Nothing is requested yet.
#[must_use]
pub fn capture<'c>(client: &Client, contract: &'c Contract) -> Capture<'c> {
    Capture { client: client.clone(), contract, pages: client.pages(&place::list(contract)) }
}

impl Capture<'_> {
    /// The objects of the next page that are of the type, whole; a page may hold none. `None` after the last page.
    ///
    /// # Errors
    /// When the collection itself cannot be read. [`Kind::Forbidden`] means that the type is denied to this connection.
    /// What goes wrong with one object is told by the object.
    pub async fn next(&mut self) -> Result<Option<Vec<CapturedObject>>, GraphError> {
        let Some(page) = self.pages.next().await? else { return Ok(None) };
        let ours = page.into_iter().filter(|object| is_of(self.contract, object)).collect();
        Ok(Some(complete(&self.client, self.contract, ours).await))
    }

    /// All objects at once.
    ///
    /// # Errors
    /// As [`Capture::next`].
    pub async fn all(mut self) -> Result<Vec<CapturedObject>, GraphError> {
        let mut objects = Vec::new();
        while let Some(page) = self.next().await? {
            objects.extend(page);
        }
        Ok(objects)
    }
}

/// Tries whether a type can be read, at the price of one page of its list.
///
/// # Errors
/// As [`Capture::next`].
pub async fn probe(client: &Client, contract: &Contract) -> Result<(), GraphError> {
    client.pages(&place::list(contract)).next().await.map(drop)
}

/// Reads one object whole; `None` when the tenant does not have it, or has something of another type under this id.
///
/// # Errors
/// When it cannot be read. A child that cannot be read makes the object incomplete.
pub async fn read_one(
    client: &Client,
    contract: &Contract,
    external_id: &str,
) -> Result<Option<CapturedObject>, GraphError> {
    if external_id.is_empty() {
        return Ok(None);
    }
    let raw = match client.get(&place::item(contract, external_id)).await {
        Ok(raw) => raw,
        Err(error) if matches!(error.kind, Kind::NotFound | Kind::Gone) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !is_of(contract, &raw) {
        return Ok(None);
    }
    Ok(children::place(client, contract, vec![captured(raw)]).await.pop())
}

/// The objects of a type with this display name (compared as identities are: case and stray spaces aside) and, when given,
/// this `@odata.type`. Names are not unique in Intune, so there may be several.
///
/// The whole collection is listed: filters are not supported by every type, and a filter that overlooks a trimmed name would
/// let a second object be created.
///
/// # Errors
/// As [`Capture::next`].
pub async fn find_by_name(
    client: &Client,
    contract: &Contract,
    display_name: &str,
    odata_type: Option<&str>,
) -> Result<Vec<CapturedObject>, GraphError> {
    let wanted = folded_name(display_name);
    find(client, contract, |object| {
        let same_name = name(contract, object).is_some_and(|name| folded_name(name) == wanted);
        let known_type = object.get("@odata.type").and_then(Value::as_str).or(contract.default_odata_type.as_deref());
        same_name && (odata_type.is_none() || odata_type == known_type)
    })
    .await
}

/// The objects of a type with this identity: name and discriminators.
///
/// # Errors
/// As [`Capture::next`].
pub async fn find_by_key(
    client: &Client,
    contract: &Contract,
    key: &SubjectKey,
) -> Result<Vec<CapturedObject>, GraphError> {
    find(client, contract, |object| {
        name(contract, object).is_some_and(|name| subject_key(contract, name, object) == *key)
    })
    .await
}

async fn find(
    client: &Client,
    contract: &Contract,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Vec<CapturedObject>, GraphError> {
    let mut pages = client.pages(&place::list(contract));
    let mut found = Vec::new();
    while let Some(page) = pages.next().await? {
        found.extend(page.into_iter().filter(|object| is_of(contract, object) && wanted(object)));
    }
    Ok(complete(client, contract, found).await)
}

/// Objects as their collection lists them, made whole. An object that vanished in between is left out.
async fn complete(client: &Client, contract: &Contract, listed: Vec<Value>) -> Vec<CapturedObject> {
    let mut objects = Vec::with_capacity(listed.len());
    // An object without an id has no address: asking for it would ask for its whole collection.
    let (listed, nameless): (Vec<_>, Vec<_>) = listed.into_iter().partition(|object| !id(object).is_empty());
    if contract.item.is_some() {
        let paths: Vec<_> = listed.iter().map(|object| place::item(contract, id(object))).collect();
        for (listed, read) in listed.into_iter().zip(client.get_many(&paths).await) {
            match read {
                Ok(raw) => objects.push(captured(raw)),
                Err(error) if matches!(error.kind, Kind::NotFound | Kind::Gone) => {}
                Err(error) => objects.push(CapturedObject { raw: listed, complete: false, fault: Some(error) }),
            }
        }
    } else {
        objects.extend(listed.into_iter().map(captured));
    }
    let mut objects = children::place(client, contract, objects).await;
    // A policy edited while it was read does not add up either; one more look tells that from a truncated read.
    for object in objects.iter_mut().filter(|object| !object.complete && object.fault.is_none()) {
        if let Ok(Some(again)) = Box::pin(read_one(client, contract, id(&object.raw))).await {
            *object = again;
        }
    }
    let fault = GraphError::decode("the object has no id");
    objects.extend(nameless.into_iter().map(|raw| CapturedObject { raw, complete: false, fault: Some(fault.clone()) }));
    objects
}

fn captured(raw: Value) -> CapturedObject {
    CapturedObject { raw, complete: true, fault: None }
}

/// Several contracts share collections, and the registry decides between them; a contract it does not know (a deployment's
/// own, a test's) decides for itself.
fn is_of(contract: &Contract, object: &Value) -> bool {
    if registry().get(contract.policy_type.as_str()).is_none() {
        return contract.owns(object);
    }
    let owner = registry().classify(&contract.list.path, object);
    owner.is_some_and(|owner| owner.policy_type == contract.policy_type)
}

fn name<'v>(contract: &Contract, object: &'v Value) -> Option<&'v str> {
    object.get(&contract.name_field).and_then(Value::as_str)
}

fn id(object: &Value) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// Puts what was read into its field.
fn put(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}
