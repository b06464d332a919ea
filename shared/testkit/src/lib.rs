//! For tests: a table of one's own in an embedded DynamoDB, and requests and
//! events sent to functions as API Gateway and SQS send them.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "only tests use this crate"
)]

mod clock;
mod conflicts;
mod dynamo_proxy;
mod http1;
mod invoke;
mod lost_replies;
pub mod prometheus;
mod recorded_metrics;
mod samples;
mod secrets;
mod service;
mod stub_server;
mod table;

pub use clock::Clock;
pub use conflicts::{Conflicts, Interleaved};
pub use dynamo_proxy::{CallsInFlight, RecordedCalls};
pub use invoke::{Client, Reply, call, deliver, run};
pub use lost_replies::LostReplies;
pub use recorded_metrics::RecordedMetrics;
pub use samples::check_samples;
pub use service::Service;
pub use stub_server::{StubReply, StubServer};
pub use table::TestTable;

use std::sync::{Mutex, PoisonError};

use kernel::Timestamp;
use runtime::{Host, Random};
use uuid::Uuid;

/// A new id of any kind.
pub fn new_id<T: From<Uuid>>() -> T {
    static HOST: std::sync::LazyLock<Host> = std::sync::LazyLock::new(Host::system);
    HOST.new_id()
}

/// Random bytes that are the same in every run with the same seed.
pub fn seeded_random(seed: u64) -> Random {
    let generator = Mutex::new(fastrand::Rng::with_seed(seed));
    Random::new(move |bytes| {
        let mut generator = generator.lock().unwrap_or_else(PoisonError::into_inner);
        generator.fill(bytes);
    })
}

/// The machine's time, for tests of what does not take its time from a [`Clock`].
pub fn system_time() -> Timestamp {
    Host::system().now()
}

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
