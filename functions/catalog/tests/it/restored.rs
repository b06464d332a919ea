//! A table that was restored from an earlier time, until it is reconciled.

use catalog::{api::reserve_stock, domain::HOLD_PERIOD, events::expire_reservations};
use dynamo::Expression;
use runtime::{Context, LambdaEvent};
use serde_json::{json, value::to_raw_value};

use crate::fixture::TestCatalog;

#[tokio::test]
async fn nothing_is_reserved_or_expires_until_a_restored_table_is_reconciled() {
    let catalog = TestCatalog::new().await;
    let lamp = catalog.product(10).await;
    catalog.hold(&[(lamp, 3)]).await;
    catalog.advance(HOLD_PERIOD);
    let mark = json!({ "pk": "RESTORED", "sk": "RESTORED" });
    let table = catalog.table.table();
    table.put(&mark, Expression::default()).await.unwrap();

    let environment = catalog.table.environment();
    let expire = catalog.table.start(&expire_reservations::function()).await;
    let event = to_raw_value(&json!({ "source": "aws.scheduler" })).unwrap();
    let failed = expire(LambdaEvent::new(event, Context::default())).await;
    let failed = failed.expect_err("nothing expires").to_string();
    assert!(failed.contains("not reconciled"), "{failed}");
    let refused = reserve_stock::function().start(environment.clone()).await;
    let refused = refused.err().expect("an instance does not start");
    assert!(refused.to_string().contains("not reconciled"), "{refused}");
    assert_eq!(catalog.stock(lamp).await, 7);

    for _ in 0..2 {
        catalog.store.set_reconciled().await.unwrap();
    }
    assert_eq!(catalog.expire().await, 1);
    assert!(reserve_stock::function().start(environment).await.is_ok());
    assert_eq!(catalog.stock(lamp).await, 10);
}
