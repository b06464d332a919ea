//! `relay-notification-events`: publishes the events of the outbox.

use runtime::{Function, Grant, grant};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "NotificationsTable"),
    grant("dynamodb:BatchGetItem", "NotificationsTable"),
    grant("dynamodb:UpdateItem", "NotificationsTable"),
    grant("dynamodb:Query", "NotificationsTable/index/unsent"),
    grant("sns:Publish", "NotificationsTopic"),
];

pub fn function() -> Function {
    dynamo::relay::function("relay-notification-events", GRANTS)
}
