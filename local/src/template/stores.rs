//! Tables, queues, topics, subscriptions and secrets.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    Queue, Secret, SecretValue, Subscription, Table, TemplateError, Topic, fields::Fields,
    handles::Handles, names, pattern::check_filter_policy, yaml::Node,
};

/// A resource whose properties have been resolved.
pub(crate) struct Resource<'a> {
    pub(crate) logical_id: &'a str,
    pub(crate) resource_type: &'a str,
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) properties: &'a Node,
    pub(crate) handles: &'a Handles,
}

impl<'a> Resource<'a> {
    pub(crate) fn fields(&self) -> Result<Fields<'a>, TemplateError> {
        let mut fields = Fields::of(self.properties, self.resource_type)?;
        // The name has been evaluated already.
        if let Some(property) = names::name_property(self.resource_type) {
            fields.take(property);
        }
        Ok(fields)
    }
}

/// SQS's default.
const VISIBILITY_SECONDS_DEFAULT: u64 = 30;

pub(crate) fn table(resource: &Resource<'_>) -> Result<Table, TemplateError> {
    let mut fields = resource.fields()?;
    let mut definition = Map::new();
    definition.insert("TableName".into(), resource.name.clone().into());
    definition.insert("BillingMode".into(), "PAY_PER_REQUEST".into());
    for name in ["KeySchema", "AttributeDefinitions"] {
        definition.insert(name.into(), fields.require(name)?.to_json());
    }
    for name in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        let Some(indexes) = fields.take(name) else {
            continue;
        };
        let mut list = Vec::new();
        for index in indexes.as_list()? {
            list.push(table_index(index, name)?);
        }
        definition.insert(name.into(), list.into());
    }
    let streams = match fields.take("StreamSpecification") {
        None => false,
        Some(specification) => {
            let mut inner = Fields::of(specification, "StreamSpecification")?;
            let view = inner.require_text("StreamViewType")?;
            inner.finish()?;
            definition.insert(
                "StreamSpecification".into(),
                json!({"StreamEnabled": true, "StreamViewType": view}),
            );
            true
        }
    };
    let mut ttl_attribute = None;
    if let Some(specification) = fields.take("TimeToLiveSpecification") {
        let mut inner = Fields::of(specification, "TimeToLiveSpecification")?;
        let attribute = inner.require_text("AttributeName")?;
        ttl_attribute = inner.flag("Enabled")?.then_some(attribute);
        inner.finish()?;
    }
    fields.finish()?;
    Ok(Table {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        name: resource.name.clone(),
        definition: Value::Object(definition),
        ttl_attribute,
        streams,
    })
}

fn table_index(index: &Node, owner: &str) -> Result<Value, TemplateError> {
    let mut fields = Fields::of(index, owner)?;
    let value = json!({
        "IndexName": fields.require_text("IndexName")?,
        "KeySchema": fields.require("KeySchema")?.to_json(),
        "Projection": fields.require("Projection")?.to_json(),
    });
    // Nothing is throttled here.
    for name in ["ProvisionedThroughput", "OnDemandThroughput"] {
        fields.take(name);
    }
    fields.finish()?;
    Ok(value)
}

pub(crate) fn queue(resource: &Resource<'_>) -> Result<Queue, TemplateError> {
    let mut fields = resource.fields()?;
    let mut attributes = BTreeMap::new();
    for name in [
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "DelaySeconds",
        "MaximumMessageSize",
    ] {
        if let Some(number) = fields.number::<u64>(name)? {
            attributes.insert(name.to_owned(), number.to_string());
        }
    }
    let visibility = fields
        .number("VisibilityTimeout")?
        .unwrap_or(VISIBILITY_SECONDS_DEFAULT);
    attributes.insert("VisibilityTimeout".to_owned(), visibility.to_string());
    let mut dead_letter_queue = None;
    if let Some(policy) = fields.take("RedrivePolicy") {
        let mut inner = Fields::of(policy, "RedrivePolicy")?;
        let target = inner.require("deadLetterTargetArn")?;
        dead_letter_queue = Some(resource.handles.find(target, "AWS::SQS::Queue")?);
        let tries: u32 = inner
            .number("maxReceiveCount")?
            .ok_or_else(|| TemplateError::at(policy.line, "RedrivePolicy needs maxReceiveCount"))?;
        inner.finish()?;
        let policy = json!({"deadLetterTargetArn": target.as_text()?, "maxReceiveCount": tries});
        attributes.insert("RedrivePolicy".to_owned(), policy.to_string());
    }
    fields.only("FifoQueue", "false")?;
    fields.finish()?;
    Ok(Queue {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        name: resource.name.clone(),
        attributes,
        visibility: Duration::from_secs(visibility),
        dead_letter_queue,
    })
}

pub(crate) fn topic(resource: &Resource<'_>) -> Result<Topic, TemplateError> {
    let mut fields = resource.fields()?;
    fields.only("FifoTopic", "false")?;
    fields.finish()?;
    Ok(Topic {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        name: resource.name.clone(),
    })
}

pub(crate) fn subscription(resource: &Resource<'_>) -> Result<Subscription, TemplateError> {
    let mut fields = resource.fields()?;
    fields.only("Protocol", "sqs")?;
    let topic = resource
        .handles
        .find(fields.require("TopicArn")?, "AWS::SNS::Topic")?;
    let queue = resource
        .handles
        .find(fields.require("Endpoint")?, "AWS::SQS::Queue")?;
    let mut attributes = BTreeMap::new();
    if fields.flag("RawMessageDelivery")? {
        attributes.insert("RawMessageDelivery".to_owned(), "true".to_owned());
    }
    let scope = fields.text("FilterPolicyScope")?;
    let on_body = match scope.as_deref() {
        None | Some("MessageAttributes") => false,
        Some("MessageBody") => true,
        Some(other) => {
            return Err(TemplateError::at(
                resource.line,
                format!("FilterPolicyScope {other} is not known"),
            ));
        }
    };
    if let Some(policy) = fields.take("FilterPolicy") {
        let json = policy.to_json();
        check_filter_policy(&json, on_body)
            .map_err(|reason| TemplateError::at(policy.line, reason))?;
        attributes.insert("FilterPolicy".to_owned(), json.to_string());
        attributes.insert(
            "FilterPolicyScope".to_owned(),
            scope.unwrap_or_else(|| "MessageAttributes".to_owned()),
        );
    }
    let mut dead_letter_queue = None;
    if let Some(policy) = fields.take("RedrivePolicy") {
        let mut inner = Fields::of(policy, "RedrivePolicy")?;
        dead_letter_queue = Some(
            resource
                .handles
                .find(inner.require("deadLetterTargetArn")?, "AWS::SQS::Queue")?,
        );
        inner.finish()?;
    }
    fields.only("Region", names::REGION)?;
    fields.finish()?;
    Ok(Subscription {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        topic,
        queue,
        attributes,
        dead_letter_queue,
    })
}

pub(crate) fn secret(resource: &Resource<'_>) -> Result<Secret, TemplateError> {
    let mut fields = resource.fields()?;
    let given = fields.text("SecretString")?;
    let generated = fields.take("GenerateSecretString");
    let value = match (given, generated) {
        (Some(text), None) => SecretValue::Given(text),
        (None, Some(node)) => generated_secret(node)?,
        _ => {
            let reason = "a secret needs either SecretString or GenerateSecretString here";
            return Err(TemplateError::at(resource.line, reason));
        }
    };
    fields.finish()?;
    Ok(Secret {
        logical_id: resource.logical_id.to_owned(),
        line: resource.line,
        name: resource.name.clone(),
        value,
    })
}

fn generated_secret(node: &Node) -> Result<SecretValue, TemplateError> {
    let mut fields = Fields::of(node, "GenerateSecretString")?;
    let mut password = Map::new();
    if let Some(length) = fields.number::<u32>("PasswordLength")? {
        password.insert("PasswordLength".into(), length.into());
    }
    if let Some(letters) = fields.text("ExcludeCharacters")? {
        password.insert("ExcludeCharacters".into(), letters.into());
    }
    for name in [
        "ExcludeLowercase",
        "ExcludeUppercase",
        "ExcludeNumbers",
        "ExcludePunctuation",
        "IncludeSpace",
    ] {
        if fields.flag(name)? {
            password.insert(name.into(), true.into());
        }
    }
    if let Some(required) = fields.take("RequireEachIncludedType") {
        password.insert("RequireEachIncludedType".into(), required.to_json());
    }
    let template = fields.take("SecretStringTemplate");
    let key = fields.text("GenerateStringKey")?;
    let within = match (template, key) {
        (None, None) => None,
        (Some(template), Some(key)) => {
            let text = template.as_text()?.to_owned();
            if !serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object()) {
                return Err(TemplateError::at(
                    template.line,
                    "SecretStringTemplate is not a JSON object",
                ));
            }
            Some((text, key))
        }
        _ => {
            let reason = "SecretStringTemplate and GenerateStringKey go together";
            return Err(TemplateError::at(node.line, reason));
        }
    };
    fields.finish()?;
    Ok(SecretValue::Generated {
        password: Value::Object(password),
        within,
    })
}
