//! `POST /api/products`: creates a product, once under an idempotency key.

use std::sync::Arc;

use contracts::{Envelope, events::ProductCreated};
use dynamo::idempotency::Claim;
use kernel::{Cause, Currency, Money};
use runtime::{
    Environment, Function, Grant, grant,
    http::{
        Access, ApiError, Endpoint, MaybeIdempotent, Reply, RequestCause, RequestInfo, State,
        StoredReply,
    },
};

use super::{
    keyed::{Failed, Keyed},
    views::ProductView,
};
use crate::{
    App,
    app::shop_currency,
    domain::{NewProduct, Product},
    store::CreateProductError,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:DeleteItem", "CatalogTable"),
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
    info: RequestInfo,
    request: MaybeIdempotent<NewProduct>,
) -> Result<StoredReply, ApiError> {
    let keyed = Keyed::new(&state.app, &cause, "POST /api/products", &request);
    let price = request.input.resolve_price(state.shop_currency)?;
    let claim = match keyed.begin().await? {
        Ok(claim) => claim,
        Err(reply) => return Ok(reply),
    };
    let created = state.create(&request.input, price, claim.as_ref(), &info, &cause);
    match created.await {
        Ok(reply) => Ok(reply),
        Err(failed) => keyed.fail(claim, failed).await,
    }
}

impl CreateProduct {
    async fn create(
        &self,
        input: &NewProduct,
        price: Money,
        claim: Option<&Claim>,
        info: &RequestInfo,
        cause: &Cause,
    ) -> Result<StoredReply, Failed> {
        let app = &self.app;
        let category = app.catalog.category(input.category_id).await;
        let category = category.map_err(CreateProductError::from)?;
        let category = category.ok_or(CreateProductError::CategoryMissing)?;
        let now = app.host.now();
        // Whoever takes the claim over creates the same product.
        let id = claim.map_or_else(|| app.host.new_id(), |claim| claim.subject.into());
        let product = Product::create(id, input.clone(), price, &category, now);
        let created = ProductCreated {
            product_id: product.id,
            name: product.name.clone(),
            price: product.price,
            category_id: product.category_id,
            stock: product.stock,
        };
        let event = Envelope::new(&created, app.host.stamp(now, cause));
        let location = format!("/api/products/{id}");
        let view = ProductView::from(product.clone());
        let reply = Reply::created("product created", &location, &view).into_stored(info)?;
        let keyed = claim.map(|claim| (claim, &reply));
        app.catalog.create_product(&product, &event, keyed).await?;
        Ok(reply)
    }
}
