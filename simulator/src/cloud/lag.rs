//! Answers from the past: what a replica or an index that is behind says.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::images::{Images, Key, key_of};

/// How far behind whoever answers is.
#[derive(Clone, Copy, Debug)]
pub struct Behind(pub Duration);

/// A read that is answered late.
#[derive(Debug)]
pub(super) struct Read<'r> {
    /// The operation.
    pub operation: &'r str,
    /// What was asked.
    pub request: &'r Value,
    /// The index that is read, if any.
    pub index: Option<&'r Value>,
    /// Whether whole items are read.
    pub projects_all: bool,
}

/// Whether DynamoDB may answer a read from a replica that is behind.
pub fn may_lag(operation: &str, request: &Value) -> bool {
    match operation {
        "GetItem" | "Query" => request["ConsistentRead"] != true,
        "BatchGetItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            let mut requests = tables.map(|(_, request)| request);
            requests.any(|request| request["ConsistentRead"] != true)
        }
        _ => false,
    }
}

impl Read<'_> {
    /// The answer of a replica, made from that of the latest state. What it cannot make
    /// (a projection) stays as it is: a replica may also be up to date.
    pub(super) fn answer(&self, images: &Images, behind: Behind, mut reply: Value) -> Value {
        let then = Instant::now()
            .checked_sub(behind.0)
            .unwrap_or_else(Instant::now);
        match self.operation {
            "GetItem" if self.request["ProjectionExpression"].is_null() => {
                let table = self.request["TableName"].as_str().unwrap_or_default();
                let key = key_of(&self.request["Key"]);
                match images.earlier(table, &key, then) {
                    None => {}
                    Some(None) => {
                        reply.as_object_mut().map(|reply| reply.remove("Item"));
                    }
                    Some(Some(image)) => reply["Item"] = Value::clone(&image),
                }
            }
            "BatchGetItem" => {
                let tables = self.request["RequestItems"].as_object();
                for (table, request) in tables.into_iter().flatten() {
                    let is_plain = request["ProjectionExpression"].is_null();
                    if is_plain && request["ConsistentRead"] != true {
                        batch(images, then, table, request, &mut reply["Responses"][table]);
                    }
                }
            }
            "Query" => self.query(images, then, &mut reply),
            _ => {}
        }
        reply
    }

    fn query(&self, images: &Images, then: Instant, reply: &mut Value) {
        let table = self.request["TableName"].as_str().unwrap_or_default();
        let Some(items) = reply["Items"].as_array_mut() else {
            return;
        };
        let changed = images.changed_since(table, then);
        items.retain_mut(|item| {
            let key = key_of(item);
            let Some((_, earlier)) = changed.iter().find(|(changed, _)| *changed == key) else {
                return true;
            };
            match earlier {
                Some(image) if self.index.is_none() || self.selects(image) => {
                    *item = self.project(image);
                    true
                }
                _ => false,
            }
        });
        let present: Vec<Key> = items.iter().map(key_of).collect();
        let gone = changed.iter().filter(|(key, _)| !present.contains(key));
        // What has left the index since is still there.
        if self.index.is_some() {
            let gone = gone.filter_map(|(_, image)| image.as_ref());
            items.extend(
                gone.filter(|image| self.selects(image))
                    .map(|image| self.project(image)),
            );
        }
        let count = items.len();
        reply["Count"] = count.into();
        reply["ScannedCount"] = count.into();
    }

    /// Whether the key condition selects an image. Conditions other than equality and
    /// an upper bound select nothing here.
    fn selects(&self, image: &Arc<Value>) -> bool {
        let condition = self.request["KeyConditionExpression"].as_str();
        let names = &self.request["ExpressionAttributeNames"];
        let values = &self.request["ExpressionAttributeValues"];
        condition.unwrap_or_default().split(" AND ").all(|term| {
            let mut words = term.split_whitespace();
            let (Some(name), Some(operator), Some(value)) =
                (words.next(), words.next(), words.next())
            else {
                return false;
            };
            let actual = &image[names[name].as_str().unwrap_or(name)];
            let wanted = &values[value];
            match operator {
                "=" => actual == wanted,
                "<" | "<=" => {
                    let number = |value: &Value| value["N"].as_str()?.parse::<i128>().ok();
                    let text = |value: &Value| value["S"].as_str().map(str::to_owned);
                    let order = match (number(actual), number(wanted)) {
                        (Some(actual), Some(wanted)) => Some(actual.cmp(&wanted)),
                        _ => text(actual).zip(text(wanted)).map(|(a, w)| a.cmp(&w)),
                    };
                    order.is_some_and(|order| order.is_lt() || order.is_eq() && operator == "<=")
                }
                _ => false,
            }
        })
    }

    /// What an index contains of an item.
    fn project(&self, image: &Arc<Value>) -> Value {
        let Some(index) = self.index.filter(|_| !self.projects_all) else {
            return Value::clone(image);
        };
        let keys = index["KeySchema"].as_array().into_iter().flatten();
        let names = keys.filter_map(|key| key["AttributeName"].as_str());
        let names = names.chain(["pk", "sk"]);
        let fields = names.filter_map(|name| Some((name.to_owned(), image.get(name)?.clone())));
        Value::Object(fields.collect::<Map<String, Value>>())
    }
}

fn batch(images: &Images, then: Instant, table: &str, request: &Value, items: &mut Value) {
    let Some(items) = items.as_array_mut() else {
        return;
    };
    for key in request["Keys"].as_array().into_iter().flatten().map(key_of) {
        if let Some(earlier) = images.earlier(table, &key, then) {
            items.retain(|item| key_of(item) != key);
            items.extend(earlier.map(|image| Value::clone(&image)));
        }
    }
}
