//! `relay-payment-events`: publishes the events of the outbox.

use runtime::{Function, Grant, grant};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "PaymentsTable"),
    grant("dynamodb:BatchGetItem", "PaymentsTable"),
    grant("dynamodb:UpdateItem", "PaymentsTable"),
    grant("dynamodb:Query", "PaymentsTable/index/unsent"),
    grant("sns:Publish", "PaymentsTopic"),
];

pub fn function() -> Function {
    dynamo::relay::function("relay-payment-events", GRANTS)
}
