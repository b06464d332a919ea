//! Who may call the API from a page.

use super::{Cors, TemplateError, fields::Fields, yaml::Node};

/// SAM's `CorsConfiguration`.
pub(super) fn cors(node: &Node) -> Result<Cors, TemplateError> {
    // SAM lets `true` stand for everything from everywhere.
    if node.as_text().is_ok() {
        return Err(TemplateError::at(
            node.line,
            "CorsConfiguration is written out here",
        ));
    }
    cors_of(node, "CorsConfiguration", str::to_owned)
}

/// The extension of an OpenAPI document, whose names begin in lower case.
pub(super) fn cors_extension(node: &Node) -> Result<Cors, TemplateError> {
    cors_of(node, "x-amazon-apigateway-cors", |name| {
        name[..1].to_ascii_lowercase() + &name[1..]
    })
}

fn cors_of(node: &Node, owner: &str, spelt: fn(&str) -> String) -> Result<Cors, TemplateError> {
    let mut fields = Fields::of(node, owner)?;
    let cors = Cors {
        allow_origins: split(fields.texts(&spelt("AllowOrigins"))?),
        allow_methods: fields
            .texts(&spelt("AllowMethods"))?
            .iter()
            .map(|method| method.to_ascii_uppercase())
            .collect(),
        allow_headers: fields
            .texts(&spelt("AllowHeaders"))?
            .iter()
            .map(|header| header.to_ascii_lowercase())
            .collect(),
        expose_headers: fields
            .texts(&spelt("ExposeHeaders"))?
            .iter()
            .map(|header| header.to_ascii_lowercase())
            .collect(),
        allow_credentials: fields.flag(&spelt("AllowCredentials"))?,
        max_age_seconds: fields.number(&spelt("MaxAge"))?,
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
