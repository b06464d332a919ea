//! Writes whose answer was lost, and that are made again: the second is
//! refused, and the refusal is known for one's own earlier success.

use catalog::{
    domain::{Category, NewCategory, Product},
    store::CreateCategoryRefusal,
};
use contracts::events::{CategoryCreated, StockAdjusted};
use dynamo::{CommitError, ConditionFailed};
use kernel::{CategoryId, ProductId};

use crate::shop::Shop;

fn refusal(again: Result<(), CommitError>) -> ConditionFailed {
    match again {
        Err(CommitError::ConditionFailed(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stock_is_not_changed_twice() {
    let shop = Shop::open().await;
    let lamp = shop.product(5).await;
    let seen = shop.store().product(lamp).await.unwrap().unwrap();
    let adjusted = |stock| {
        shop.says(&StockAdjusted {
            product_id: lamp,
            previous_stock: 5,
            stock,
        })
    };
    let (mine, other) = (adjusted(8), adjusted(9));
    shop.store().adjust_stock(&seen, 8, &mine).await.unwrap();
    refusal(shop.store().adjust_stock(&seen, 8, &mine).await);
    refusal(shop.store().adjust_stock(&seen, 9, &other).await);
    assert!(shop.store().has_announced(lamp, &mine).await.unwrap());
    assert!(!shop.store().has_announced(lamp, &other).await.unwrap());
    assert_eq!(shop.stock(lamp).await, 8);
}

#[tokio::test]
async fn a_category_knows_its_own_name() {
    let shop = Shop::open().await;
    let make = || {
        let input = NewCategory {
            name: "Lamps".into(),
            description: None,
            parent_id: None,
        };
        let id = testkit::new_id::<CategoryId>();
        Category::create(id, input, None, shop.clock.now()).unwrap()
    };
    let event = |category: &Category| {
        shop.says(&CategoryCreated {
            category_id: category.id,
            name: category.name.clone(),
            parent_id: None,
        })
    };
    let (mine, other) = (make(), make());
    let said = event(&mine);
    shop.store().create_category(&mine, &said).await.unwrap();
    let again = refusal(shop.store().create_category(&mine, &said).await);
    let again = CreateCategoryRefusal::of(&again, mine.id).unwrap();
    assert_eq!(again, CreateCategoryRefusal::Done);
    let twin = shop.store().create_category(&other, &event(&other)).await;
    let twin = CreateCategoryRefusal::of(&refusal(twin), other.id).unwrap();
    assert_eq!(twin, CreateCategoryRefusal::NameTaken);
    assert_eq!(shop.store().categories().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_product_is_refused_as_itself_and_not_for_its_category() {
    let shop = Shop::open().await;
    let lamp = shop.product(5).await;
    let product = shop.store().product(lamp).await.unwrap().unwrap();
    let said = shop.table.events().await.pop().unwrap();
    let again = refusal(shop.store().create_product(&product, &said).await);
    assert!(again.names("product") && !again.names("category"));

    let orphan = Product {
        id: testkit::new_id::<ProductId>(),
        category_id: testkit::new_id::<CategoryId>(),
        ..product
    };
    let refused = refusal(shop.store().create_product(&orphan, &said).await);
    assert!(refused.names("category") && !refused.names("product"));
    assert_eq!(shop.store().product(orphan.id).await.unwrap(), None);
}
