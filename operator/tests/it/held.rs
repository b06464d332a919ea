//! `check` compares what products count as held with their reservations.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::Outcome;
use operator::check::{self, Pass, Position, check, step};

use crate::fixture::Fixture;

/// Sets a number of the product or, with its number, of a shard of it.
async fn set(fixture: &Fixture, shard: Option<u32>, name: &str, value: i64) {
    let id = &fixture.product;
    let (pk, sk) = match shard {
        None => (format!("PRODUCT#{id}"), "PRODUCT"),
        Some(shard) => (format!("STOCK#{id}#{shard}"), "STOCK"),
    };
    let mut item = fixture.item("catalog", &pk, sk).await;
    item.insert(name.to_owned(), AttributeValue::N(value.to_string()));
    fixture.plant("catalog", item).await;
}

async fn sentences(fixture: &Fixture) -> Vec<String> {
    let outcome = check(&fixture.shop, None).await.unwrap();
    let found = outcome.findings().iter();
    let about = format!("product {}", fixture.product);
    found
        .map(|one| {
            assert_eq!(one.about, about, "{outcome}");
            format!("{}: {}", one.code, one.sentence)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_a_product_that_its_reservations_do_not_have_are_found() {
    let fixture = Fixture::start().await;
    fixture.place("pm_card_visa").await;
    fixture.settle().await;
    let id = fixture.place("pm_card_visa").await;
    // As if the buyer had not proven the address.
    let pk = format!("RESERVATION#{id}");
    let mut item = fixture.item("catalog", &pk, "RESERVATION").await;
    item.insert("unverified".into(), AttributeValue::Bool(true));
    fixture.plant("catalog", item).await;
    set(&fixture, None, "held_unverified", 1).await;
    let outcome = check(&fixture.shop, None).await.unwrap();
    assert_eq!(outcome.findings(), [], "{outcome}");
    let text = outcome.to_string();
    for part in [
        "goods: 8 available, 1 held, 1 sold\n",
        "on hand: 9, of which 1 are counted as held\n",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    for (name, wrong, sentence) in [
        (
            "held",
            3,
            "held_differs: it counts 3 (1 unverified) as held, its reservations hold \
             1 (1 unverified): what is on hand is 2 too high",
        ),
        (
            "held",
            0,
            "held_differs: it counts 0 (1 unverified) as held, its reservations hold \
             1 (1 unverified): what is on hand is 1 too low",
        ),
        (
            "held_unverified",
            2,
            "held_differs: it counts 1 (2 unverified) as held, its reservations hold \
             1 (1 unverified)",
        ),
    ] {
        set(&fixture, None, name, wrong).await;
        assert_eq!(sentences(&fixture).await, [sentence]);
        set(&fixture, None, name, 1).await;
    }
    set(&fixture, None, "held", -1).await;
    let found = sentences(&fixture).await;
    assert_eq!(found[0], "negative_stock: held is -1");
    assert!(
        found[1].contains("what is on hand is 2 too low"),
        "{found:?}"
    );
}

/// What came from a shard is counted there.
#[tokio::test(flavor = "multi_thread")]
async fn shards_count_with_their_product() {
    let fixture = Fixture::start().await;
    set(&fixture, None, "stock", 100).await;
    fixture.place("pm_card_visa").await;
    let id = fixture.product.parse().unwrap();
    let product = fixture.shop.catalog.product(id).await.unwrap().unwrap();
    let now = fixture.clock.now();
    let opening = product.opening(now).unwrap();
    let opened = fixture.shop.catalog.open_shards(&product, &opening, now);
    assert_eq!(opened.await.unwrap(), Outcome::Committed);
    fixture.place("pm_card_visa").await;
    let shards = fixture.shop.catalog.shards(id, 0..96).await.unwrap();
    let taken = shards.iter().find(|shard| shard.held == 1).unwrap().number;

    let outcome = check(&fixture.shop, None).await.unwrap();
    assert_eq!(outcome.findings(), [], "{outcome}");
    let text = outcome.to_string();
    for part in [
        "goods: 98 available, 2 held, 0 sold\n",
        "on hand: 100, of which 2 are counted as held\n",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    set(&fixture, Some(taken), "held", 4).await;
    let found = sentences(&fixture).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("it counts 5 (0 unverified) as held"),
        "{found:?}"
    );
    set(&fixture, Some(taken), "held", 1).await;
    set(&fixture, Some(taken), "stock", -5).await;
    let expected = format!("negative_stock: stock of its shard {taken} is -5");
    assert_eq!(sentences(&fixture).await, [expected]);
}

/// Reads the catalogue while the product's number is wrong, as it looks when a
/// reservation is on another page, which was read earlier.
async fn read_with_a_wrong_number(fixture: &Fixture) -> Position {
    set(fixture, None, "held", 5).await;
    let mut position = Position::begin(fixture.clock.now());
    while position.pass != Pass::Held {
        step(&fixture.shop, &mut position).await.unwrap();
    }
    assert_eq!(position.held.len(), 1);
    let saved = serde_json::to_vec(&position).unwrap();
    serde_json::from_slice(&saved).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differed_on_the_pages_only_is_no_finding() {
    let fixture = Fixture::start().await;
    fixture.place("pm_card_visa").await;
    let mut position = read_with_a_wrong_number(&fixture).await;
    set(&fixture, None, "held", 1).await;
    step(&fixture.shop, &mut position).await.unwrap();
    assert_eq!((position.findings, position.not_compared), (vec![], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_changes_while_it_is_compared_is_no_finding_but_counted() {
    let fixture = Fixture::start().await;
    fixture.place("pm_card_visa").await;
    let mut position = read_with_a_wrong_number(&fixture).await;
    let selling = async {
        for version in 100.. {
            set(&fixture, None, "version", version).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        done = step(&fixture.shop, &mut position) => done.unwrap(),
        () = selling => unreachable!(),
    }
    assert_eq!((&*position.findings, position.not_compared), (&[][..], 1));
    let file = crate::fixture::new_file();
    std::fs::write(&file, serde_json::to_vec(&position).unwrap()).unwrap();
    let outcome = check::check(&fixture.shop, Some(&file)).await.unwrap();
    let text = outcome.to_string();
    assert!(
        text.contains("with their reservations: 1; check again"),
        "{text}"
    );
}
