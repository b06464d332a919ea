//! The notifications table. All of a user's items are in one partition,
//! `USER#<user id>`:
//!
//! | sk | item |
//! |---|---|
//! | `CONTACT` | the user's contact data |
//! | `VERIFIED#<hash>` | an address that the user has verified, as a hash |
//! | `NOTIFICATION#<id>` | a notification; ids are UUIDv7, so they sort by time |
//! | `UNLISTED#<id>` | a notification that the user's lists and exports leave out |
//! | `EVENT#<event id>` | an event of the outbox |
//!
//! The emails that count towards a limit are in `LIMIT#<name>#<hash>`.

mod contacts;
mod deliveries;
mod listing;
mod mail_counts;
mod notifications;

use dynamo::{Key, Table, TableSchema, hash_key};
use kernel::{NotificationId, UserId};
use runtime::{Environment, Error};

pub use deliveries::{Claim, ClaimOutcome, DeliveryOutcome};
pub use listing::ListedNotification;
pub use notifications::EnqueueOutcome;

pub const SCHEMA: TableSchema = TableSchema { indexes: &[] };

const NOTIFICATION_PREFIX: &str = "NOTIFICATION#";
const VERIFIED_PREFIX: &str = "VERIFIED#";
/// Apart from the others, so that neither the pages of a list nor the time that it takes
/// tell that there are any.
const UNLISTED_PREFIX: &str = "UNLISTED#";

#[derive(Clone, Debug)]
pub struct Store {
    table: Table,
}

impl Store {
    /// Opens the table in `TABLE`.
    pub async fn open(environment: &Environment) -> Result<Self, Error> {
        let table = Table::open(environment).await?;
        Ok(Self { table })
    }
}

fn partition(user_id: UserId) -> String {
    format!("USER#{user_id}")
}

fn contact_key(user_id: UserId) -> Key {
    Key::new(partition(user_id), "CONTACT")
}

fn verified_key(user_id: UserId, email: &str) -> Key {
    let hash = hash_key(email);
    Key::new(partition(user_id), format!("{VERIFIED_PREFIX}{hash}"))
}

fn notification_key(user_id: UserId, id: NotificationId) -> Key {
    Key::new(partition(user_id), format!("{NOTIFICATION_PREFIX}{id}"))
}

fn unlisted_key(user_id: UserId, id: NotificationId) -> Key {
    Key::new(partition(user_id), format!("{UNLISTED_PREFIX}{id}"))
}
