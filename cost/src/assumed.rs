//! What cannot be measured on a laptop, and is assumed: each with where it
//! comes from. Figures that rest on these are reported apart from those that
//! were measured.

/// What one call of DynamoDB takes from Lambda in the same region, in
/// milliseconds. AWS says "single-digit milliseconds" (Amazon DynamoDB
/// Developer Guide, introduction).
pub const DYNAMODB_CALL_MS: f64 = 5.0;
/// The same for a transaction, which DynamoDB prepares and commits.
pub const DYNAMODB_TRANSACTION_MS: f64 = 12.0;
/// Publishing to SNS, and any other call that is not named here.
pub const OTHER_CALL_MS: f64 = 20.0;
/// Sending a mail with SES.
pub const SES_CALL_MS: f64 = 60.0;
/// Calling another function, beside what that function takes.
pub const INVOKE_CALL_MS: f64 = 10.0;

/// Memory at which a function has one whole processor, in MB (AWS Lambda
/// Developer Guide, "Configure Lambda function memory"). With less memory it
/// has less of it, and what was measured takes longer by as much.
pub const WHOLE_PROCESSOR_MB: f64 = 1769.0;

/// Bytes that Lambda itself logs for each invocation in the JSON format: the
/// lines `platform.start` and `platform.report`.
pub const PLATFORM_LOG_BYTES: f64 = 450.0;
/// Those lines.
pub const PLATFORM_LOG_LINES: f64 = 2.0;
/// Bytes of a line of API Gateway's access log, in the template's format.
pub const ACCESS_LOG_BYTES: f64 = 450.0;
/// How many invocations X-Ray keeps a trace of: with its default rule all of
/// them up to one a second and a twentieth of the rest (AWS X-Ray Developer
/// Guide, "Configuring sampling rules"). All is what a small shop pays.
pub const TRACED_SHARE: f64 = 1.0;
/// Bytes that CloudWatch Logs adds to each line (its quotas: 26).
pub const LOG_LINE_BYTES: f64 = 26.0;

/// Hours of a month, as AWS's price calculator takes them.
pub const HOURS_A_MONTH: f64 = 730.0;
/// Pollers that Lambda keeps at each queue (AWS Lambda Developer Guide, "Using
/// Lambda with Amazon SQS": it begins with five).
pub const POLLERS_A_QUEUE: f64 = 5.0;
/// How long a poller waits for a message before it asks again, in seconds: the
/// longest that SQS allows.
pub const LONG_POLL_SECONDS: f64 = 20.0;

/// What a call is assumed to take.
pub fn call_ms(service: &str, operation: &str) -> f64 {
    match (service, operation) {
        ("dynamodb", "TransactWriteItems" | "TransactGetItems") => DYNAMODB_TRANSACTION_MS,
        ("dynamodb", _) => DYNAMODB_CALL_MS,
        ("ses", _) => SES_CALL_MS,
        ("lambda", _) => INVOKE_CALL_MS,
        _ => OTHER_CALL_MS,
    }
}
