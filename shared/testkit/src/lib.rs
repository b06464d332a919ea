//! For tests: a table of one's own in an embedded DynamoDB, and requests and
//! events sent to functions as API Gateway and SQS send them.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "only tests use this crate"
)]

mod counted;
mod invoke;
mod losses;
mod peer;
pub mod prometheus;
mod table;

pub use counted::Counted;
pub use invoke::{Client, Reply, call, deliver, run};
pub use kernel::Clock;
pub use losses::Losses;
pub use peer::{Answer, Peer};
pub use table::TestTable;

/// The statuses that tests expect, by their names.
pub mod status {
    pub use http::StatusCode;

    macro_rules! statuses {
        ($($name:ident),+) => { $(
            /// The status of that name.
            pub const $name: StatusCode = StatusCode::$name;
        )+ };
    }
    statuses!(
        OK,
        CREATED,
        ACCEPTED,
        NOT_MODIFIED,
        BAD_REQUEST,
        UNAUTHORIZED,
        FORBIDDEN,
        NOT_FOUND,
        CONFLICT,
        PAYLOAD_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        UNPROCESSABLE_ENTITY,
        TOO_MANY_REQUESTS,
        INTERNAL_SERVER_ERROR,
        SERVICE_UNAVAILABLE
    );
}
