//! The service's table, the only place that knows DynamoDB.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | a user | `USER#<user id>` | `USER` |
//! | an event about a user | `USER#<user id>` | `EVENT#<event id>` |
//! | an address in use, so that none is used twice | `EMAIL#<address>` | `EMAIL` |
//! | a session; gone when it was ended | `SESSION#<session id>` | `SESSION` |
//! | an address to be verified | `VERIFICATION#<hash of the token>` | `VERIFICATION` |
//! | failures to log in with an address | `ATTEMPTS#<hash of the address>` | `ATTEMPTS` |

mod attempts;
mod log_in;
mod rows;
mod sessions;
mod users;

pub use log_in::{Candidate, LogIn, StoreLogInError};
pub use sessions::RefreshSessionError;
pub use users::{NewUser, RegisterUserError, UpdateUserError, VERIFICATION_LIFETIME};

use dynamo::{Shape, Table};

/// The shape of the table: no index of its own.
pub const SHAPE: Shape = Shape { indexes: &[] };

/// The accounts and sessions.
pub struct Store {
    table: Table,
}

impl Store {
    /// The store in a table.
    pub fn new(table: Table) -> Self {
        Self { table }
    }
}
