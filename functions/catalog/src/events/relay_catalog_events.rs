//! `relay-catalog-events`: publishes the events of the outbox.

use runtime::{Function, Grant, grant};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable/index/unsent"),
    grant("sns:Publish", "CatalogTopic"),
];

pub fn function() -> Function {
    dynamo::relay::function("relay-catalog-events", GRANTS)
}
