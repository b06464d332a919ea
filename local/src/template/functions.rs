//! Functions and their roles.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Function, Role, Statement, TemplateError, events,
    fields::Fields,
    stores::Resource,
    yaml::{Entry, Kind, Node},
};

/// Lambda's defaults and limits.
const TIMEOUT_SECONDS_DEFAULT: u64 = 3;
const TIMEOUT_SECONDS_MAX: u64 = 900;
const MEMORY_MB_DEFAULT: u32 = 128;

/// Merges the properties of `Globals` into those of a resource: the resource's own
/// values take precedence, maps are merged and lists are concatenated.
pub(crate) fn with_globals(
    properties: &Node,
    globals: Option<&Node>,
) -> Result<Node, TemplateError> {
    let Some(globals) = globals else {
        return Ok(properties.clone());
    };
    Ok(merge(properties, globals))
}

fn merge(own: &Node, global: &Node) -> Node {
    let kind = match (&own.kind, &global.kind) {
        (Kind::Map(own), Kind::Map(global)) => {
            let mut entries: Vec<Entry> = own
                .iter()
                .map(
                    |entry| match global.iter().find(|other| other.key == entry.key) {
                        Some(other) => Entry {
                            value: merge(&entry.value, &other.value),
                            ..entry.clone()
                        },
                        None => entry.clone(),
                    },
                )
                .collect();
            entries.extend(
                global
                    .iter()
                    .filter(|other| own.iter().all(|entry| entry.key != other.key))
                    .cloned(),
            );
            Kind::Map(entries)
        }
        (Kind::List(own), Kind::List(global)) => {
            Kind::List(global.iter().chain(own).cloned().collect())
        }
        (own, _) => own.clone(),
    };
    Node {
        line: own.line,
        kind,
    }
}

pub(crate) fn function(resource: &Resource<'_>, roles: &[Role]) -> Result<Function, TemplateError> {
    let mut fields = resource.fields()?;
    fields.only("Handler", "bootstrap")?;
    fields.only("PackageType", "Zip")?;
    let runtime = fields.require("Runtime")?;
    if !runtime.as_text()?.starts_with("provided.") {
        return Err(TemplateError::at(
            runtime.line,
            "only the provided.* runtimes can be run here",
        ));
    }
    let code = fields.require("CodeUri")?;
    let code_name = code_name(code)?;
    let timeout = fields.number("Timeout")?.unwrap_or(TIMEOUT_SECONDS_DEFAULT);
    if timeout == 0 || timeout > TIMEOUT_SECONDS_MAX {
        return Err(TemplateError::at(
            resource.line,
            format!("Timeout is 1 to {TIMEOUT_SECONDS_MAX} seconds"),
        ));
    }
    let memory_mb = fields.number("MemorySize")?.unwrap_or(MEMORY_MB_DEFAULT);
    let alias = fields.text("AutoPublishAlias")?;
    let reserved_concurrency = fields.number("ReservedConcurrentExecutions")?;

    let mut environment = BTreeMap::new();
    if let Some(node) = fields.take("Environment") {
        let mut inner = Fields::of(node, "Environment")?;
        for entry in inner
            .take("Variables")
            .map(Node::as_map)
            .transpose()?
            .unwrap_or_default()
        {
            environment.insert(entry.key.clone(), entry.value.as_text()?.to_owned());
        }
        inner.finish()?;
    }
    let mut listed = Vec::new();
    for entry in fields
        .take("Events")
        .map(Node::as_map)
        .transpose()?
        .unwrap_or_default()
    {
        listed.push(events::event(&entry.key, &entry.value, resource.handles)?);
    }

    let mut statements = Vec::new();
    let role = match fields.take("Role") {
        None => None,
        Some(node) => {
            let logical_id = resource.handles.find(node, "AWS::IAM::Role")?;
            let role = roles.iter().find(|role| role.logical_id == logical_id);
            statements.extend(role.into_iter().flat_map(|role| role.statements.clone()));
            Some(logical_id)
        }
    };
    if let Some(policies) = fields.take("Policies") {
        statements.extend(policies_of(policies, resource)?);
    }
    fields.finish()?;
    Ok(Function {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        code_name,
        function_name: resource.name.clone(),
        timeout: Duration::from_secs(timeout),
        memory_mb,
        alias,
        reserved_concurrency,
        environment,
        events: listed,
        role,
        statements,
    })
}

/// `place-order` of `target/lambda/place-order/`.
pub(crate) fn code_name(code: &Node) -> Result<String, TemplateError> {
    let text = code.as_text()?;
    let name = text.trim_end_matches('/').strip_prefix("target/lambda/");
    match name {
        Some(name) if !name.is_empty() && !name.contains('/') => Ok(name.to_owned()),
        _ => Err(TemplateError::at(
            code.line,
            format!("CodeUri is {text}, not target/lambda/<name>/"),
        )),
    }
}

/// The statements of a function's own policy documents.
fn policies_of(policies: &Node, resource: &Resource<'_>) -> Result<Vec<Statement>, TemplateError> {
    let mut statements = Vec::new();
    for policy in policies.as_list().unwrap_or(std::slice::from_ref(policies)) {
        if policy.get("Statement").is_some() {
            statements.extend(resource.handles.statements(policy)?);
        } else if policy.as_text().is_err() {
            let reason = "SAM's policy templates are not read here; write the statements out";
            return Err(TemplateError::at(policy.line, reason));
        }
    }
    Ok(statements)
}

pub(crate) fn role(resource: &Resource<'_>) -> Result<Role, TemplateError> {
    let mut role = Role {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        statements: Vec::new(),
        managed_policies: Vec::new(),
    };
    for policy in resource
        .properties
        .get("Policies")
        .map(Node::as_list)
        .transpose()?
        .unwrap_or_default()
    {
        let document = policy
            .get("PolicyDocument")
            .ok_or_else(|| TemplateError::at(policy.line, "a policy needs PolicyDocument"))?;
        role.statements
            .extend(resource.handles.statements(document)?);
    }
    for arn in resource
        .properties
        .get("ManagedPolicyArns")
        .map(Node::as_list)
        .transpose()?
        .unwrap_or_default()
    {
        role.managed_policies.push(arn.as_text()?.to_owned());
    }
    Ok(role)
}
