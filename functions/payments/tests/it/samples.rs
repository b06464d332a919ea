use testkit::{StubReply, StubServer};

use crate::{
    fixture::TestPayments,
    relay_payment_events::{PUBLISHED, TOPIC_ARN},
};

#[tokio::test]
async fn every_function_replies_to_its_sample_as_expected() {
    let mut payments = TestPayments::new().await;
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    payments.table.set("AWS_ENDPOINT_URL_SNS", &sns.url);
    payments.table.set("TOPIC_ARN", TOPIC_ARN);
    let environment = payments.table.environment();
    testkit::check_samples(&payments::functions(), &environment).await;
    assert_eq!(payments.table.event_types().await, ["payment.authorized"]);
    assert_eq!(sns.bodies().len(), 1);
}

#[tokio::test]
async fn an_unknown_provider_prevents_the_start() {
    let mut payments = TestPayments::new().await;
    payments.table.set("PAYMENT_PROVIDER", "strype");
    let function = payments::events::process_payments::function();
    let started = function.start(payments.table.environment()).await;
    let error = started.err().unwrap();
    assert!(error.to_string().contains("PAYMENT_PROVIDER"), "{error}");
}
