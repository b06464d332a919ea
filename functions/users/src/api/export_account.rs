//! Gives a person everything that the shop holds on them.

use std::sync::Arc;

use contracts::calls::{Call, ExportNotifications, ExportOrders, ExportPayments};
use dynamo::{RateLimit, Table};
use http::{HeaderValue, header};
use kernel::{Clock, Limit, SignedDuration, Timestamp, UserId};
use runtime::{
    Environment, Error, Function, Grant,
    aws::Aws,
    call::CallClient,
    grant,
    http::{Access, ApiError, Endpoint, Reply, RequestCause, SignedIn, State},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    get_user_history::{EntryView, entry},
    limits::require_within,
    list_sessions::SessionView,
    views::UserDetails,
};
use crate::{
    domain::{AddressEntry, Session},
    store::Store,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:PutItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("lambda:InvokeFunction", "ExportNotificationsFunction"),
    grant("lambda:InvokeFunction", "ExportOrdersFunction"),
    grant("lambda:InvokeFunction", "ExportPaymentsFunction"),
];

/// Exports that a person may ask for: each reads all there is.
const EXPORTS: RateLimit = RateLimit {
    name: "exports",
    most: 10,
    window: SignedDuration::from_hours(24),
};
/// Bytes of an export. Lambda answers with 6 MB at most, and the JSON is a
/// text within a JSON there, in which every quotation mark takes two.
const EXPORT_BYTES_MAX: usize = 4_000_000;

/// The function `export-account`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    endpoint().start(move |environment| Exporter::start(environment, clock.clone()))
}

/// Its endpoint, before it is started.
pub fn endpoint() -> Endpoint<Arc<Exporter>> {
    Endpoint::new("export-account", Access::SignedIn, GRANTS)
        .get("/api/users/export", export_account)
}

/// What exporting needs.
pub struct Exporter {
    store: Store,
    clock: Clock,
    orders: CallClient,
    payments: CallClient,
    notifications: CallClient,
}

impl Exporter {
    /// From the environment: `TABLE`, and the functions that answer for the
    /// other services.
    async fn start(environment: Environment, clock: Clock) -> Result<Arc<Self>, Error> {
        let lambda = Aws::from_environment(&environment)?.lambda();
        let client = |variable: &str, service| {
            let function = environment.require(variable)?;
            Ok::<_, Error>(CallClient::new(lambda.clone(), function, service))
        };
        Ok(Arc::new(Self {
            orders: client("EXPORT_ORDERS_FUNCTION", ExportOrders::SERVICE)?,
            payments: client("EXPORT_PAYMENTS_FUNCTION", ExportPayments::SERVICE)?,
            notifications: client(
                "EXPORT_NOTIFICATIONS_FUNCTION",
                ExportNotifications::SERVICE,
            )?,
            store: Store::new(Table::open(&environment).await?),
            clock,
        }))
    }
}

/// What the shop holds on a person, by the service that holds it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export<'a> {
    exported_at: Timestamp,
    account: UserDetails<'a>,
    addresses: Vec<AddressEntry>,
    sessions: Vec<SessionView<'a>>,
    history: Vec<EntryView>,
    orders: Vec<Value>,
    payments: Vec<Value>,
    contact: Option<Value>,
    notifications: Vec<Value>,
}

/// One chain of calls for one person.
struct Asking<'a> {
    app: &'a Exporter,
    user_id: UserId,
    correlation_id: String,
}

/// Gives the account, its addresses, sessions and history, the orders with
/// theirs, the payments and what the person was told, as one JSON. All of it or
/// an error: a part that is missing would look like nothing. What only proves
/// who somebody is (hashes, tokens) is no part of it.
///
/// # Errors
/// 429 for the eleventh in a day; 503, naming the service, when one does not
/// answer; 409 `export_too_large` for more than 4 MB.
pub async fn export_account(
    State(app): State<Arc<Exporter>>,
    person: SignedIn,
    RequestCause(cause): RequestCause,
) -> Result<Reply, ApiError> {
    let now = app.clock.now();
    let detail = "too many exports; come again tomorrow";
    let key = person.user_id.to_string();
    require_within(&app.store, &EXPORTS, &key, now, detail).await?;
    let asking = Asking {
        app: &app,
        user_id: person.user_id,
        correlation_id: cause.correlation_id,
    };
    let (account, book, history) = tokio::try_join!(
        async { Ok(app.store.account(person.user_id).await?) },
        async { Ok(app.store.addresses(person.user_id).await?) },
        asking.history(),
    )?;
    let (user, sessions): (_, Vec<Session>) = account;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    let ((orders, payments), (contact, notifications)) =
        tokio::try_join!(asking.orders(), asking.notifications())?;
    let view = |session| SessionView::of(session, person.session_id);
    let export = Export {
        exported_at: now,
        account: UserDetails::from(&user),
        addresses: book.entries().to_vec(),
        sessions: sessions.iter().map(view).collect(),
        history,
        orders,
        payments,
        contact,
        notifications,
    };
    let name = HeaderValue::from_static("attachment; filename=\"account.json\"");
    Ok(Reply::ok("everything that we hold on you", &export)
        .with_header(header::CONTENT_DISPOSITION, name))
}

impl Asking<'_> {
    async fn history(&self) -> Result<Vec<EntryView>, ApiError> {
        let (mut entries, mut size, mut after) = (Vec::new(), Size::default(), None);
        loop {
            let page = self.app.store.history(self.user_id, Limit::MOST, after);
            let (events, next) = page.await?;
            let page: Vec<EntryView> = events.into_iter().map(entry).collect();
            size.add(&page)?;
            entries.extend(page);
            after = next;
            if after.is_none() {
                return Ok(entries);
            }
        }
    }

    /// The orders, and their payments.
    async fn orders(&self) -> Result<(Vec<Value>, Vec<Value>), ApiError> {
        let (mut orders, mut payments) = (Vec::new(), Vec::new());
        let (mut size, mut after) = (Size::default(), None);
        loop {
            let call = ExportOrders {
                user_id: self.user_id,
                after,
                correlation_id: self.correlation_id.clone(),
            };
            let page = self.app.orders.call(&call).await?;
            if !page.payment_ids.is_empty() {
                let call = ExportPayments {
                    user_id: self.user_id,
                    payment_ids: page.payment_ids,
                    correlation_id: self.correlation_id.clone(),
                };
                let page = self.app.payments.call(&call).await?;
                size.add(&page.payments)?;
                payments.extend(page.payments);
            }
            size.add(&page.orders)?;
            orders.extend(page.orders);
            after = page.next;
            if after.is_none() {
                return Ok((orders, payments));
            }
        }
    }

    /// How the person is reached, and what they were told.
    async fn notifications(&self) -> Result<(Option<Value>, Vec<Value>), ApiError> {
        let mut notifications = Vec::new();
        let (mut size, mut after) = (Size::default(), None);
        loop {
            let call = ExportNotifications {
                user_id: self.user_id,
                after,
                correlation_id: self.correlation_id.clone(),
            };
            let page = self.app.notifications.call(&call).await?;
            size.add(&page.notifications)?;
            notifications.extend(page.notifications);
            after = page.next;
            if after.is_none() {
                return Ok((page.contact, notifications));
            }
        }
    }
}

/// How large a part of an export is; also what ends reading one that is too
/// large.
#[derive(Default)]
struct Size(usize);

impl Size {
    fn add(&mut self, part: &impl Serialize) -> Result<(), ApiError> {
        self.0 += serde_json::to_vec(part).map_err(ApiError::internal)?.len();
        // Each of three parts may have a third of the whole.
        if self.0 <= EXPORT_BYTES_MAX / 3 {
            return Ok(());
        }
        let detail = "there is too much for one reply; ask the shop for your data";
        Err(ApiError::conflict("export_too_large", detail))
    }
}
