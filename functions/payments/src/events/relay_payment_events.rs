//! `relay-payment-events`: publishes the payments' events.

use runtime::{Function, Grant, grant};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "PaymentsTable"),
    grant("dynamodb:BatchGetItem", "PaymentsTable"),
    grant("dynamodb:UpdateItem", "PaymentsTable"),
    grant("dynamodb:Query", "PaymentsTable/index/unsent"),
    grant("sns:Publish", "PaymentsTopic"),
];

/// The function `relay-payment-events`.
pub fn function() -> Function {
    dynamo::relay::function("relay-payment-events", GRANTS)
}
