//! The collections below objects, read for many objects at once and put into their fields.

use domain::contract::{Child, Contract};
use domain::json::get;
use serde_json::Value;

use super::{CapturedObject, id, put};
use crate::client::Client;
use crate::error::{GraphError, Kind};
use crate::path::Path;
use crate::place;

/// Reads children and assignments of `objects` and checks their counts.
pub(super) async fn place(
    client: &Client,
    contract: &Contract,
    mut objects: Vec<CapturedObject>,
) -> Vec<CapturedObject> {
    for child in &contract.children {
        let holders = objects.iter().map(|object| (place::object(contract, id(&object.raw)), &object.raw));
        let reads = read(client, contract, child, &holders.collect::<Vec<_>>()).await;
        for (object, read) in objects.iter_mut().zip(reads) {
            match read {
                Ok(value) => {
                    object.complete &= counts_agree(child, &object.raw, &value);
                    put(&mut object.raw, &child.field, value);
                }
                Err(error) => incomplete(object, error),
            }
        }
    }
    if contract.assignments.as_ref().is_some_and(|assignments| !assignments.inline) {
        let paths: Vec<Path> =
            objects.iter().map(|o| place::object(contract, id(&o.raw)).below("assignments", &[])).collect();
        for (object, read) in objects.iter_mut().zip(client.list_many(&paths).await) {
            match read {
                Ok(assignments) => put(&mut object.raw, "assignments", Value::Array(assignments)),
                Err(error) => incomplete(object, error),
            }
        }
    }
    objects
}

/// One child of many holders, each given by its address and its fields, with the children of its elements.
async fn read(
    client: &Client,
    contract: &Contract,
    child: &Child,
    holders: &[(Path, &Value)],
) -> Vec<Result<Value, GraphError>> {
    let paths: Vec<Path> = holders
        .iter()
        .map(|(place, fields)| place::child(contract, place, &child.path, &child.query, fields))
        .collect();
    if child.single {
        // A link that is not set is answered by 404 or by nothing: both mean that there is none.
        let answers = client.get_many(&paths).await.into_iter();
        return answers
            .map(|answer| answer.or_else(|e| if e.kind == Kind::NotFound { Ok(Value::Null) } else { Err(e) }))
            .collect();
    }
    let mut collections = client.list_many(&paths).await;
    for nested in &child.children {
        // Which element of which holder: nested reads of all holders share their batches.
        let mut places = Vec::new();
        let mut elements = Vec::new();
        for (at, collection) in collections.iter().enumerate() {
            for (position, element) in collection.iter().flatten().enumerate() {
                places.push((at, position));
                elements.push((paths[at].below("{id}", &[("id", id(element))]), element));
            }
        }
        let reads = Box::pin(read(client, contract, nested, &elements)).await;
        for ((at, position), read) in places.into_iter().zip(reads) {
            match (read, &mut collections[at]) {
                (Ok(value), Ok(collection)) => put(&mut collection[position], &nested.field, value),
                (Err(error), collection) => *collection = Err(error),
                (Ok(_), Err(_)) => {}
            }
        }
    }
    collections.into_iter().map(|collection| collection.map(Value::Array)).collect()
}

fn incomplete(object: &mut CapturedObject, error: GraphError) {
    object.complete = false;
    object.fault.get_or_insert(error);
}

/// `@odata.count` is per page and no check; the object's own count is.
fn counts_agree(child: &Child, object: &Value, read: &Value) -> bool {
    let said = child.count_field.as_ref().and_then(|path| get(path, object)).and_then(Value::as_u64);
    said.is_none_or(|count| read.as_array().is_some_and(|elements| elements.len() as u64 == count))
}
