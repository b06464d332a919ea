//! Publishes the service's events.

use runtime::{Function, Grant, grant};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:BatchGetItem", "NotificationsTable"),
    grant("dynamodb:UpdateItem", "NotificationsTable"),
    grant("dynamodb:Query", "NotificationsTable/index/unsent"),
    grant("sns:Publish", "NotificationsTopic"),
];

/// The function.
pub fn function() -> Function {
    dynamo::relay::function("relay-notification-events", GRANTS)
}
