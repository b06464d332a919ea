//! Writes that are repeated because their reply was lost: the store recognises
//! its own earlier success by the item that makes the condition fail.

use catalog::{
    domain::{Category, NewCategory, Operation, Product},
    store::{AdjustError, Adjusted, CreateCategoryError, CreateProductError},
};
use contracts::{
    Envelope,
    events::{CategoryCreated, StockAdjusted},
};
use dynamo::{Key, idempotency::Claim};
use serde_json::Value;

use crate::fixture::TestCatalog;

/// Without an idempotency key.
const NO_KEY: Option<(&Claim, &Value)> = None;

#[tokio::test]
async fn a_repeated_stock_adjustment_is_applied_once() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let current = catalog.store.product(lamp).await.unwrap().unwrap();
    let adjusted = |stock| {
        catalog.table.event(&StockAdjusted {
            product_id: lamp,
            previous_stock: 5,
            stock,
            approximate: false,
        })
    };
    let (own, other) = (adjusted(8), adjusted(9));
    let set = async |quantity, event| {
        let adjusted = Adjusted {
            product: &current,
            operation: Operation::Set,
            quantity,
            in_shards: 0,
            is_exact: true,
            event,
        };
        let reply = None::<(&dynamo::idempotency::Claim, &())>;
        catalog.store.adjust_stock(&adjusted, reply).await
    };
    for _ in 0..2 {
        set(8, &own).await.unwrap();
    }
    let conflict = set(9, &other).await;
    assert!(matches!(conflict, Err(AdjustError::Changed)));
    let product = catalog.store.product(lamp).await.unwrap().unwrap();
    assert_eq!((product.stock, product.version), (8, current.version + 1));
}

#[tokio::test]
async fn a_repeated_category_is_told_from_another_with_its_name() {
    let catalog = TestCatalog::new().await;
    let (own, twin) = (category(&catalog), category(&catalog));
    let event = created(&catalog, &own);
    for _ in 0..2 {
        catalog
            .store
            .create_category(&own, &event, NO_KEY)
            .await
            .unwrap();
    }
    let event = created(&catalog, &twin);
    let conflict = catalog.store.create_category(&twin, &event, NO_KEY).await;
    assert!(matches!(conflict, Err(CreateCategoryError::NameTaken)));
    assert_eq!(catalog.store.categories().await.unwrap(), [own]);
    let count = Key::new("CATEGORIES_COUNT", "COUNT");
    let count: Option<Value> = catalog.table.table().get(count).await.unwrap();
    assert_eq!(count.unwrap()["categories"], 1);
}

fn category(catalog: &TestCatalog) -> Category {
    let input = NewCategory {
        name: "Lamps".into(),
        description: None,
        parent_id: None,
    };
    let now = catalog.table.clock().now();
    Category::create(testkit::new_id(), input, None, now).unwrap()
}

fn created(catalog: &TestCatalog, category: &Category) -> Envelope {
    catalog.table.event(&CategoryCreated {
        category_id: category.id,
        name: category.name.clone(),
        parent_id: None,
    })
}

#[tokio::test]
async fn a_repeated_product_is_told_from_one_without_a_category() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(5).await;
    let product = catalog.store.product(lamp).await.unwrap().unwrap();
    let event = catalog.table.events().await.pop().unwrap();
    catalog.hold(&[(lamp, 1)]).await;
    let repeated = catalog.store.create_product(&product, &event, NO_KEY).await;
    assert!(repeated.is_ok());
    assert_eq!(catalog.stock(lamp).await, 4, "it was not written again");

    let orphan = Product {
        id: testkit::new_id(),
        category_id: testkit::new_id(),
        ..product
    };
    let refused = catalog.store.create_product(&orphan, &event, NO_KEY).await;
    assert!(matches!(refused, Err(CreateProductError::CategoryMissing)));
    assert_eq!(catalog.store.product(orphan.id).await.unwrap(), None);
}
