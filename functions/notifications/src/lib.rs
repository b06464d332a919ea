//! The notifications service: tells users what happened to their accounts and
//! orders, once.
//!
//! [`events::compose_notifications`] consumes the events of accounts and orders,
//! keeps users' contact data ([`domain::Contact`]), and records what to tell
//! them ([`domain::Notification`]) together with a `notification.queued` event.
//! [`events::deliver_email`] consumes that event, renders the email and sends it
//! through SES ([`mail`]). [`api::list_notifications`] shows users their
//! notifications.
//!
//! A notification has the id of the event that it is about, so a repeated event
//! makes no second one. It moves `queued → sending → sent | failed`, each
//! transition under a condition; `sending` is a claim that expires, so a
//! function that dies does not block the delivery. Whether SES accepted an email
//! whose reply was lost cannot be known: it is sent again, so delivery is at
//! least once at that point and exactly once at every other.
//!
//! Another channel is a variant of [`contracts::events::Channel`], a queue with
//! a filter on it, and a consumer beside `deliver_email`.

pub mod api;
mod app;
pub mod domain;
pub mod events;
pub mod mail;
pub mod store;

use runtime::Function;

/// Every function of the service, in the order in which a notification meets them.
pub fn functions() -> Vec<Function> {
    vec![
        events::compose_notifications::function(),
        events::deliver_email::function(),
        events::relay_notification_events::function(),
        api::list_notifications::function(),
        api::export_notifications::function(),
    ]
}
