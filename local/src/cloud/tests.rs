use std::{path::Path, time::Duration};

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

/// How long to wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until changes have been signalled this often.
async fn until(changes: &mut Changes, count: u64) {
    let signalled = changes.wait_for(|seen| *seen >= count);
    tokio::time::timeout(PATIENCE, signalled)
        .await
        .expect("no change was signalled")
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
        "a value from the environment is not stored"
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
async fn data_of_a_different_template_is_rejected_with_a_remedy() {
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
async fn a_change_is_signalled_and_read_as_a_stream_record() {
    let cloud = start(STORES, None).await.unwrap();
    let mut changes = cloud.database.changes();
    // The first signal is for the creation of the tables.
    until(&mut changes, 1).await;
    let position = cloud
        .database
        .stream_position("orders", None, false)
        .unwrap();
    put(&cloud, "two");
    until(&mut changes, 2).await;
    let (records, next) = cloud.database.stream_records(&position).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].json["dynamodb"]["NewImage"]["pk"]["S"], "two");
    assert_eq!(records[0].json["awsRegion"], "us-east-1");
    let resumed = cloud
        .database
        .stream_position("orders", Some(&records[0].sequence_number), true)
        .unwrap();
    assert_eq!(resumed, next, "a stream can be resumed after a record");
    cloud.stop().await;
}

#[tokio::test]
async fn a_message_is_delivered_to_the_queue_that_subscribed_to_its_type() {
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
async fn a_delivery_that_the_queue_rejects_is_counted_as_lost() {
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
async fn secret_arns_and_the_api_address_are_resolved() {
    let cloud = start(STORES, None).await.unwrap();
    let resolved = cloud.resolve(&names::secret_arn("/shop/seed"), "http://127.0.0.1:3000");
    assert_eq!(resolved, cloud.secrets.arns()["/shop/seed"]);
    assert!(!resolved.contains('?'));
    let resolved = cloud.resolve(
        &format!("{}/verify", names::api_endpoint()),
        "http://127.0.0.1:3000",
    );
    assert_eq!(resolved, "http://127.0.0.1:3000/verify");
    cloud.stop().await;
}
