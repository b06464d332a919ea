//! `GET /api/products`: lists and searches products.

use std::sync::Arc;

use dynamo::CursorKey;
use kernel::{
    Clock, Currency, Limit, Page,
    input::{Fields, FromInput, FieldErrors, Value},
};
use runtime::{
    Environment, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, FromQuery, PageQuery, Query, Reply, State},
};

use super::views::ProductView;
use crate::{
    App,
    domain::{Search, Sort, Terms},
    shop_currency,
    store::Found,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable/index/by-name"),
    grant("dynamodb:Query", "CatalogTable/index/by-price"),
];

/// Characters of what is searched for.
const SEARCH_LENGTH_MAX: usize = 200;

/// The function `list-products`.
pub fn function() -> Function {
    Endpoint::new("list-products", Access::Public, GRANTS)
        .get("/api/products", list_products)
        .start(Listing::start)
}

/// What listing products needs.
pub struct Listing {
    app: App,
    cursors: CursorKey,
    shop_currency: Currency,
}

impl Listing {
    async fn start(environment: Environment) -> Result<Arc<Self>, runtime::Error> {
        Ok(Arc::new(Self {
            cursors: CursorKey::from_environment(&environment)?,
            shop_currency: shop_currency(&environment)?,
            app: App::start_at(environment, Clock::System).await?,
        }))
    }
}

/// Which products, and which page of them.
#[derive(Debug)]
pub struct ListProducts {
    terms: Terms,
    limit: Limit,
    cursor: Option<String>,
}

impl FromQuery for ListProducts {
    fn from_query(mut fields: Fields<'_>) -> Result<Self, FieldErrors> {
        let terms = Terms {
            category: fields.optional("category"),
            tag: fields.optional("tag"),
            search: fields.optional_with("search", |v| v.trimmed(1..=SEARCH_LENGTH_MAX)),
            min_price: fields.optional("minPrice"),
            max_price: fields.optional("maxPrice"),
            sort: fields.optional("sort").unwrap_or_default(),
        };
        let PageQuery { limit, cursor } = PageQuery::read(&mut fields);
        fields.finish(|| {
            Some(Self {
                terms,
                limit,
                cursor,
            })
        })
    }
}

impl FromInput for Sort {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        match &*value.text()? {
            "newest" => Ok(Self::Newest),
            "price" => Ok(Self::PriceUp),
            "-price" => Ok(Self::PriceDown),
            "name" => Ok(Self::Name),
            _ => Err(FieldErrors::new("must be newest, price, -price or name")),
        }
    }
}

/// Gives a page of the products that have everything that is asked for.
pub async fn list_products(
    State(listing): State<Arc<Listing>>,
    Query(query): Query<ListProducts>,
) -> Result<Reply, ApiError> {
    let ListProducts {
        terms,
        limit,
        cursor,
    } = query;
    let search = Search::plan(terms, listing.shop_currency)?;
    let name = search.as_ref().map(Search::name).unwrap_or_default();
    let after = cursor
        .map(|cursor| listing.cursors.open(&name, &cursor))
        .transpose()?;
    let found = match &search {
        Some(search) => {
            listing
                .app
                .store
                .find_products(search, limit, after)
                .await?
        }
        None => Found::nothing(),
    };
    let page = Page {
        items: found.products.into_iter().map(ProductView::from).collect(),
        limit,
        next_cursor: found
            .next
            .and_then(|next| listing.cursors.seal(&name, &next)),
    };
    Ok(Reply::page("products", &page).cacheable())
}
