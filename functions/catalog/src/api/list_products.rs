//! `GET /api/products`: lists and searches products.

use std::sync::Arc;

use dynamo::CursorKey;
use kernel::{
    Currency, Limit, Page,
    input::{FieldErrors, Fields, FromInput, Value},
};
use runtime::{
    Environment, Function, Grant, grant,
    http::{Access, ApiError, Endpoint, FromQuery, PageQuery, Query, Reply, State},
};

use super::views::ProductView;
use crate::{
    App,
    app::shop_currency,
    domain::{Search, SearchTerms, Sort},
    store::SearchPage,
};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable/index/by-name"),
    grant("dynamodb:Query", "CatalogTable/index/by-price"),
];

const SEARCH_LENGTH_MAX: usize = 200;

pub fn function() -> Function {
    Endpoint::new("list-products", Access::Public, GRANTS)
        .get("/api/products", list_products)
        .start(ListProducts::start)
}

struct ListProducts {
    app: App,
    cursors: CursorKey,
    shop_currency: Currency,
}

impl ListProducts {
    async fn start(environment: Environment) -> Result<Self, runtime::Error> {
        Ok(Self {
            cursors: CursorKey::from_environment(&environment)?,
            shop_currency: shop_currency(&environment)?,
            app: App::start(environment).await?,
        })
    }
}

struct ListProductsQuery {
    terms: SearchTerms,
    limit: Limit,
    cursor: Option<String>,
}

impl FromQuery for ListProductsQuery {
    fn from_query(mut fields: Fields<'_>) -> Result<Self, FieldErrors> {
        let terms = SearchTerms {
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
            "price" => Ok(Self::PriceAscending),
            "-price" => Ok(Self::PriceDescending),
            "name" => Ok(Self::Name),
            _ => Err(FieldErrors::new("must be newest, price, -price or name")),
        }
    }
}

async fn list_products(
    State(state): State<Arc<ListProducts>>,
    Query(query): Query<ListProductsQuery>,
) -> Result<Reply, ApiError> {
    let limit = query.limit;
    let search = Search::plan(query.terms, state.shop_currency)?;
    let list = search.as_ref().map(Search::list_name).unwrap_or_default();
    let open = |cursor: String| state.cursors.open(&list, &cursor);
    let after = query.cursor.map(open).transpose()?;
    let found = match &search {
        Some(search) => {
            let catalog = &state.app.catalog;
            catalog.search_products(search, limit, after).await?
        }
        None => SearchPage::empty(),
    };
    let next = found.next;
    let page = Page {
        items: found.products.into_iter().map(ProductView::from).collect(),
        limit,
        next_cursor: next.and_then(|next| state.cursors.seal(&list, &next)),
    };
    Ok(Reply::page("products", &page).cacheable())
}
