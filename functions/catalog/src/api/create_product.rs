//! `POST /api/products`: creates a product.

use std::sync::Arc;

use contracts::{Envelope, events::ProductCreated};
use kernel::Currency;
use runtime::{
    Environment, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::views::ProductView;
use crate::{
    App,
    app::shop_currency,
    domain::{NewProduct, Product},
    store::CreateProductError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:ConditionCheckItem", "CatalogTable"),
];

pub fn function() -> Function {
    Endpoint::new("create-product", Access::AdminOrInternal, GRANTS)
        .post("/api/products", create_product)
        .start(CreateProduct::start)
}

struct CreateProduct {
    app: App,
    shop_currency: Currency,
}

impl CreateProduct {
    async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        Ok(Self {
            shop_currency: shop_currency(&environment)?,
            app: App::start(environment).await?,
        })
    }
}

async fn create_product(
    State(state): State<Arc<CreateProduct>>,
    RequestCause(cause): RequestCause,
    Json(input): Json<NewProduct>,
) -> Result<Reply, ApiError> {
    let CreateProduct { app, shop_currency } = &*state;
    let price = input.resolve_price(*shop_currency)?;
    let category = app.catalog.category(input.category_id).await?;
    let category = category.ok_or(CreateProductError::CategoryMissing)?;
    let now = app.host.now();
    let product = Product::create(app.host.new_id(), input, price, &category, now);
    let created = ProductCreated {
        product_id: product.id,
        name: product.name.clone(),
        price: product.price,
        category_id: product.category_id,
        stock: product.stock,
    };
    let event = Envelope::new(&created, app.host.stamp(now, &cause));
    app.catalog.create_product(&product, &event).await?;
    let location = format!("/api/products/{}", product.id);
    let view = ProductView::from(product);
    Ok(Reply::created("product created", &location, &view))
}
