//! Assumptions about what cannot be measured locally, each with its source.
//! Figures that depend on them are reported separately from measured ones.

/// The latency of a DynamoDB call from Lambda in the same region, in
/// milliseconds. AWS promises "single-digit milliseconds" (Amazon DynamoDB
/// Developer Guide, introduction).
pub const DYNAMODB_CALL_MS: f64 = 5.0;
/// The latency of a transaction, which DynamoDB prepares and commits.
pub const DYNAMODB_TRANSACTION_MS: f64 = 12.0;
/// The latency of publishing to SNS and of any call not listed here.
pub const OTHER_CALL_MS: f64 = 20.0;
/// The latency of sending a mail with SES.
pub const SES_CALL_MS: f64 = 60.0;
/// The latency of invoking a function, on top of that function's duration.
pub const INVOKE_CALL_MS: f64 = 10.0;

/// The memory size at which a function has one whole processor, in MB (AWS
/// Lambda Developer Guide, "Configure Lambda function memory"). With less memory
/// its share is smaller, and measured work takes proportionally longer.
pub const WHOLE_PROCESSOR_MB: f64 = 1769.0;

/// Bytes that Lambda itself logs for each invocation in the JSON format: the
/// `platform.start` and `platform.report` lines.
pub const PLATFORM_LOG_BYTES: f64 = 450.0;
/// The number of those lines.
pub const PLATFORM_LOG_LINES: f64 = 2.0;
/// Bytes of a line of API Gateway's access log, in the template's format.
pub const ACCESS_LOG_BYTES: f64 = 450.0;
/// How often a function is invoked by what few customers do: order, register, log
/// in. A function that is not invoked more than once a second is always traced.
pub const RARE_A_SECOND: f64 = 1.0;
/// How often a function is invoked that everybody calls: the rate that the API
/// allows in prod.
pub const FREQUENT_A_SECOND: f64 = 100.0;
/// The share of a function's invocations that X-Ray traces: one a second, and 5 % of
/// the others (AWS Lambda Developer Guide, "Visualize Lambda function invocations
/// using AWS X-Ray").
pub fn traced_share(per_second: f64) -> f64 {
    let beyond = (per_second - 1.0).max(0.0);
    (per_second.min(1.0) + 0.05 * beyond) / per_second
}
/// Combinations of a metric and its dimensions that are published without any
/// customer: `StuckOrders`, by shop (docs/metrics.md).
pub const IDLE_METRICS: f64 = 1.0;
/// Bytes that CloudWatch Logs adds to each line (its quotas: 26).
pub const LOG_LINE_BYTES: f64 = 26.0;

/// Hours in a month, as in the AWS Pricing Calculator.
pub const HOURS_A_MONTH: f64 = 730.0;
/// Pollers that Lambda runs for each queue (AWS Lambda Developer Guide, "Using
/// Lambda with Amazon SQS": it starts with five).
pub const POLLERS_A_QUEUE: f64 = 5.0;
/// How long each poll waits for messages, in seconds: the maximum of SQS.
pub const LONG_POLL_SECONDS: f64 = 20.0;

/// The assumed latency of a call.
pub fn call_ms(service: &str, operation: &str) -> f64 {
    match (service, operation) {
        ("dynamodb", "TransactWriteItems" | "TransactGetItems") => DYNAMODB_TRANSACTION_MS,
        ("dynamodb", _) => DYNAMODB_CALL_MS,
        ("ses", _) => SES_CALL_MS,
        ("lambda", _) => INVOKE_CALL_MS,
        _ => OTHER_CALL_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_invocation_a_second_is_traced_and_five_percent_of_the_others() {
        for (per_second, share) in [(0.1, 1.0), (1.0, 1.0), (2.0, 0.525), (100.0, 0.0595)] {
            assert!(
                (traced_share(per_second) - share).abs() < 1e-9,
                "{per_second}"
            );
        }
    }
}
