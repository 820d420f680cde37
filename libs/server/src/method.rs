//! The methods this process serves, read from the descriptor sets: which names are real (a scanner must not be able to
//! invent metric labels), which of them stream, and which are open to everybody.

use std::collections::HashMap;
use std::sync::Arc;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// The name of whatever is not a method of ours.
pub(crate) const OTHER: &str = "_OTHER";

/// Services that answer without a token: probes and tools come before anybody has logged in. They show nothing that the
/// published protobuf files do not.
const OPEN: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// One method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    /// `tenantatlas.compare.v1.CompareService/PreviewCompare`, as in traces and metrics.
    pub(crate) name: Arc<str>,
    /// Whether either side sends more than one message.
    pub(crate) streaming: bool,
    /// Whether it needs no token.
    pub(crate) open: bool,
    /// Whether it is a health probe: never refused for load.
    pub(crate) probe: bool,
}

/// All methods, by path.
#[derive(Debug, Clone)]
pub(crate) struct Methods(Arc<HashMap<String, Arc<Method>>>, Arc<Method>);

impl Methods {
    /// Reads the methods of all services of these encoded descriptor sets.
    pub(crate) fn of(sets: &[&[u8]]) -> Result<Self, prost::DecodeError> {
        let mut methods = HashMap::new();
        for set in sets {
            for file in FileDescriptorSet::decode(*set)?.file {
                for service in &file.service {
                    let service_name = format!("{}.{}", file.package(), service.name());
                    for method in &service.method {
                        let name = format!("{service_name}/{}", method.name());
                        let known = Method {
                            streaming: method.client_streaming() || method.server_streaming(),
                            open: OPEN.contains(&service_name.as_str()),
                            probe: service_name == OPEN[0],
                            name: name.as_str().into(),
                        };
                        methods.insert(format!("/{name}"), Arc::new(known));
                    }
                }
            }
        }
        let other = Method { name: OTHER.into(), streaming: false, open: false, probe: false };
        Ok(Self(Arc::new(methods), Arc::new(other)))
    }

    /// The method at this path, or the one that stands for all others.
    pub(crate) fn at(&self, path: &str) -> Arc<Method> {
        Arc::clone(self.0.get(path).unwrap_or(&self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_says_what_streams_and_what_is_open() {
        let methods = Methods::of(&[tonic_health::pb::FILE_DESCRIPTOR_SET]).unwrap();
        let watch = methods.at("/grpc.health.v1.Health/Watch");
        assert_eq!((&*watch.name, watch.streaming, watch.open), ("grpc.health.v1.Health/Watch", true, true));
        assert!(!methods.at("/grpc.health.v1.Health/Check").streaming);
        for invented in ["/", "", "/a/b", "/grpc.health.v1.Health/check", "grpc.health.v1.Health/Check"] {
            let other = methods.at(invented);
            assert_eq!((&*other.name, other.open), (OTHER, false), "{invented}");
        }
    }
}
