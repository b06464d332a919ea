//! `relay-catalog-events`: publishes the catalogue's events.

use runtime::{Function, Grant, grant};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable/index/unsent"),
    grant("sns:Publish", "CatalogTopic"),
];

/// The function `relay-catalog-events`.
pub fn function() -> Function {
    dynamo::relay::function("relay-catalog-events", GRANTS)
}
