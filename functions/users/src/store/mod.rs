//! The service's table, the only place that knows DynamoDB.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | a user | `USER#<user id>` | `USER` |
//! | a user's address book | `USER#<user id>` | `ADDRESSES` |
//! | an event about a user | `USER#<user id>` | `EVENT#<event id>` |
//! | an address in use, so that none is used twice | `EMAIL#<address>` | `EMAIL` |
//! | a session; gone when it was ended | `USER#<user id>` | `SESSION#<session id>` |
//! | what a mailed token proves | `VERIFICATION#<hash of the token>`, `RESET#<…>` | `VERIFICATION`, `RESET` |
//! | nothing, where nobody is written to | `DECOY#<id>` | `DECOY` |
//! | failures to log in with an address | `ATTEMPTS#<hash of the address>` | `ATTEMPTS` |

mod addresses;
mod attempts;
mod log_in;
mod proofs;
mod rows;
mod sessions;
mod users;

pub use addresses::StoreAddressesError;
pub use log_in::{Admitted, Candidate, LogIn, StoreLogInError};
pub use proofs::{ChangePasswordError, Purpose, UseProofError};
pub use sessions::RefreshSessionError;
pub use users::{NewUser, RegisterUserError, UpdateUserError};

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
