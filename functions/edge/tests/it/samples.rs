use crate::fixture::TestEdge;

#[tokio::test]
async fn every_function_replies_to_its_sample_as_expected() {
    let edge = TestEdge::new().await;
    testkit::check_samples(&edge::functions(), &edge.table.environment()).await;
}
