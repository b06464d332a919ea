//! The HTTP API.

use std::collections::BTreeMap;

use super::{Api, Cors, TemplateError, fields::Fields, stores::Resource, yaml::Node};

pub(crate) fn api(resource: &Resource<'_>) -> Result<Api, TemplateError> {
    let mut fields = resource.fields()?;
    fields.only("StageName", "$default")?;
    let mut authorizers = BTreeMap::new();
    let mut default_authorizer = None;
    if let Some(auth) = fields.take("Auth") {
        let mut inner = Fields::of(auth, "Auth")?;
        default_authorizer = inner.text("DefaultAuthorizer")?;
        for entry in inner
            .take("Authorizers")
            .map(Node::as_map)
            .transpose()?
            .unwrap_or_default()
        {
            authorizers.insert(entry.key.clone(), authorizer(&entry.value, resource)?);
        }
        inner.finish()?;
        if let Some(name) = &default_authorizer
            && !authorizers.contains_key(name)
        {
            return Err(TemplateError::at(
                auth.line,
                format!("there is no authorizer {name}"),
            ));
        }
    }
    let cors = fields.take("CorsConfiguration").map(cors).transpose()?;
    fields.finish()?;
    Ok(Api {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        cors,
        authorizers,
        default_authorizer,
    })
}

/// The logical id of an authorizer's function.
fn authorizer(node: &Node, resource: &Resource<'_>) -> Result<String, TemplateError> {
    let mut fields = Fields::of(node, "authorizer")?;
    let function = resource
        .handles
        .find(fields.require("FunctionArn")?, "AWS::Serverless::Function")?;
    let version = fields.require_text("AuthorizerPayloadFormatVersion")?;
    if !version.starts_with('2') {
        return Err(TemplateError::at(
            node.line,
            "AuthorizerPayloadFormatVersion can only be 2.0 here",
        ));
    }
    if !fields.flag("EnableSimpleResponses")? {
        return Err(TemplateError::at(
            node.line,
            "an authorizer needs EnableSimpleResponses: true here",
        ));
    }
    fields.only("AuthorizerResultTtlInSeconds", "0")?;
    if let Some(identity) = fields.take("Identity") {
        let mut inner = Fields::of(identity, "Identity")?;
        inner.only("ReauthorizeEvery", "0")?;
        inner.finish()?;
    }
    fields.finish()?;
    Ok(function)
}

fn cors(node: &Node) -> Result<Cors, TemplateError> {
    // SAM lets `true` stand for everything from everywhere.
    if node.as_text().is_ok() {
        return Err(TemplateError::at(
            node.line,
            "CorsConfiguration is written out here",
        ));
    }
    let mut fields = Fields::of(node, "CorsConfiguration")?;
    let cors = Cors {
        allow_origins: split(fields.texts("AllowOrigins")?),
        allow_methods: fields
            .texts("AllowMethods")?
            .iter()
            .map(|method| method.to_ascii_uppercase())
            .collect(),
        allow_headers: fields
            .texts("AllowHeaders")?
            .iter()
            .map(|header| header.to_ascii_lowercase())
            .collect(),
        expose_headers: fields
            .texts("ExposeHeaders")?
            .iter()
            .map(|header| header.to_ascii_lowercase())
            .collect(),
        allow_credentials: fields.flag("AllowCredentials")?,
        max_age_seconds: fields.number("MaxAge")?,
    };
    fields.finish()?;
    if cors.allow_credentials && cors.allow_origins.iter().any(|origin| origin == "*") {
        let reason = "API Gateway refuses AllowCredentials together with the origin *";
        return Err(TemplateError::at(node.line, reason));
    }
    Ok(cors)
}

/// One text with commas counts as several: a parameter may be of either kind.
fn split(texts: Vec<String>) -> Vec<String> {
    let parts = texts.iter().flat_map(|text| text.split(','));
    parts
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}
