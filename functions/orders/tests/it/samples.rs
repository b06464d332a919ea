use kernel::{Currency, Money};
use testkit::{StubReply, StubServer};

use crate::{fixture::TestOrders, relay_order_events::PUBLISHED};

#[tokio::test]
async fn every_function_replies_to_its_sample_as_expected() {
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    let orders = TestOrders::publishing_to(&sns).await;
    // The product in the sample of place-order.
    let product = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let price = Money::new(1_999, Currency::USD).unwrap();
    orders.catalog.add_product_as(product, price, 9);
    testkit::check_samples(&orders::functions(), &orders.table.environment()).await;
    assert_eq!(sns.bodies().len(), 1, "the event in the relay's sample");
}
