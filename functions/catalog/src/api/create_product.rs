//! `POST /api/products`: adds a product.

use std::sync::Arc;

use contracts::{Envelope, events::ProductCreated};
use dynamo::{CommitError, StoreError};
use kernel::{Clock, Currency, ProductId, input::FieldErrors};
use runtime::{
    Environment, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, Json, Reply, RequestCause, State},
};

use super::views::ProductView;
use crate::{
    App,
    domain::{NewProduct, Product},
    shop_currency,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:ConditionCheckItem", "CatalogTable"),
];

/// The function `create-product`.
pub fn function() -> Function {
    function_at(Clock::System)
}

/// The same with a clock of one's own.
pub fn function_at(clock: Clock) -> Function {
    Endpoint::new("create-product", Access::AdminOrInternal, GRANTS)
        .post("/api/products", create_product)
        .start(move |environment| Creating::start(environment, clock.clone()))
}

/// What making products needs.
pub struct Creating {
    app: App,
    shop_currency: Currency,
}

impl Creating {
    async fn start(environment: Environment, clock: Clock) -> Result<Arc<Self>, runtime::Error> {
        Ok(Arc::new(Self {
            shop_currency: shop_currency(&environment)?,
            app: App::start_at(environment, clock).await?,
        }))
    }
}

/// Why a product is not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateProductError {
    /// The category it is to be in is not there.
    #[error("there is no such category")]
    CategoryMissing,
    /// Its price is not one.
    #[error("the price is not acceptable")]
    Price(FieldErrors),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a product and gives it with 201.
pub async fn create_product(
    State(creating): State<Arc<Creating>>,
    RequestCause(cause): RequestCause,
    Json(input): Json<NewProduct>,
) -> Result<Reply, ApiError> {
    let Creating { app, shop_currency } = &*creating;
    let price = input
        .price_in(*shop_currency)
        .map_err(CreateProductError::Price)?;
    let category = app.store.category(input.category_id).await?;
    let category = category.ok_or(CreateProductError::CategoryMissing)?;
    let now = app.clock.now();
    let product = Product::create(testkit::new_id::<ProductId>(), input, price, &category, now);
    store(
        app,
        &product,
        &Envelope::new(&created(&product), now, &cause),
    )
    .await?;
    let location = format!("/api/products/{}", product.id);
    Ok(Reply::created(
        "product created",
        &location,
        &ProductView::from(product),
    ))
}

fn created(product: &Product) -> ProductCreated {
    ProductCreated {
        product_id: product.id,
        name: product.name.clone(),
        price: product.price,
        category_id: product.category_id,
        stock: product.stock,
    }
}

async fn store(app: &App, product: &Product, event: &Envelope) -> Result<(), CreateProductError> {
    match app.store.create_product(product, event).await {
        Ok(()) => Ok(()),
        // The id is new, so a product that stands there is this one, written
        // by an earlier try whose answer was lost.
        Err(CommitError::ConditionFailed(refused)) if refused.names("product") => Ok(()),
        Err(CommitError::ConditionFailed(_)) => Err(CreateProductError::CategoryMissing),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
