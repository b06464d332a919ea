//! Payments in DynamoDB. The only place in the service that knows it.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | a payment | `PAYMENT#<id>` | `PAYMENT` |
//! | its events | `PAYMENT#<id>` | `EVENT#<event id>` |

use std::collections::BTreeSet;

use contracts::Envelope;
use dynamo::{CommitError, Expression, Keep, Key, TableSchema, StoreError, Table, Transaction};
use kernel::PaymentId;
use runtime::Environment;
use serde::{Deserialize, Serialize};

use crate::domain::{Intent, Payment, Status};

/// The table's indexes: none of its own.
pub const SCHEMA: TableSchema = TableSchema { indexes: &[] };

const RECORD: &str = "PAYMENT";

/// The payments of the shop.
#[derive(Clone, Debug)]
pub struct PaymentStore {
    table: Table,
}

/// A payment with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredPayment {
    /// The payment.
    #[serde(flatten)]
    pub payment: Payment,
    /// The orders' events that had an effect on it, so that each has it once.
    #[serde(
        default,
        with = "serde_dynamo::string_set",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    seen: BTreeSet<String>,
}

impl StoredPayment {
    /// Whether an event has had its effect already.
    pub fn has_seen(&self, event: &Envelope) -> bool {
        self.seen.contains(&event.dedup_key())
    }
}

#[derive(Serialize)]
struct PaymentItem<'a> {
    pk: String,
    sk: &'static str,
    #[serde(flatten)]
    payment: &'a Payment,
    #[serde(with = "serde_dynamo::string_set")]
    seen: BTreeSet<String>,
}

impl PaymentStore {
    /// The store on the table in `TABLE`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn open(environment: &Environment) -> Result<Self, runtime::Error> {
        Ok(Self::new(Table::open(environment).await?))
    }

    /// The store on a table.
    pub const fn new(table: Table) -> Self {
        Self { table }
    }

    /// A payment as it is now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, id: PaymentId) -> Result<Option<StoredPayment>, StoreError> {
        self.table.get(key(id)).await
    }

    /// Payments as they are now, in no order; those that are not there are
    /// left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find_many(&self, ids: Vec<PaymentId>) -> Result<Vec<StoredPayment>, StoreError> {
        let keys = ids.into_iter().map(key).collect();
        self.table.get_many(keys, false).await
    }

    /// Writes a payment that is not there yet, and announces `event` if there
    /// is one. Refused when it is there.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn insert(
        &self,
        payment: &Payment,
        event: Option<&Envelope>,
        because: &Envelope,
    ) -> Result<(), CommitError> {
        let item = PaymentItem {
            pk: partition(payment.payment_id),
            sk: RECORD,
            payment,
            seen: BTreeSet::from([because.dedup_key()]),
        };
        let transaction = self.table.transaction().insert("payment", &item);
        announce(transaction, payment.payment_id, event)
            .commit()
            .await
    }

    /// Records what is about to be asked of the provider. Doing it twice is
    /// doing it once; refused when the payment is not authorised any more or
    /// the other thing has been begun.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn begin(&self, id: PaymentId, intent: Intent) -> Result<(), CommitError> {
        let expression = Expression::update("SET intent = :intent")
            .only_when(
                "#status = :authorized AND (attribute_not_exists(intent) OR intent = :intent)",
            )
            .name("#status", "status")
            .value(":authorized", Status::Authorized)
            .value(":intent", intent);
        let begun = self
            .table
            .update::<StoredPayment>(key(id), expression)
            .await;
        begun.map(drop)
    }

    /// Ends what was begun, and announces it. Refused when it has ended.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn finish(
        &self,
        payment: &Payment,
        intent: Intent,
        event: &Envelope,
        because: &Envelope,
    ) -> Result<(), CommitError> {
        let expression = Expression::update(
            "SET #status = :status, failure_reason = :reason, updated_at = :at ADD seen :seen",
        )
        .only_when("#status = :authorized AND intent = :intent AND NOT contains(seen, :event)")
        .name("#status", "status")
        .value(":status", payment.status)
        .value(":reason", &payment.failure_reason)
        .value(":at", payment.updated_at)
        .value(":authorized", Status::Authorized)
        .value(":intent", intent)
        .value(":event", because.dedup_key())
        .string_set(":seen", vec![because.dedup_key()]);
        let id = payment.payment_id;
        let transaction = self
            .table
            .transaction()
            .update("payment", key(id), expression);
        announce(transaction, id, Some(event)).commit().await
    }
}

fn announce(transaction: Transaction, id: PaymentId, event: Option<&Envelope>) -> Transaction {
    match event {
        Some(event) => {
            let sort = format!("EVENT#{}", event.id);
            transaction.announce(&partition(id), &sort, event, Keep::Forever)
        }
        None => transaction,
    }
}

fn partition(id: PaymentId) -> String {
    format!("PAYMENT#{id}")
}

fn key(id: PaymentId) -> Key {
    Key::new(partition(id), RECORD)
}
