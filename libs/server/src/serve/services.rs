//! The services a process offers.

use std::convert::Infallible;

use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::service::Routes;

use super::StartError;

/// The services of one process; health and reflection are added by the chassis.
#[derive(Debug, Default)]
pub struct Services {
    pub(super) names: Vec<&'static str>,
    pub(super) routes: Routes,
}

impl Services {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a generated server. Its message limits are the service's to set, from [`Chassis::limits`](super::Chassis::limits).
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "it adds a service, not a number")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Adds reflection, v1 and v1alpha, over the services served here and the details their errors carry.
    pub(super) fn with_reflection(self, descriptors: &'static [u8]) -> Result<Self, StartError> {
        let served: Vec<&'static str> = self
            .names
            .iter()
            .copied()
            .chain([
                "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
            ])
            .collect();
        let builder = || {
            let builder = tonic_reflection::server::Builder::configure()
                .include_reflection_service(false)
                .register_encoded_file_descriptor_set(descriptors)
                // Without it a client cannot read the details of our errors.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET);
            // Otherwise all services of the set would be listed, other processes' too.
            served.iter().fold(builder, |builder, name| builder.with_service_name(*name))
        };
        let (v1, v1alpha) = (builder().build_v1()?, builder().build_v1alpha()?);
        Ok(Self { routes: self.routes.add_service(v1).add_service(v1alpha), ..self })
    }
}
