//! What a running shop consists of, for those who look at it.

use std::{path::PathBuf, sync::Arc};

use runtime::{Environment, Host};

use crate::{
    cloud::Cloud,
    functions::Functions,
    metrics::ShopMetrics,
    template::{self, Template, names},
};

/// The variable that gives functions the address of Lambda's API.
pub(crate) const LAMBDA_ENDPOINT: &str = "AWS_ENDPOINT_URL_LAMBDA";

/// The parts of a running shop.
pub(crate) struct Services {
    pub(crate) url: String,
    pub(crate) data: Option<PathBuf>,
    pub(crate) template: Template,
    pub(crate) functions: Arc<Functions>,
    pub(crate) cloud: Cloud,
    pub(crate) metrics: Arc<ShopMetrics>,
    pub(crate) lambda_url: String,
    pub(crate) host: Host,
}

impl Services {
    /// The environment of the function with this name: with it, its binary
    /// works on this shop's tables from another process.
    pub(crate) fn environment_of(&self, function: &str) -> Option<Environment> {
        let mut specs = self.template.functions.iter();
        let spec = specs.find(|spec| spec.code_name == function)?;
        let environment = environment(spec, &self.cloud, &self.url, &self.lambda_url);
        Some(environment.on(self.host.clone()))
    }
}

/// A function's environment: the template's variables, and those that Lambda
/// sets.
pub(crate) fn environment(
    spec: &template::Function,
    cloud: &Cloud,
    url: &str,
    lambda_url: &str,
) -> Environment {
    let declared = spec
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), cloud.resolve(value, url)));
    let memory = spec.memory_mb.to_string();
    let log_group = format!("/aws/lambda/{}", spec.function_name);
    let set_by_lambda = [
        ("AWS_REGION", names::REGION),
        ("AWS_DEFAULT_REGION", names::REGION),
        // The embedded services accept any credentials.
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_LAMBDA_FUNCTION_NAME", spec.function_name.as_str()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.as_str()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log_group.as_str()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        (LAMBDA_ENDPOINT, lambda_url),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
    ];
    let endpoints = cloud
        .endpoints
        .iter()
        .map(|(name, address)| (*name, address.as_str()));
    let set = set_by_lambda
        .into_iter()
        .chain(endpoints)
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    declared.chain(set).collect()
}
