//! How many emails one address gets, whoever causes them. Anybody can register
//! with somebody else's address, so what an account does must not fill a mailbox
//! that nobody has proven to be theirs.

use dynamo::{RateLimit, StoreError};
use kernel::SignedDuration;

use crate::{
    app::App,
    domain::{Contact, Notification},
};

/// Emails about the account. Verification and reset are limited to five each by
/// users.
const ABOUT_ACCOUNT: RateLimit = RateLimit {
    name: "account-emails",
    requests: 20,
    window: SignedDuration::from_hours(1),
};
/// Emails about orders. Counted apart, so that nobody can silence warnings about
/// an account by placing orders.
const ABOUT_ORDERS: RateLimit = RateLimit {
    name: "order-emails",
    requests: 10,
    window: SignedDuration::from_hours(1),
};
/// Emails about failed orders to an address that was never verified: the page
/// that placed the order shows its failure as well.
const UNVERIFIED_FAILURES: RateLimit = RateLimit {
    name: "failed-order-emails",
    requests: 1,
    window: SignedDuration::from_hours(24),
};

/// Counts an email to its address, and returns whether it may be sent. `contact`
/// is the recipient's, if the message does not name its address itself.
pub(super) async fn admits(
    app: &App,
    notification: &Notification,
    contact: Option<&Contact>,
) -> Result<bool, StoreError> {
    let message = &notification.message;
    let fixed = message.fixed_address();
    let Some(address) = fixed.or(contact.map(|contact| contact.email.as_str())) else {
        return Ok(true);
    };
    let mut limits = vec![if message.is_account_notice() {
        ABOUT_ACCOUNT
    } else {
        ABOUT_ORDERS
    }];
    if message.is_failed_order() && !app.store.is_verified(notification.user_id, address).await? {
        limits.insert(0, UNVERIFIED_FAILURES);
    }
    // The narrowest first: what it refuses does not count for the others.
    for limit in limits {
        let now = app.host.now();
        if !app.store.count_request(&limit, address, now).await?.allowed {
            let (limit, id) = (limit.name, notification.id);
            tracing::warn!(limit, %id, "email suppressed: too many to its address");
            return Ok(false);
        }
    }
    Ok(true)
}
