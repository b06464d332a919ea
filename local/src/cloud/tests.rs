use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::*;

const STORES: &str = r"
Transform: AWS::Serverless-2016-10-31
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: user, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      GlobalSecondaryIndexes:
        - {IndexName: by-user, KeySchema: [{AttributeName: user, KeyType: HASH}], Projection: {ProjectionType: ALL}}
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: q, VisibilityTimeout: 1}}
  Topic: {Type: AWS::SNS::Topic}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties:
      Protocol: sqs
      TopicArn: !Ref Topic
      Endpoint: !GetAtt Queue.Arn
      RawMessageDelivery: true
      FilterPolicyScope: MessageBody
      FilterPolicy: {type: [order.placed]}
  Key: {Type: AWS::SecretsManager::Secret, Properties: {Name: /shop/internal-key, GenerateSecretString: {PasswordLength: 40}}}
  Seed: {Type: AWS::SecretsManager::Secret, Properties: {Name: /shop/seed, GenerateSecretString: {}}}
";

async fn start(text: &str, data: Option<&Path>) -> Result<Cloud, CloudError> {
    let environment: Environment = [("INTERNAL_KEY".to_owned(), "letmein".to_owned())]
        .into_iter()
        .collect();
    let template = Template::parse(text, &environment).unwrap();
    Cloud::start(&template, data.map(Path::to_owned), &environment).await
}

fn put(cloud: &Cloud, pk: &str) {
    let item = json!({"TableName": "orders", "Item": {"pk": {"S": pk}, "user": {"S": "u"}}});
    cloud
        .database
        .engine()
        .put_item(serde_json::from_value(item).unwrap())
        .unwrap();
}

#[tokio::test]
async fn data_and_secrets_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let first = start(STORES, Some(directory.path())).await.unwrap();
    put(&first, "one");
    let seed = first.secrets.value("seed").unwrap().to_owned();
    assert_eq!(first.secrets.value("internal-key"), Some("letmein"));
    first.stop().await;

    let second = start(STORES, Some(directory.path())).await.unwrap();
    assert_eq!(second.secrets.value("seed"), Some(seed.as_str()));
    let stats = second.database.engine().table_stats().unwrap();
    assert_eq!(stats.iter().map(|table| table.item_count).sum::<i64>(), 1);
    let kept = std::fs::read_to_string(directory.path().join("secrets.json")).unwrap();
    assert!(
        !kept.contains("letmein"),
        "what the environment gives is not kept"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory.path().join("secrets.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    second.stop().await;
}

#[tokio::test]
async fn data_of_another_template_is_refused_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    start(STORES, Some(directory.path()))
        .await
        .unwrap()
        .stop()
        .await;
    for (old, new, what) in [
        (
            "AttributeName: pk, KeyType: HASH",
            "AttributeName: user, KeyType: HASH",
            "the key schema",
        ),
        (
            "ProjectionType: ALL",
            "ProjectionType: KEYS_ONLY",
            "an index",
        ),
        (
            "StreamViewType: NEW_IMAGE",
            "StreamViewType: NEW_AND_OLD_IMAGES",
            "the stream",
        ),
    ] {
        let error = start(&STORES.replace(old, new), Some(directory.path()))
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.starts_with(&format!("table orders: {what} has changed")),
            "{error}"
        );
        assert!(error.ends_with("remove it or use EPHEMERAL=1"), "{error}");
    }
}

#[tokio::test]
async fn a_change_is_noticed_at_once_and_read_as_a_stream_record() {
    let cloud = start(STORES, None).await.unwrap();
    let mut changes = cloud.database.changes();
    tokio::time::sleep(Duration::from_millis(300)).await;
    changes.mark_unchanged();
    let position = cloud
        .database
        .stream_position("orders", None, false)
        .unwrap();
    let written = Instant::now();
    put(&cloud, "two");
    changes.changed().await.unwrap();
    assert!(
        written.elapsed() < Duration::from_millis(50),
        "{:?}",
        written.elapsed()
    );
    let (records, next) = cloud.database.stream_records(&position).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].json["dynamodb"]["NewImage"]["pk"]["S"], "two");
    assert_eq!(records[0].json["awsRegion"], "us-east-1");
    let resumed = cloud
        .database
        .stream_position("orders", Some(&records[0].sequence_number), true)
        .unwrap();
    assert_eq!(resumed, next, "a sequence number is a place to go on from");
    cloud.stop().await;
}

#[tokio::test]
async fn a_message_reaches_the_queue_that_asked_for_its_type() {
    let cloud = start(STORES, None).await.unwrap();
    let topic = "arn:aws:sns:us-east-1:000000000000:emporium-Topic";
    let queue = names::queue_url("q");
    cloud
        .topics
        .publish(topic, r#"{"type":"order.cancelled","n":1}"#)
        .await
        .unwrap();
    cloud
        .topics
        .publish(topic, r#"{"type":"order.placed","n":2}"#)
        .await
        .unwrap();
    let messages = cloud.queues.receive(&queue, 10, 1).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages[0].body.as_deref(),
        Some(r#"{"type":"order.placed","n":2}"#)
    );
    assert_eq!(cloud.queues.depth(&queue).await.unwrap().in_flight, 1);
    assert_eq!(cloud.topics.undelivered(), 0);
    cloud.stop().await;
}

#[tokio::test]
async fn a_delivery_that_the_queue_refuses_is_counted() {
    let text = STORES.replace(
        "VisibilityTimeout: 1",
        "VisibilityTimeout: 1, MaximumMessageSize: 1024",
    );
    let cloud = start(&text, None).await.unwrap();
    let topic = "arn:aws:sns:us-east-1:000000000000:emporium-Topic";
    let message = json!({"type": "order.placed", "filler": "x".repeat(2000)}).to_string();
    cloud.topics.publish(topic, &message).await.unwrap();
    assert_eq!(cloud.topics.undelivered(), 1);
    cloud.stop().await;
}

#[tokio::test]
async fn what_exists_only_now_is_put_into_the_environment() {
    let cloud = start(STORES, None).await.unwrap();
    let bound = cloud.bind(&names::secret_arn("/shop/seed"), "http://127.0.0.1:3000");
    assert_eq!(bound, cloud.secrets.arns()["/shop/seed"]);
    assert!(!bound.contains('?'));
    let bound = cloud.bind(
        &format!("{}/verify", names::api_endpoint()),
        "http://127.0.0.1:3000",
    );
    assert_eq!(bound, "http://127.0.0.1:3000/verify");
    cloud.stop().await;
}
