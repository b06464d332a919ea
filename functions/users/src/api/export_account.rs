//! Gives the caller all data that the shop holds about them.

use std::sync::Arc;

use contracts::{
    Envelope,
    calls::{Call, ExportNotifications, ExportOrders, ExportPayments},
    events::UserVerificationRequested,
};
use dynamo::RateLimit;
use http::{HeaderValue, header};
use kernel::{Limit, Principal, SignedDuration, Timestamp, UserId};
use runtime::{
    Environment, Error, Function, Grant,
    aws::Aws,
    call::CallClient,
    grant,
    http::{Access, ApiError, Endpoint, Reply, RequestCause, SignedIn, State},
};
use serde::Serialize;
use serde_json::Value;

use super::support::{
    rate_limits,
    views::{EventView, SessionView, UserDetails},
};
use crate::{
    app::App,
    domain::{AddressEntry, Session, User},
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

/// Exports of one user: each reads everything there is.
const EXPORTS: RateLimit = RateLimit {
    name: "exports",
    requests: 10,
    window: SignedDuration::from_hours(24),
};
/// The largest export. A reply of Lambda has at most 6 MB, and contains the JSON as a
/// string, in which every quotation mark takes two bytes.
const EXPORT_BYTES_MAX: usize = 4_000_000;

pub fn function() -> Function {
    Endpoint::new("export-account", Access::SignedIn, GRANTS)
        .get("/api/users/export", export_account)
        .start(Exporter::start)
}

/// The app, and the functions of the other services.
struct Exporter {
    app: App,
    orders: CallClient,
    payments: CallClient,
    notifications: CallClient,
}

impl Exporter {
    async fn start(environment: Environment) -> Result<Self, Error> {
        let lambda = Aws::from_environment(&environment)?.lambda();
        let clock = environment.host().clock();
        let client = |variable: &str, service| {
            let function = environment.require(variable)?;
            Ok::<_, Error>(CallClient::new(
                lambda.clone(),
                function,
                service,
                clock.clone(),
            ))
        };
        Ok(Self {
            orders: client("EXPORT_ORDERS_FUNCTION", ExportOrders::SERVICE)?,
            payments: client("EXPORT_PAYMENTS_FUNCTION", ExportPayments::SERVICE)?,
            notifications: client(
                "EXPORT_NOTIFICATIONS_FUNCTION",
                ExportNotifications::SERVICE,
            )?,
            app: App::start(environment).await?,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportView<'a> {
    exported_at: Timestamp,
    account: UserDetails<'a>,
    addresses: Vec<AddressEntry>,
    sessions: Vec<SessionView<'a>>,
    history: Vec<EventView>,
    orders: Vec<Value>,
    payments: Vec<Value>,
    contact: Option<Value>,
    notifications: Vec<Value>,
}

/// Returns the account, addresses, sessions and history, the orders with their history,
/// the payments and the notifications, as one JSON document. It is complete or an
/// error: a missing part would look like missing data. Hashes and tokens are left out, and requests to
/// verify an address that is not the account's.
///
/// # Errors
/// 429 for the eleventh export in a day; 503, naming the service, when one does not
/// answer; 409 `export_too_large` beyond 4 MB.
async fn export_account(
    State(exporter): State<Arc<Exporter>>,
    SignedIn(caller): SignedIn,
    RequestCause(cause): RequestCause,
) -> Result<Reply, ApiError> {
    let app = &exporter.app;
    let now = app.host.now();
    let detail = "too many exports; try again tomorrow";
    let key = caller.user_id.to_string();
    let headers = rate_limits::enforce(&app.store, &EXPORTS, &key, now, detail).await?;
    let reply = export(&exporter, &caller, cause.correlation_id, now).await;
    rate_limits::with_headers(reply, headers)
}

async fn export(
    exporter: &Exporter,
    caller: &Principal,
    correlation_id: String,
    now: Timestamp,
) -> Result<Reply, ApiError> {
    let store = &exporter.app.store;
    let parts = Parts {
        exporter,
        user_id: caller.user_id,
        correlation_id,
    };
    let (account, book) = tokio::try_join!(
        store.account(caller.user_id),
        store.addresses(caller.user_id),
    )?;
    let (user, sessions): (_, Vec<Session>) = account;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    let (history, (orders, payments), (contact, notifications)) =
        tokio::try_join!(parts.history(&user), parts.orders(), parts.notifications())?;
    let view = |session| SessionView::new(session, caller.session_id);
    let export = ExportView {
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
    let file = HeaderValue::from_static("attachment; filename=\"account.json\"");
    Ok(Reply::ok("all data that we hold about you", &export)
        .with_header(header::CONTENT_DISPOSITION, file))
}

/// Reads the parts of one user's export.
struct Parts<'a> {
    exporter: &'a Exporter,
    user_id: UserId,
    correlation_id: String,
}

impl Parts<'_> {
    async fn history(&self, user: &User) -> Result<Vec<EventView>, ApiError> {
        let store = &self.exporter.app.store;
        let (mut entries, mut size, mut after) = (Vec::new(), Size::default(), None);
        loop {
            let (events, next) = store.history(self.user_id, Limit::MOST, after).await?;
            let shown = events.into_iter().filter(|event| is_shown(event, user));
            let page: Vec<EventView> = shown.map(EventView::from).collect();
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
            let page = self.exporter.orders.call(&call).await?;
            if !page.payment_ids.is_empty() {
                let call = ExportPayments {
                    user_id: self.user_id,
                    payment_ids: page.payment_ids,
                    correlation_id: self.correlation_id.clone(),
                };
                let page = self.exporter.payments.call(&call).await?;
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

    /// The contact, and the notifications.
    async fn notifications(&self) -> Result<(Option<Value>, Vec<Value>), ApiError> {
        let mut notifications = Vec::new();
        let (mut size, mut after) = (Size::default(), None);
        loop {
            let call = ExportNotifications {
                user_id: self.user_id,
                after,
                correlation_id: self.correlation_id.clone(),
            };
            let page = self.exporter.notifications.call(&call).await?;
            size.add(&page.notifications)?;
            notifications.extend(page.notifications);
            after = page.next;
            if after.is_none() {
                return Ok((page.contact, notifications));
            }
        }
    }
}

/// Requests to verify an address other than the account's are not shown: there is none
/// for an address that somebody else has, so they would reveal who has an account.
fn is_shown(event: &Envelope, user: &User) -> bool {
    !event.is::<UserVerificationRequested>() || event.data["email"] == user.email.as_str()
}

/// The size of a part, which ends the reading of one that is too large.
#[derive(Default)]
struct Size(usize);

impl Size {
    fn add(&mut self, page: &impl Serialize) -> Result<(), ApiError> {
        self.0 += serde_json::to_vec(page).map_err(ApiError::internal)?.len();
        // Each of the three parts may have a third of the whole.
        if self.0 <= EXPORT_BYTES_MAX / 3 {
            return Ok(());
        }
        let detail = "the export is too large for one reply; ask the shop for your data";
        Err(ApiError::conflict("export_too_large", detail))
    }
}
