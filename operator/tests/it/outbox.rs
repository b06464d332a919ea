//! `outbox`, and how the shop is found.

use kernel::SignedDuration;
use operator::{Command, Shop, place};

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn unsent_events_are_shown_with_their_age_and_sent_on_demand() {
    let fixture = Fixture::start().await;
    let id = fixture.place("pm_card_visa").await;
    fixture.clock.advance(SignedDuration::from_mins(3));
    let text = fixture.run(Command::Outbox { send: false }).await.unwrap();
    let line = "orders         1 unsent, the oldest for 3 min";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains(&format!("order.placed                 {id}")),
        "{text}"
    );

    let sent = fixture.json(Command::Outbox { send: true }).await;
    let swept = sent["swept"].to_string();
    assert!(swept.contains("-relay-order-events"), "{swept}");
    let text = fixture.run(Command::Outbox { send: false }).await.unwrap();
    assert!(text.contains("orders         0 unsent\n"), "{text}");
    assert_eq!(fixture.deliver_to("process-payments").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_on_this_machine_is_found_by_its_address() {
    let fixture = Fixture::start().await;
    let environment = place::local(fixture.local.url()).await.unwrap();
    let shop = Shop::open(&environment).unwrap();
    assert_eq!(
        shop.queues.keys().collect::<Vec<_>>(),
        fixture.shop.queues.keys().collect::<Vec<_>>()
    );
    let consumers = fixture.local.template().queues.iter();
    let consumers = consumers.filter(|queue| queue.dead_letter_queue.is_some());
    assert_eq!(shop.queues.len(), consumers.count());
    let outcome = operator::run(&shop, &Command::Outbox { send: false }, false).await;
    assert!(outcome.unwrap().text.contains("unsent"));

    let error = place::local("http://127.0.0.1:1").await.unwrap_err();
    assert!(error.to_string().contains("make dev"), "{error}");
}
