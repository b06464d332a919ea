//! The notifications table. All of a person's items are in one partition,
//! `USER#<user id>`:
//!
//! | sk | what |
//! |---|---|
//! | `CONTACT` | how the person is reached |
//! | `NOTIFICATION#<id>` | a notification; ids are UUIDv7, so they sort by time |
//! | `EVENT#<event id>` | an event that waits to be published, or was |

mod contacts;
mod deliveries;
mod listing;
mod notifications;

use dynamo::{Key, TableSchema, Table};
use kernel::{NotificationId, UserId};

pub use deliveries::{Claim, Claimed, Settled};
pub use listing::Listed;
pub use notifications::Queued;

/// The table's indexes: none beside that of the outbox.
pub const SCHEMA: TableSchema = TableSchema { indexes: &[] };

const NOTIFICATION: &str = "NOTIFICATION#";

/// The service's table.
#[derive(Clone, Debug)]
pub struct Store {
    table: Table,
}

impl Store {
    /// The store in a table.
    pub const fn new(table: Table) -> Self {
        Self { table }
    }
}

fn partition(user_id: UserId) -> String {
    format!("USER#{user_id}")
}

fn contact_key(user_id: UserId) -> Key {
    Key::new(partition(user_id), "CONTACT")
}

fn notification_key(user_id: UserId, id: NotificationId) -> Key {
    Key::new(partition(user_id), format!("{NOTIFICATION}{id}"))
}
