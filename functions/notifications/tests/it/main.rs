//! The notifications service, with a store of its own and a mailer that remembers.

#![expect(clippy::unwrap_used, reason = "a test's helpers may fail the test")]

mod compose_notifications;
mod deliver_email;
mod desk;
mod erasure;
mod export_notifications;
mod list_notifications;
mod mails;
mod preferences;
mod sample_events;
mod ses;
