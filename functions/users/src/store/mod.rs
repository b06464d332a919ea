//! The service's table, the only place that knows DynamoDB.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | a user | `USER#<user id>` | `USER` |
//! | a user's address book | `USER#<user id>` | `ADDRESSES` |
//! | an event about a user | `USER#<user id>` | `EVENT#<event id>` |
//! | an address in use, so that none is used twice | `EMAIL#<address>` | `EMAIL` |
//! | a session; gone when it was ended | `USER#<user id>` | `SESSION#<session id>` |
//! | a second factor, on or only offered | `USER#<user id>` | `TOTP` |
//! | what a mailed token proves | `VERIFICATION#<hash of the token>`, `RESET#<…>` | `VERIFICATION`, `RESET` |
//! | the active admins, so that one is always left | `ADMINS` | `ADMINS` |
//! | how many users there are, by status and role | `COUNTS#<shard>` | `COUNTS` |
//! | requests under a key of a limit | `LIMIT#<limit>#<hash of the key>` | `LIMIT` |
//! | nothing, where nobody is written to | `DECOY#<id>` | `DECOY` |
//! | failures to log in with an address | `ATTEMPTS#<hash of the address>` | `ATTEMPTS` |

mod addresses;
mod attempts;
mod erasure;
mod history;
mod listing;
mod log_in;
mod proofs;
mod rows;
mod second_factors;
mod sessions;
mod users;

pub use addresses::StoreAddressesError;
pub use erasure::ForgetUserError;
pub use listing::UserFilter;
pub use log_in::{Admitted, Candidate, LogIn, Returned, StoreLogInError};
pub use proofs::{ChangePasswordError, Purpose, UseProofError};
pub use second_factors::{Confirmation, EnrolFactorError, RemoveFactorError};
pub use sessions::RefreshSessionError;
pub use users::{NewUser, RegisterUserError, UpdateUserError};

use dynamo::{Index, IndexKey, Quota, RateLimit, TableSchema, StoreError, Table};
use kernel::Timestamp;

/// The shape of the table.
pub const SCHEMA: TableSchema = TableSchema {
    indexes: &[
        Index {
            name: listing::BY_EMAIL,
            partition: "listed",
            sort: IndexKey::Text("email"),
            projects_all: false,
        },
        Index {
            name: erasure::BY_ERASURE,
            partition: "closing",
            sort: IndexKey::Number("erase_at"),
            projects_all: false,
        },
    ],
};

/// Requests that one address of the network may send to the endpoints that
/// anybody may call, in fifteen minutes, when nothing else is said.
pub const REQUESTS_PER_IP: u32 = 100;

/// The accounts and sessions.
pub struct Store {
    table: Table,
    requests_per_ip: u32,
}

impl Store {
    /// The store in a table.
    pub fn new(table: Table) -> Self {
        Self {
            table,
            requests_per_ip: REQUESTS_PER_IP,
        }
    }

    /// The same with another limit of requests from one address.
    #[must_use]
    pub fn with_requests_per_ip(self, requests_per_ip: u32) -> Self {
        Self {
            requests_per_ip,
            ..self
        }
    }

    /// Requests that one address of the network may send.
    pub fn requests_per_ip(&self) -> u32 {
        self.requests_per_ip
    }

    /// Counts a request under a key of a limit.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take(
        &self,
        limit: &RateLimit,
        key: &str,
        now: Timestamp,
    ) -> Result<Quota, StoreError> {
        self.table.take(limit, key, now).await
    }
}

impl From<Table> for Store {
    fn from(table: Table) -> Self {
        Self::new(table)
    }
}
