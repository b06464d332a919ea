//! `relay-order-events`: publishes the orders' events.

use runtime::{Function, Grant, grant};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "OrdersTable"),
    grant("dynamodb:BatchGetItem", "OrdersTable"),
    grant("dynamodb:UpdateItem", "OrdersTable"),
    grant("dynamodb:Query", "OrdersTable/index/unsent"),
    grant("sns:Publish", "OrdersTopic"),
];

/// The function `relay-order-events`.
pub fn function() -> Function {
    dynamo::relay::function("relay-order-events", GRANTS)
}
