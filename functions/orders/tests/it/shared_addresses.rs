//! `POST /api/orders` from an address that many people share, such as an office's
//! or a carrier's: what one of them does must not close it to the others.

use futures_util::future::join_all;
use orders::domain::Status;
use testkit::{Client, RecordedMetrics, new_id, status::*};

use crate::{
    external_events::ExternalEvents,
    fixture::{TestOrders, order_body, order_id},
    order_limits::{decline, retry_after, try_order, wait},
    stub_catalog::Fault,
};

/// Places as many orders for each of some fresh accounts, and only then has all
/// payments declined: so nobody waits in between.
async fn decline_many(orders: &TestOrders, accounts: usize, each: usize) -> Vec<Client> {
    let clients = (0..accounts).map(|_| orders.client_of(new_id()).as_unverified());
    let clients: Vec<Client> = clients.collect();
    let mut placed = Vec::new();
    for client in &clients {
        for _ in 0..each {
            let reply = try_order(orders, client, "pm_card_chargeDeclined", CREATED).await;
            placed.push(order_id(&reply));
        }
    }
    for id in placed {
        let order = orders.find(id).await.order;
        let events = ExternalEvents::new(orders, &order);
        orders.advance(&[&events.declined]).await;
        let ended = orders.find(id).await.order;
        assert_eq!(ended.status, Status::PaymentFailed);
    }
    clients
}

#[tokio::test]
async fn thirty_declines_at_an_address_stop_fresh_accounts_and_no_verified_colleague() {
    let orders = TestOrders::new().await;
    decline_many(&orders, 5, 6).await;
    let colleague = orders.client_of(new_id());
    for _ in 0..3 {
        try_order(&orders, &colleague, "pm_card_visa", CREATED).await;
    }
    let metrics = RecordedMetrics::begin();
    let fresh = orders.client_of(new_id()).as_unverified();
    let reply = try_order(&orders, &fresh, "pm_card_visa", TOO_MANY_REQUESTS).await;
    assert_eq!(retry_after(&reply), 15 * 60);
    let refused = "OrdersRefused[Limit=declined_address]";
    assert_eq!(metrics.take().get(refused), Some(&1.0));
    wait(&orders, 15 * 60);
    try_order(&orders, &fresh, "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn a_verified_buyer_whose_own_payment_was_declined_waits_with_the_others() {
    let orders = TestOrders::new().await;
    let client = orders.client_of(new_id());
    decline(&orders, &client, "pm_card_chargeDeclined").await;
    decline_many(&orders, 5, 6).await;
    try_order(&orders, &client, "pm_card_visa", TOO_MANY_REQUESTS).await;
    // Elsewhere a single decline is what happens to everybody.
    let elsewhere = client.from_ip("198.51.100.77");
    try_order(&orders, &elsewhere, "pm_card_visa", CREATED).await;
    wait(&orders, 15 * 60);
    try_order(&orders, &client, "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn the_declines_of_an_address_count_for_an_hour() {
    let orders = TestOrders::new().await;
    decline_many(&orders, 5, 6).await;
    wait(&orders, 3601);
    // One more would make it wait again for 15 minutes if the others counted.
    let clients = decline_many(&orders, 1, 1).await;
    try_order(&orders, &clients[0], "pm_card_visa", CREATED).await;
}

#[tokio::test]
async fn the_open_orders_of_others_at_an_address_stop_no_verified_buyer() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "2")]).await;
    let fill = (0..20).map(|_| async {
        let client = orders.client_of(new_id()).as_unverified();
        try_order(&orders, &client, "pm_card_visa", CREATED).await
    });
    let placed = join_all(fill).await;
    let fresh = orders.client_of(new_id()).as_unverified();
    try_order(&orders, &fresh, "pm_card_visa", TOO_MANY_REQUESTS).await;
    // A person's own limit holds there as everywhere.
    let colleague = orders.client_of(new_id());
    let own = try_order(&orders, &colleague, "pm_card_visa", CREATED).await;
    try_order(&orders, &colleague, "pm_card_visa", CREATED).await;
    try_order(&orders, &colleague, "pm_card_visa", TOO_MANY_REQUESTS).await;

    // There was no room to count them as open, but their declines count.
    for reply in [&own, &placed[0]] {
        let order = orders.find(order_id(reply)).await.order;
        let events = ExternalEvents::new(&orders, &order);
        orders.advance(&[&events.declined]).await;
    }
    try_order(&orders, &fresh, "pm_card_visa", CREATED).await;
    try_order(&orders, &fresh, "pm_card_visa", TOO_MANY_REQUESTS).await;
}

/// The goods of the first attempt are reserved; a refusal of the second, from an
/// address that has to wait, says nothing about them.
#[tokio::test]
async fn a_refused_retry_leaves_the_goods_of_the_first_attempt_counted() {
    let orders = TestOrders::with(&[("OPEN_ORDERS_PER_PERSON", "1")]).await;
    let waiting = "198.51.100.77";
    for _ in 0..20 {
        let client = orders.client_of(new_id()).from_ip(waiting).as_unverified();
        decline(&orders, &client, "pm_card_chargeDeclined").await;
    }
    let user = new_id();
    let product = orders.catalog.add_product(1_000, 2);
    let (client, body) = (orders.customer(user, "key"), order_body(&[(product, 1)]));
    let client = client.as_unverified();
    orders.catalog.fail(Fault::ClosedAfterRun, 3);
    client.post("/api/orders", &body, SERVICE_UNAVAILABLE).await;
    assert_eq!(orders.catalog.stock(product), 1);
    for _ in 0..3 {
        wait(&orders, 1);
        let elsewhere = client.from_ip(waiting);
        elsewhere
            .post("/api/orders", &body, TOO_MANY_REQUESTS)
            .await;
    }
    let other = orders.client_of(user).as_unverified();
    try_order(&orders, &other, "pm_card_visa", TOO_MANY_REQUESTS).await;
    assert_eq!(orders.catalog.reservations().len(), 21);

    // The order itself goes ahead: it has the only place.
    let placed = client.post("/api/orders", &body, CREATED).await;
    assert_eq!(orders.catalog.stock(product), 1, "reserved once");
    try_order(&orders, &other, "pm_card_visa", TOO_MANY_REQUESTS).await;
    let order = orders.find(order_id(&placed)).await.order;
    let events = ExternalEvents::new(&orders, &order);
    let paid = [&events.authorized, &events.committed, &events.captured];
    orders.advance(&paid).await;
    try_order(&orders, &other, "pm_card_visa", CREATED).await;
}
