//! The events of users, written with what they report.

use contracts::Envelope;
use dynamo::{Keep, Transaction};

use super::rows::event_key;
use crate::domain::User;

/// Adds the events of a user to the transaction that changes the user.
pub(super) fn announce(transaction: Transaction, user: &User, events: &[Envelope]) -> Transaction {
    events.iter().fold(transaction, |transaction, event| {
        let key = event_key(user.id, event.id);
        transaction.announce(&key.pk, &key.sk, event, Keep::Forever)
    })
}
