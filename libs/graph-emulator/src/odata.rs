//! The OData of the wire: addresses, query options, filters and the shape of JSON bodies. Knows no kinds and no store.

pub(crate) mod filter;
pub(crate) mod json;
pub(crate) mod path;
pub(crate) mod query;
