//! `GET /health`: the health of every table, topic and queue of the shop.

use std::sync::Arc;

use http::{HeaderValue, header};
use runtime::{
    Function, Grant, grant,
    http::{Access, Endpoint, Reply, State, StatusCode},
};

use crate::{domain::Status, health_checker::HealthChecker};

const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

const GRANTS: &[Grant] = &[
    grant("dynamodb:DescribeTable", "UsersTable"),
    grant("dynamodb:DescribeTable", "CatalogTable"),
    grant("dynamodb:DescribeTable", "OrdersTable"),
    grant("dynamodb:DescribeTable", "PaymentsTable"),
    grant("dynamodb:DescribeTable", "NotificationsTable"),
    grant("sns:GetTopicAttributes", "UsersTopic"),
    grant("sns:GetTopicAttributes", "CatalogTopic"),
    grant("sns:GetTopicAttributes", "OrdersTopic"),
    grant("sns:GetTopicAttributes", "PaymentsTopic"),
    grant("sns:GetTopicAttributes", "NotificationsTopic"),
    grant("sqs:GetQueueAttributes", "FailedRecordsQueue"),
    grant("sqs:GetQueueAttributes", "SettleReservationsQueue"),
    grant(
        "sqs:GetQueueAttributes",
        "SettleReservationsDeadLetterQueue",
    ),
    grant("sqs:GetQueueAttributes", "AdvanceOrdersQueue"),
    grant("sqs:GetQueueAttributes", "AdvanceOrdersDeadLetterQueue"),
    grant("sqs:GetQueueAttributes", "ProcessPaymentsQueue"),
    grant("sqs:GetQueueAttributes", "ProcessPaymentsDeadLetterQueue"),
    grant("sqs:GetQueueAttributes", "ComposeNotificationsQueue"),
    grant(
        "sqs:GetQueueAttributes",
        "ComposeNotificationsDeadLetterQueue",
    ),
    grant("sqs:GetQueueAttributes", "AnonymiseOrdersQueue"),
    grant("sqs:GetQueueAttributes", "AnonymiseOrdersDeadLetterQueue"),
    grant("sqs:GetQueueAttributes", "DeliverEmailQueue"),
    grant("sqs:GetQueueAttributes", "DeliverEmailDeadLetterQueue"),
];

pub fn function() -> Function {
    Endpoint::new("health", Access::Public, GRANTS)
        .get("/health", health)
        .start(HealthChecker::start)
}

/// Lists every check in `data`, with 200 if all dependencies are healthy, else
/// with 503. The 503 is not a problem document: an operator wants the same list
/// to see what is down, and a monitor reads only the status.
async fn health(State(checker): State<Arc<HealthChecker>>) -> Reply {
    let health = checker.health().await;
    match health.status {
        Status::Healthy => Reply::ok("all dependencies are healthy", &health),
        Status::Unhealthy => Reply::ok("some dependencies are unhealthy", &health)
            .with_status(StatusCode::SERVICE_UNAVAILABLE)
            .with_header(header::RETRY_AFTER, RETRY_AFTER_SECONDS),
    }
}
