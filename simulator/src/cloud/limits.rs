//! What a partition key can take: 1,000 write units and 3,000 read units a second, of a
//! table as of each of its indexes. Whoever asks for more is throttled.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;
use tokio::time::Instant;

/// What one partition key takes in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Write units.
    pub writes: u64,
    /// Read units.
    pub reads: u64,
}

impl Limits {
    /// Those of DynamoDB (Developer Guide, "Burst and adaptive capacity").
    pub const DYNAMODB: Self = Self {
        writes: 1_000,
        reads: 3_000,
    };
}

/// What one kind of access to one partition key has used; reads in halves.
type Used = BTreeMap<(bool, String), u64>;

/// The units that have been used in this second.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    begun: Instant,
    used: Mutex<(u64, Used)>,
}

impl Meter {
    /// A meter with these limits.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            begun: Instant::now(),
            used: Mutex::default(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Used) -> T) -> T {
        let second = self.begun.elapsed().as_secs();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.0 != second {
            *used = (second, BTreeMap::new());
        }
        act(&mut used.1)
    }

    /// Whether partitions have units left for a call; it then uses them.
    pub(super) fn admits(&self, uses: &[Use]) -> bool {
        self.with(|used| {
            let most = |one: &Use| match one.is_write {
                true => self.limits.writes,
                false => self.limits.reads * 2,
            };
            let admits = uses.iter().all(|one| {
                let key = (one.is_write, one.partition.clone());
                used.get(&key).copied().unwrap_or_default() < most(one)
            });
            if admits {
                for one in uses {
                    *used
                        .entry((one.is_write, one.partition.clone()))
                        .or_default() += one.units;
                }
            }
            admits
        })
    }

    /// Whether a partition has no units left.
    pub(super) fn is_used_up(&self, one: &Use) -> bool {
        self.with(|used| {
            let used = used.get(&(one.is_write, one.partition.clone()));
            used.is_some_and(|used| *used >= self.limits.writes)
        })
    }

    /// Uses units that were not known before the call was made: those of indexes.
    pub(super) fn add(&self, one: Use) {
        self.with(|used| *used.entry((one.is_write, one.partition)).or_default() += one.units);
    }
}

/// Units that a call uses of one partition: whole ones of writes, halves of reads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    is_write: bool,
    partition: String,
    units: u64,
}

impl Use {
    /// Units written to a partition of a table or, with its name, an index.
    pub(super) fn write(table: &str, index: &str, partition: &str, units: u64) -> Self {
        Self {
            is_write: true,
            partition: format!("{table} {index} {partition}"),
            units,
        }
    }
}

/// What a call uses, as far as its request tells. Items count as small ones.
pub(super) fn uses(operation: &str, body: &Value) -> Vec<Use> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |is_write, table: &Value, item: &Value, units| Use {
        is_write,
        partition: format!("{}  {}", text(table), text(&item["pk"]["S"])),
        units,
    };
    let halves = |request: &Value| match request["ConsistentRead"] == true {
        true => 2,
        false => 1,
    };
    match operation {
        "PutItem" => vec![one(true, &body["TableName"], &body["Item"], 1)],
        "UpdateItem" | "DeleteItem" => vec![one(true, &body["TableName"], &body["Key"], 1)],
        "TransactWriteItems" => {
            let actions = body["TransactItems"].as_array().into_iter().flatten();
            let actions = actions.filter_map(|action| action.as_object()?.values().next());
            let uses = actions.map(|action| {
                let item = match action["Item"].is_null() {
                    true => &action["Key"],
                    false => &action["Item"],
                };
                one(true, &action["TableName"], item, 2)
            });
            uses.collect()
        }
        "GetItem" => vec![one(false, &body["TableName"], &body["Key"], halves(body))],
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            let keys = tables.flat_map(|(table, request)| {
                let keys = request["Keys"].as_array().into_iter().flatten();
                keys.map(|key| one(false, &Value::from(table.as_str()), key, halves(request)))
            });
            keys.collect()
        }
        "Query" => {
            let condition = body["KeyConditionExpression"].as_str().unwrap_or_default();
            let placeholder = condition.split_whitespace().nth(2).unwrap_or_default();
            let values = &body["ExpressionAttributeValues"][placeholder];
            let partition = values["S"].as_str().or_else(|| values["N"].as_str());
            vec![Use {
                is_write: false,
                partition: format!(
                    "{} {} {}",
                    text(&body["TableName"]),
                    text(&body["IndexName"]),
                    partition.unwrap_or_default()
                ),
                units: halves(body),
            }]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_partition_key_is_throttled_within_a_second_and_others_are_not() {
        let meter = Meter::new(Limits::DYNAMODB);
        let write = |pk: &str| {
            let body = json!({"TransactItems": [
                {"Update": {"TableName": "t", "Key": {"pk": {"S": pk}, "sk": {"S": "s"}}}}
            ]});
            uses("TransactWriteItems", &body)
        };
        let admitted = (0..1_000).filter(|_| meter.admits(&write("hot"))).count();
        assert_eq!(admitted, 500, "a write in a transaction is two units");
        assert!(meter.admits(&write("cold")));
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert!(meter.admits(&write("hot")));
    }

    #[test]
    fn a_consistent_read_uses_twice_as_much() {
        let read = |consistent| {
            json!({"TableName": "t", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}},
                   "ConsistentRead": consistent})
        };
        assert_eq!(uses("GetItem", &read(true))[0].units, 2);
        assert_eq!(uses("GetItem", &read(false))[0].units, 1);
    }
}
