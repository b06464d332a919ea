//! Safeguards taken away, one at a time, to see that the checks notice. The functions stay
//! as they are: a condition is made true on its way to the database, a schedule does not
//! run, the provider forgets what it was asked.

use serde_json::Value;

use crate::weather::Weather;

/// A safeguard that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// None.
    None,
    /// The conditions of writes to items whose keys begin like this hold always.
    Conditions(&'static str),
    /// A scheduled function does not run.
    Schedule(&'static str),
    /// An authorisation whose capture failed is not voided.
    Release,
    /// A payment is not recorded before the provider is asked: what an invocation leaves
    /// pending is gone after it.
    Unrecorded,
}

impl Sabotage {
    /// Every one that the checks must notice, and what it takes away. Not
    /// [`Self::Unrecorded`]: no seed has shown yet what it prevents.
    pub const ALL: [(&str, Self); 9] = [
        (
            "stock is taken only if there is enough",
            Self::Conditions("PRODUCT#"),
        ),
        (
            "a reservation changes only as it was read",
            Self::Conditions("RESERVATION#"),
        ),
        (
            "a payment changes only as it was read",
            Self::Conditions("PAYMENT#"),
        ),
        (
            "an order changes only as it was read",
            Self::Conditions("ORDER#"),
        ),
        (
            "an event makes one message, and one attempt delivers it",
            Self::Conditions("USER#"),
        ),
        (
            "an idempotency key is claimed once",
            Self::Conditions("IDEMPOTENCY#"),
        ),
        ("reservations expire", Self::Schedule("expire-reservations")),
        (
            "unsent events are swept",
            Self::Schedule("relay-order-events"),
        ),
        ("a failed capture releases the authorisation", Self::Release),
    ];

    /// A request to the database, without the conditions that are taken away.
    pub fn weaken(self, body: Value) -> Value {
        let Self::Conditions(prefix) = self else {
            return body;
        };
        weaken(body, prefix)
    }

    /// The weather in which its absence shows.
    pub fn weather(self, usual: Weather) -> Weather {
        match self {
            Self::Unrecorded => Weather::LATE,
            _ => usual,
        }
    }

    /// Whether a scheduled function runs.
    pub fn runs(self, function: &str) -> bool {
        !matches!(self, Self::Schedule(stopped) if stopped == function)
    }
}

fn weaken(mut body: Value, prefix: &str) -> Value {
    if let Some(actions) = body["TransactItems"].as_array_mut() {
        for action in actions {
            let inner = action
                .as_object_mut()
                .into_iter()
                .flat_map(|map| map.values_mut());
            inner.for_each(|write| weaken_one(write, prefix));
        }
    } else {
        weaken_one(&mut body, prefix);
    }
    body
}

fn weaken_one(write: &mut Value, prefix: &str) {
    let key = if write["Item"].is_null() {
        &write["Key"]
    } else {
        &write["Item"]
    };
    let concerned = key["pk"]["S"]
        .as_str()
        .is_some_and(|pk| pk.starts_with(prefix));
    if let (true, Some(condition)) = (concerned, write["ConditionExpression"].as_str()) {
        // The names and values that it uses have to stay in use.
        let always = format!("({condition}) OR attribute_not_exists(sabotaged)");
        write["ConditionExpression"] = always.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_conditions_of_the_items_concerned_are_weakened() {
        let write = |pk: &str| json!({"Key": {"pk": {"S": pk}}, "ConditionExpression": "a = :a"});
        let body = json!({"TransactItems": [{"Update": write("PRODUCT#1")}, {"Update": write("ORDER#1")}]});
        let weakened = Sabotage::Conditions("PRODUCT#").weaken(body.clone());
        let condition =
            |index: usize| &weakened["TransactItems"][index]["Update"]["ConditionExpression"];
        assert_eq!(condition(0), "(a = :a) OR attribute_not_exists(sabotaged)");
        assert_eq!(condition(1), "a = :a");
        assert_eq!(Sabotage::None.weaken(body.clone()), body);
    }
}
