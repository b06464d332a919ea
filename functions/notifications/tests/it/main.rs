//! The notifications service, function by function, on an embedded DynamoDB and
//! a stub of SES.

#![expect(
    clippy::unwrap_used,
    reason = "a helper fails the test, as the test's own lines do"
)]

mod compose_notifications;
mod deliver_email;
mod erasure;
mod events;
mod export_notifications;
mod fixture;
mod limits;
mod list_notifications;
mod preferences;
mod rendering;
mod retention;
mod samples;
mod ses;
mod strangers;
mod unlisted;
