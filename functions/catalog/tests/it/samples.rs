use testkit::{StubReply, StubServer};

use crate::{
    fixture::TestCatalog,
    relay_catalog_events::{PUBLISHED, TOPIC_ARN},
};

#[tokio::test]
async fn every_function_replies_to_its_sample_as_expected() {
    let sns = StubServer::start(|_, _| StubReply::Reply(200, PUBLISHED.into())).await;
    let variables = [
        ("AWS_ENDPOINT_URL_SNS", &*sns.url),
        ("TOPIC_ARN", TOPIC_ARN),
    ];
    let catalog = TestCatalog::with(&variables).await;
    let environment = catalog.table.environment();
    testkit::check_samples(&catalog::functions(), &environment).await;
    let events = catalog.table.event_types().await;
    assert_eq!(events, ["category.created", "stock.commit_rejected"]);
    assert_eq!(sns.bodies().len(), 1);
}
