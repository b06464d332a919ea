//! Compares the meter with AWS's documented rules, on an embedded DynamoDB.

use std::sync::Arc;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use dynamo::{Expression, Index, IndexKey, Key, Table, TableSchema};
use runtime::Random;
use serde_json::json;
use testkit::TestTable;

use crate::{counts::Counts, meter::Meter, units::Units};

const SCHEMA: TableSchema = TableSchema {
    indexes: &[Index {
        name: "by-tag",
        partition: "tag",
        sort: IndexKey::Text("label"),
        projects_all: true,
    }],
};

/// A table that is accessed through a meter.
struct Metered {
    meter: Arc<Meter>,
    table: Table,
    /// Unmetered access to the same table.
    test: TestTable,
}

impl Metered {
    async fn open() -> Self {
        let test = TestTable::create(&SCHEMA).await;
        let meter = Meter::start().await.unwrap();
        let (environment, _) = meter.through(&test.environment(), "test");
        let client = runtime::aws::Aws::from_environment(&environment).unwrap();
        let table = Table::new(client.dynamodb(), test.table().name(), Random::system());
        Self { meter, table, test }
    }

    fn client(&self) -> &Client {
        self.table.client()
    }

    /// Writes an item of a given size, unmetered.
    async fn item(&self, sk: &str, bytes: usize) {
        let item = sized(sk, bytes);
        let everywhere = Expression::when("attribute_not_exists(sk) OR attribute_exists(sk)");
        self.test.table().put(&item, everywhere).await.unwrap();
    }

    /// The read and write units since the last call.
    fn units(&self) -> (f64, f64) {
        let Units { read, write } = self.meter.take().total();
        (read, write)
    }

    fn counts(&self) -> Counts {
        self.meter.take()
    }

    async fn get(&self, sk: &str, consistent: bool) -> (f64, f64) {
        let key = |text: &str| AttributeValue::S(text.to_owned());
        self.client()
            .get_item()
            .table_name(self.table.name())
            .key("pk", key("P"))
            .key("sk", key(sk))
            .consistent_read(consistent)
            .send()
            .await
            .unwrap();
        self.units()
    }
}

/// An item of exactly this size by AWS's rule: names and values in UTF-8.
fn sized(sk: &str, bytes: usize) -> serde_json::Value {
    let around = "pk".len() + "P".len() + "sk".len() + sk.len() + "text".len();
    json!({ "pk": "P", "sk": sk, "text": "x".repeat(bytes - around) })
}

fn always() -> Expression {
    Expression::when("attribute_not_exists(pk)")
}

#[tokio::test]
async fn a_read_costs_a_unit_per_4_kb_and_half_if_eventually_consistent() {
    let shop = Metered::open().await;
    shop.item("small", 4096).await;
    shop.item("large", 4097).await;
    assert_eq!(shop.get("small", true).await, (1.0, 0.0));
    assert_eq!(shop.get("small", false).await, (0.5, 0.0));
    assert_eq!(shop.get("large", true).await, (2.0, 0.0));
    assert_eq!(shop.get("large", false).await, (1.0, 0.0));
    // A missing item costs as much as the smallest existing one.
    assert_eq!(shop.get("missing", false).await, (0.5, 0.0));
}

#[tokio::test]
async fn a_transactional_read_costs_two_units() {
    let shop = Metered::open().await;
    shop.item("small", 4096).await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let get = aws_sdk_dynamodb::types::Get::builder()
        .table_name(shop.table.name())
        .key("pk", text("P"))
        .key("sk", text("small"))
        .build()
        .unwrap();
    let get = aws_sdk_dynamodb::types::TransactGetItem::builder()
        .get(get)
        .build();
    let sent = shop.client().transact_get_items().transact_items(get);
    sent.send().await.unwrap();
    assert_eq!(shop.units(), (2.0, 0.0));
}

#[tokio::test]
async fn items_of_a_batch_are_rounded_one_by_one_and_those_of_a_query_together() {
    let shop = Metered::open().await;
    for sk in ["a", "b", "c", "d"] {
        shop.item(sk, 1000).await;
    }
    let keys = ["a", "b", "c", "d"].map(|sk| Key::new("P", sk));
    let found: Vec<serde_json::Value> = shop.table.get_many(keys.into(), false).await.unwrap();
    assert_eq!((found.len(), shop.units()), (4, (2.0, 0.0)));
    let found: Vec<serde_json::Value> = shop.table.list("P", "", 10).await.unwrap();
    assert_eq!((found.len(), shop.units()), (4, (1.0, 0.0)));
}

#[tokio::test]
async fn a_write_costs_a_unit_per_kb_of_the_larger_of_old_and_new_item() {
    let shop = Metered::open().await;
    shop.table.put(&sized("a", 1024), always()).await.unwrap();
    assert_eq!(shop.units(), (0.0, 1.0));
    shop.table.put(&sized("b", 1025), always()).await.unwrap();
    assert_eq!(shop.units(), (0.0, 2.0));
    // Shrinking an item costs its old size.
    let shrink = Expression::update("SET #text = :text")
        .name("#text", "text")
        .value(":text", "x");
    let _: serde_json::Value = shop.table.update(Key::new("P", "b"), shrink).await.unwrap();
    assert_eq!(shop.units(), (0.0, 2.0));
    let there = Expression::when("attribute_exists(pk)");
    shop.table.delete(Key::new("P", "a"), there).await.unwrap();
    assert_eq!(shop.units(), (0.0, 1.0));
}

#[tokio::test]
async fn a_transaction_costs_each_item_twice_and_indexes_once() {
    let shop = Metered::open().await;
    let mut listed = sized("listed", 700);
    listed["tag"] = "new".into();
    listed["label"] = "a".into();
    let transaction = shop.table.transaction();
    let transaction = transaction
        .insert("one", &sized("one", 1024))
        .insert("two", &sized("two", 1025));
    transaction.commit().await.unwrap();
    assert_eq!(shop.units(), (0.0, 2.0 + 4.0));
    let transaction = shop.table.transaction().insert("listed", &listed);
    transaction.commit().await.unwrap();
    let counts = shop.counts();
    let of = |table: &str| {
        let found = counts.units.iter().find(|(place, _)| place.table == table);
        found.map(|(_, units)| units.write)
    };
    assert_eq!((of("test"), of("test/by-tag")), (Some(2.0), Some(1.0)));
}

#[tokio::test]
async fn an_index_costs_one_write_to_add_remove_or_change_an_entry_and_two_to_move_it() {
    let shop = Metered::open().await;
    shop.item("a", 200).await;
    let change = async |expression: &'static str| {
        let change = Expression::update(expression);
        let change = match expression.contains(":tag") {
            true => change.value(":tag", "new").value(":label", "a"),
            false if expression.contains(":label") => change.value(":label", "b"),
            false if expression.contains(":note") => change.value(":note", "n"),
            false => change,
        };
        let key = Key::new("P", "a");
        let _: serde_json::Value = shop.table.update(key, change).await.unwrap();
        shop.units().1
    };
    assert_eq!(change("SET tag = :tag, label = :label").await, 2.0, "added");
    assert_eq!(change("SET note = :note").await, 2.0, "changed");
    assert_eq!(change("SET label = :label").await, 3.0, "moved");
    assert_eq!(change("REMOVE tag").await, 2.0, "removed");
    assert_eq!(change("SET note = :note").await, 1.0, "not indexed");
}

#[tokio::test]
async fn a_rejected_write_costs_the_size_of_the_existing_item() {
    let shop = Metered::open().await;
    shop.item("large", 3000).await;
    let rejected = shop.table.put(&sized("large", 100), always()).await;
    assert!(rejected.is_err());
    assert_eq!(shop.units(), (0.0, 3.0));
    let there = || Expression::when("attribute_exists(pk)");
    let rejected = shop.table.delete(Key::new("P", "missing"), there()).await;
    assert!(rejected.is_err());
    assert_eq!(shop.units(), (0.0, 1.0));
}

#[tokio::test]
async fn a_rejected_transaction_costs_all_of_its_items() {
    let shop = Metered::open().await;
    shop.item("large", 3000).await;
    let transaction = shop.table.transaction();
    let rejected = transaction
        .insert("new", &sized("new", 1500))
        .insert("large", &sized("large", 100))
        .commit()
        .await;
    assert!(rejected.is_err());
    assert_eq!(shop.units(), (0.0, 2.0 * 2.0 + 2.0 * 3.0));
}

#[tokio::test]
async fn calls_are_attributed_to_their_function() {
    let shop = Metered::open().await;
    let (other, _) = shop.meter.through(&shop.test.environment(), "other");
    let client = runtime::aws::Aws::from_environment(&other).unwrap();
    let table = Table::new(client.dynamodb(), shop.table.name(), Random::system());
    shop.get("a", true).await;
    let _: Option<serde_json::Value> = table.get(Key::new("P", "a")).await.unwrap();
    let _: Option<serde_json::Value> = shop.table.peek(Key::new("P", "a")).await.unwrap();
    let counts = shop.counts();
    let of = |function: &str| {
        let units = counts.units.iter().filter(|(p, _)| p.function == function);
        units.map(|(_, units)| units.read).sum::<f64>()
    };
    assert_eq!((of("other"), of("test")), (1.0, 0.5));
    assert_eq!(counts.calls_of("dynamodb", "GetItem"), 2);
}
