//! The function `relay-notification-events`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(notifications::events::relay_notification_events::function())
}
