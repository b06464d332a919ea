//! Publishes the service's events.

use runtime::{Function, Grant, grant};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "UsersTable"),
    grant("dynamodb:BatchGetItem", "UsersTable"),
    grant("dynamodb:UpdateItem", "UsersTable"),
    grant("dynamodb:Query", "UsersTable/index/unsent"),
    grant("sns:Publish", "UsersTopic"),
];

pub fn function() -> Function {
    dynamo::relay::function("relay-user-events", GRANTS)
}
