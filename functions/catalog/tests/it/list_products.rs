use std::collections::BTreeSet;

use contracts::calls::StockReservation;
use dynamo::{Expression, Key};
use kernel::{CategoryId, ProductId};
use serde_json::{Value, json};
use testkit::{Client, Reply, status::*};

use crate::fixture::TestCatalog;

async fn start() -> (TestCatalog, Client) {
    let catalog = TestCatalog::new().await;
    let client = catalog.client();
    (catalog, client)
}

async fn page(client: &Client, query: &str) -> Reply {
    client.get(&format!("/api/products?{query}"), OK).await
}

fn names(reply: &Reply) -> Vec<String> {
    let items = reply.body["data"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn search(client: &Client, query: &str) -> Vec<String> {
    names(&page(client, query).await)
}

/// Every page of a list.
async fn all(client: &Client, query: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    for _ in 0..100 {
        let reply = page(client, &format!("{query}&limit={limit}{cursor}")).await;
        let data = reply.body["data"].as_array().unwrap();
        assert!(data.len() <= limit);
        items.extend(data.clone());
        let pagination = &reply.body["meta"]["pagination"];
        match pagination["nextCursor"].as_str() {
            Some(next) => {
                assert_eq!(pagination["hasMore"], true);
                cursor = format!("&cursor={next}");
            }
            None => {
                assert_eq!(pagination["hasMore"], false);
                return items;
            }
        }
    }
    panic!("the pages do not end");
}

#[tokio::test]
async fn every_sort_order_and_page_size_lists_every_product_once() {
    let (catalog, client) = start().await;
    let category = catalog.category("Things", None).await;
    let mut created: Vec<(ProductId, i64, String)> = Vec::new();
    for n in 0..23_i64 {
        // Some prices and names are equal, and as text the prices would sort differently.
        let (price, name) = (
            [9, 10, 100, 2_000][n as usize % 4],
            format!("Thing {}", n % 5),
        );
        let body = json!({
            "name": name, "price": price, "categoryId": category, "tags": ["all"], "stock": 1
        });
        created.push((catalog.product_of(body).await, price, name));
    }
    let ids = |items: &[Value]| -> Vec<ProductId> {
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().parse().unwrap())
            .collect()
    };
    let expected: BTreeSet<ProductId> = created.iter().map(|(id, ..)| *id).collect();
    for scope in [
        "",
        &format!("category={category}"),
        "tag=all",
        "search=thing",
    ] {
        for sort in ["newest", "price", "-price", "name"] {
            for limit in [7, 23, 100] {
                let items = all(&client, &format!("{scope}&sort={sort}"), limit).await;
                let context = format!("{scope} {sort} {limit}");
                let ids = ids(&items);
                assert_eq!(ids.len(), 23, "{context}");
                assert_eq!(
                    ids.iter().copied().collect::<BTreeSet<_>>(),
                    expected,
                    "{context}"
                );
                let prices: Vec<_> = items.iter().map(|item| item["price"].as_i64()).collect();
                let names: Vec<_> = items.iter().map(|item| item["name"].as_str()).collect();
                let in_order = match sort {
                    "price" => prices.is_sorted(),
                    "-price" => prices.iter().rev().is_sorted(),
                    "name" => names.is_sorted(),
                    _ => ids.iter().rev().is_sorted(),
                };
                assert!(in_order, "{context}");
            }
        }
    }
}

#[tokio::test]
async fn a_full_last_page_has_no_next_page() {
    let (catalog, client) = start().await;
    for _ in 0..4 {
        catalog.product(1).await;
    }
    for query in [
        "limit=4",
        "limit=4&sort=price&minPrice=1",
        "limit=4&search=lamp&maxPrice=99",
    ] {
        let reply = page(&client, query).await;
        assert_eq!(names(&reply).len(), 4, "{query}");
        assert_eq!(
            reply.body["meta"]["pagination"]["hasMore"], false,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_category_includes_the_categories_below_it() {
    let (catalog, client) = start().await;
    let home = catalog.category("Home", None).await;
    let kitchen = catalog.category("Kitchen", Some(home)).await;
    let pans = catalog.category("Pans", Some(kitchen)).await;
    let other = catalog.category("Other", None).await;
    for (name, category) in [("A", home), ("B", kitchen), ("C", pans), ("D", other)] {
        catalog
            .product_of(json!({ "name": name, "categoryId": category, "tags": ["x"] }))
            .await;
    }
    let below = async |category, more: &str| {
        search(&client, &format!("category={category}&sort=name{more}")).await
    };
    assert_eq!(below(home, "").await, ["A", "B", "C"]);
    assert_eq!(below(kitchen, "").await, ["B", "C"]);
    assert_eq!(below(pans, "").await, ["C"]);
    assert_eq!(below(kitchen, "&tag=x").await, ["B", "C"]);
    assert_eq!(below(kitchen, "&tag=y").await, [""; 0]);
    assert_eq!(below(testkit::new_id::<CategoryId>(), "").await, [""; 0]);
}

#[tokio::test]
async fn a_search_finds_products_with_all_its_words() {
    let (catalog, client) = start().await;
    let category = catalog.category("Things", None).await;
    for (name, description, tags) in [
        ("Red desk lamp", "A lamp of steel", json!(["light"])),
        ("Café table", "Red oak, for two", json!(["wood"])),
        ("Blue lamps", "Two of them, for a desk", json!([])),
    ] {
        let body = json!({
            "name": name, "description": description, "tags": tags, "categoryId": category
        });
        catalog.product_of(body).await;
    }
    let matches = async |text: &str| search(&client, &format!("sort=name&search={text}")).await;
    assert_eq!(matches("lamp").await, ["Blue lamps", "Red desk lamp"]);
    assert_eq!(matches("LAMPS+desk").await, ["Blue lamps", "Red desk lamp"]);
    assert_eq!(matches("desk+red").await, ["Red desk lamp"]);
    assert_eq!(matches("red").await, ["Café table", "Red desk lamp"]);
    assert_eq!(matches("cafe").await, ["Café table"]);
    assert_eq!(matches("caf%C3%A9+the+oak").await, ["Café table"]);
    assert_eq!(matches("light").await, ["Red desk lamp"]);
    assert_eq!(matches("red+green").await, [""; 0]);
    assert_eq!(matches("the").await, [""; 0]);
    assert_eq!(matches("lam").await, [""; 0]);
    let narrow = format!("search=red&tag=wood&category={category}&minPrice=10&maxPrice=10");
    assert_eq!(search(&client, &narrow).await, ["Café table"]);
}

#[tokio::test]
async fn a_price_range_is_inclusive_in_every_sort_order() {
    let (catalog, client) = start().await;
    let category = catalog.category("Things", None).await;
    for (name, price, currency) in [
        ("A", "9.99", "USD"),
        ("B", "10", "USD"),
        ("C", "19.99", "USD"),
        ("D", "100", "USD"),
        ("E", "15", "EUR"),
    ] {
        let price: Value = serde_json::from_str(price).unwrap();
        let body = json!({
            "name": name, "price": price, "currency": currency, "categoryId": category,
            "description": "thing", "tags": ["x"]
        });
        catalog.product_of(body).await;
    }
    for scope in [
        "",
        "&tag=x",
        "&search=thing",
        &format!("&category={category}"),
    ] {
        for sort in ["newest", "price", "-price", "name"] {
            let range = async |range: &str| {
                let query = format!("sort={sort}{scope}&{range}");
                let mut names = search(&client, &query).await;
                if matches!(sort, "newest" | "-price") {
                    names.reverse();
                }
                names.concat()
            };
            // E is in no range: amounts of other currencies are not compared.
            assert_eq!(
                range("minPrice=10&maxPrice=19.99").await,
                "BC",
                "{scope} {sort}"
            );
            assert_eq!(range("minPrice=10").await, "BCD", "{scope} {sort}");
            assert_eq!(range("maxPrice=19.98").await, "AB", "{scope} {sort}");
            assert_eq!(
                range("minPrice=20&maxPrice=99.99").await,
                "",
                "{scope} {sort}"
            );
            assert_eq!(
                range("minPrice=0&maxPrice=1000000").await,
                "ABCD",
                "{scope} {sort}"
            );
        }
    }
}

#[tokio::test]
async fn a_rare_match_is_reached_through_pages_that_may_be_empty() {
    let (catalog, client) = start().await;
    let category = catalog.category("Things", None).await;
    let rare = json!({ "name": "Needle", "price": 5, "categoryId": category });
    let rare = catalog.product_of(rare).await;
    let hay = json!({ "name": "Hay", "price": 6, "categoryId": category });
    for _ in 0..310 {
        catalog.product_of(hay.clone()).await;
    }
    let first = page(&client, "maxPrice=5").await;
    assert_eq!(
        names(&first).len(),
        0,
        "a page reads a limited number of entries"
    );
    assert_eq!(first.body["meta"]["pagination"]["hasMore"], true);
    let items = all(&client, "maxPrice=5", 20).await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["id"], json!(rare));
    // Sorted by price, only the range is read.
    let sorted = page(&client, "maxPrice=5&sort=price").await;
    assert_eq!(names(&sorted), ["Needle"]);
    assert_eq!(sorted.body["meta"]["pagination"]["hasMore"], false);
}

#[tokio::test]
async fn inactive_products_are_neither_listed_nor_reserved() {
    let (catalog, client) = start().await;
    let (active, inactive) = (catalog.product(1).await, catalog.product(1).await);
    let deactivate = Expression::update("SET active = :no").value(":no", false);
    let key = Key::new(format!("PRODUCT#{inactive}"), "PRODUCT");
    let _: Value = catalog.table.table().update(key, deactivate).await.unwrap();
    let items = all(&client, "", 1).await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["id"], json!(active));
    let refused = catalog.reserve(testkit::new_id(), &[(inactive, 1)]).await;
    let StockReservation::Refused { shortages } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(shortages[0].available, None);
}

#[tokio::test]
async fn a_cursor_is_valid_only_for_its_own_list_and_unchanged() {
    let (catalog, client) = start().await;
    for _ in 0..3 {
        catalog.product(1).await;
    }
    let first = page(&client, "limit=1&sort=price").await;
    let cursor = first.body["meta"]["pagination"]["nextCursor"]
        .as_str()
        .unwrap()
        .to_owned();
    // The page size does not belong to the list.
    assert_eq!(
        search(&client, &format!("limit=2&sort=price&cursor={cursor}"))
            .await
            .len(),
        2
    );
    let mut changed = cursor.clone().into_bytes();
    let last = changed.len() - 2;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let invalid = [
        format!("sort=price&cursor={changed}"),
        format!("sort=price&cursor={cursor}x"),
        format!("sort=-price&cursor={cursor}"),
        format!("sort=price&minPrice=1&cursor={cursor}"),
        format!("sort=price&search=lamp&cursor={cursor}"),
        "sort=price&cursor=".to_owned(),
    ];
    for query in invalid {
        let reply = client
            .get(&format!("/api/products?{query}"), UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), ["cursor"], "{query}");
    }
}

#[tokio::test]
async fn the_invalid_parameter_is_reported() {
    let (_catalog, client) = start().await;
    let invalid = [
        ("category=x", "category"),
        ("minPrice=x", "minPrice"),
        ("minPrice=1e3", "minPrice"),
        ("maxPrice=1.001", "maxPrice"),
        ("maxPrice=-1", "maxPrice"),
        ("minPrice=2&maxPrice=1", "minPrice"),
        ("search=", "search"),
        ("tag=", "tag"),
        ("sort=cheap", "sort"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("color=red", "color"),
    ];
    for (query, field) in invalid {
        let reply = client
            .get(&format!("/api/products?{query}"), UNPROCESSABLE_ENTITY)
            .await;
        assert_eq!(reply.invalid_fields(), [field], "{query}");
    }
}

#[tokio::test]
async fn the_etag_of_a_page_changes_with_its_products() {
    let (catalog, client) = start().await;
    let lamp = catalog.product(3).await;
    let etag = page(&client, "").await.header("etag").unwrap().to_owned();
    let conditional = client.with_header("if-none-match", &etag);
    conditional.get("/api/products", NOT_MODIFIED).await;
    catalog.hold(&[(lamp, 1)]).await;
    conditional.get("/api/products", OK).await;
}
