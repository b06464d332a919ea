//! The notifications service: what people are told, and that they are told
//! it once.
//!
//! [`events::compose_notifications`] hears what happened to accounts and
//! orders, keeps people's addresses ([`domain::Contact`]), and writes down what
//! they are to be told ([`domain::Notification`]), together with the event
//! that it waits. [`events::deliver_email`] hears that event, renders the mail
//! and hands it to SES ([`mail`]). [`api::list_notifications`] shows people
//! what they were told.
//!
//! A notification bears the id of the event that it tells of, so an event that
//! comes twice makes one. It moves `queued → sending → sent | failed`, each
//! step under a condition; `sending` is a claim with an end, so a function that
//! dies does not keep a mail to itself. The one thing that nobody can decide is
//! whether SES took a mail whose reply was lost: such a mail is sent again, so
//! delivery is at least once at that point, and exactly once at every other.
//!
//! A channel beside e-mail is a variant of [`contracts::events::Channel`], a
//! queue with a filter on it, and a consumer beside `deliver_email`.

pub mod api;
pub mod domain;
pub mod events;
pub mod mail;
pub mod store;

use runtime::Function;

/// Every function of the service.
pub fn functions() -> Vec<Function> {
    vec![
        api::list_notifications::function(),
        api::export_notifications::function(),
        events::compose_notifications::function(),
        events::deliver_email::function(),
        events::relay_notification_events::function(),
    ]
}
