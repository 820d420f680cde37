//! The manifests in k8s/, rendered as a cluster gets them, and what has to be true of them: what kube-score and Polaris ask of
//! anybody, restated, and what only we can know. `cargo dev manifests` has more judges look at them.

mod alerts;
mod configuration;
mod image;
mod network;
mod objects;
mod pods;
mod references;
mod scaling;
mod schemas;
mod settings;
