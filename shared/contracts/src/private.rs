//! What events carry to their consumers and nobody keeps.

use serde_json::Value;

use crate::{
    Envelope, EventData,
    events::{OrderPlaced, UserPasswordResetRequested, UserRegistered, UserVerificationRequested},
};

/// The members of an event's data that are removed from the table once the event
/// is published: whoever consumes it has them then, and a history needs none.
pub fn private_members(event_type: &str) -> &'static [&'static str] {
    match event_type {
        OrderPlaced::TYPE => &["paymentMethod"],
        UserRegistered::TYPE => &["sealedVerificationToken"],
        UserVerificationRequested::TYPE | UserPasswordResetRequested::TYPE => &["sealedToken"],
        _ => &[],
    }
}

impl Envelope {
    /// The event as histories and exports show it.
    #[must_use]
    pub fn without_private_members(mut self) -> Self {
        if let Value::Object(data) = &mut self.data {
            for name in private_members(&self.event_type) {
                data.remove(*name);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::catalogue;

    /// A member that was renamed would be kept.
    #[test]
    fn every_private_member_is_one_of_its_type() {
        let mut found = 0;
        for event in catalogue() {
            let schema = serde_json::to_value(&event.schema).unwrap();
            for name in private_members(event.event_type) {
                let known = schema["properties"].get(*name).is_some();
                assert!(known, "{}: {name}", event.event_type);
                found += 1;
            }
        }
        assert_eq!(found, 4);
    }

    #[test]
    fn whatever_names_a_payment_method_or_a_token_is_private() {
        for event in catalogue() {
            let schema = serde_json::to_value(&event.schema).unwrap();
            let members = schema["properties"].as_object().unwrap().keys();
            let secret = members.filter(|name| {
                let name = name.to_lowercase();
                ["token", "method", "secret", "reference"]
                    .iter()
                    .any(|word| name.ends_with(word))
            });
            for name in secret {
                assert!(
                    private_members(event.event_type).contains(&name.as_str()),
                    "{} keeps {name}",
                    event.event_type
                );
            }
        }
    }
}
