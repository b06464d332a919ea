//! What the tests of guesses share: where they come from, and what is counted.

use std::sync::LazyLock;

use serde_json::Value;
use users::{
    domain::{Guess, Source},
    store::Origin,
};

use crate::fixture::TestUsers;

/// The network of the client, unless a test names another.
pub(crate) const NETWORK: &str = "203.0.113.7";

/// A login from that network, by a device that names none.
pub(crate) const ORIGIN: Origin<'_> = Origin {
    device: None,
    network: NETWORK,
};

/// An unknown device there.
pub(crate) fn source() -> &'static Source {
    static SOURCE: LazyLock<Source> = LazyLock::new(|| Source::Network(NETWORK.into()));
    &SOURCE
}

pub(crate) fn guess(email: &str) -> Guess<'_> {
    Guess {
        email,
        source: source(),
    }
}

impl TestUsers {
    /// The items that count failures: for unknown devices one for each address, and one for
    /// each network; for known ones and sessions one for each.
    pub(crate) async fn stored_failures(&self) -> Vec<Value> {
        self.table.items_of("ATTEMPTS#", "ATTEMPTS").await
    }

    /// The most failures that are counted for anything.
    pub(crate) async fn failures(&self) -> usize {
        let stored = self.stored_failures().await;
        let failures = stored.iter().filter_map(|item| item["failures"].as_array());
        failures.map(Vec::len).max().unwrap_or_default()
    }
}
