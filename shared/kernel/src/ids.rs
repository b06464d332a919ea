//! A type for each kind of id, so that none is taken for another. New ids
//! are UUIDv7 (RFC 9562), and so sort by the time they were made.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::input::{FieldErrors, FromInput, Value};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id as a UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Takes the hyphenated form only: the others that a UUID may be
            /// written in would make two texts of one id.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Uuid::try_parse(text)?;
                if text.len() == uuid::fmt::Hyphenated::LENGTH { Ok(Self(id)) } else { Uuid::try_parse("").map(Self) }
            }
        }

        impl FromInput for $name {
            fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
                value.text()?.parse().map_err(|_| FieldErrors::new("must be a UUID"))
            }
        }
    )+};
}

ids! {
    /// A person with an account.
    UserId,
    /// One sign-in on one device.
    SessionId,
    /// An address in a person's address book.
    AddressId,
    /// A category of the catalogue.
    CategoryId,
    /// A product of the catalogue.
    ProductId,
    /// An order, and the reservation that holds its goods.
    OrderId,
    /// A payment.
    PaymentId,
    /// A message to a person.
    NotificationId,
    /// An event.
    EventId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = OrderId::from(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse::<OrderId>().unwrap(), id);
        let simple = id.as_uuid().simple().to_string();
        assert!(simple.parse::<OrderId>().is_err());
        assert!(format!("{{{id}}}").parse::<OrderId>().is_err());
    }
}
