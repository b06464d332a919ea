//! The service's table, the only place that knows DynamoDB.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | a user | `USER#<user id>` | `USER` |
//! | an address book | `USER#<user id>` | `ADDRESSES` |
//! | an event about a user | `USER#<user id>` | `EVENT#<event id>` |
//! | the owner of an e-mail address, which makes it unique | `EMAIL#<address>` | `EMAIL` |
//! | a session, deleted when it ends | `USER#<user id>` | `SESSION#<session id>` |
//! | a second factor, confirmed or pending | `USER#<user id>` | `TOTP` |
//! | the token of an e-mail | `VERIFICATION#<hash of the token>`, `RESET#<…>` | `VERIFICATION`, `RESET` |
//! | the active admins, of whom one has to remain | `ADMINS` | `ADMINS` |
//! | the number of users by status and role | `COUNTS#<shard>` | `COUNTS` |
//! | the requests counted by a rate limit | `LIMIT#<limit>#<hash of the key>` | `LIMIT` |
//! | a write that only takes time, where there is no account | `DECOY#<id>` | `DECOY` |
//! | failures of unknown devices to log in with an address | `ATTEMPTS#<hash of the address>` | `ATTEMPTS` |
//! | those of one device, network or session | `ATTEMPTS#<hash of the address and its id>` | `ATTEMPTS` |

mod addresses;
mod decoys;
mod erasure;
mod history;
mod listing;
mod log_in;
mod login_failures;
mod mail_tokens;
mod outbox;
mod rows;
mod second_factors;
mod sessions;
mod users;

pub use addresses::StoreAddressesError;
pub use erasure::EraseUserError;
pub use listing::UserFilter;
pub use log_in::{Authenticated, Candidate, LogIn, Origin, Reactivation, StoreLogInError};
pub use login_failures::{PendingAttempt, Recorded};
pub use mail_tokens::{ChangePasswordError, UseTokenError};
pub use second_factors::{Confirmation, EnrolFactorError, RemoveFactorError};
pub use sessions::RefreshSessionError;
pub use users::{NewUser, RegisterUserError, UpdateUserError};

use dynamo::{Index, IndexKey, Quota, RateLimit, StoreError, Table, TableSchema};
use kernel::Timestamp;

/// The indexes of the table.
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

/// Accounts, sessions and what belongs to them.
pub struct Store {
    table: Table,
}

impl Store {
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    pub async fn count_request(
        &self,
        limit: &RateLimit,
        key: &str,
        now: Timestamp,
    ) -> Result<Quota, StoreError> {
        self.table.count_request(limit, key, now).await
    }
}
