//! What a template may contain without any effect on a laptop, and why. Anything
//! that is neither in this table nor read elsewhere prevents the start.

use super::yaml::Node;

/// Something that is accepted without effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// A resource type, or the owner of the property.
    pub owner: &'static str,
    /// The property; `*` for all of a resource.
    pub property: &'static str,
    /// Why it has no effect here.
    pub because: &'static str,
}

const IAM: &str =
    "permissions are not enforced here; the architecture tests and the emulated cloud check them";
const ALARMS: &str = "there is no monitoring on a laptop";
const LOGS: &str = "logs go to standard error";
const AT_REST: &str = "data is stored in a local file, unencrypted";
const BACKUP: &str = "copy .local/ to back up the data";
const DEPLOY: &str = "nothing is deployed";
const MACHINE: &str = "all functions share this process";
const TEXT: &str = "it is documentation";
const MAIL: &str = "mail goes to the local mailbox, whatever the sender";
const BILLING: &str = "nothing is billed or throttled";
const EDGE: &str = "nothing in front of the functions throttles or logs requests";

/// Everything that is accepted without effect.
pub const ACCEPTED: &[Accepted] = &[
    all("AWS::IAM::Role", IAM),
    all("AWS::IAM::ManagedPolicy", IAM),
    all("AWS::Lambda::Permission", IAM),
    all("AWS::SQS::QueuePolicy", IAM),
    all("AWS::SNS::TopicPolicy", IAM),
    all("AWS::SecretsManager::ResourcePolicy", IAM),
    all("AWS::CloudWatch::*", ALARMS),
    all("AWS::Budgets::Budget", ALARMS),
    all("AWS::Logs::*", LOGS),
    all("AWS::XRay::*", LOGS),
    all("AWS::SES::*", MAIL),
    all("AWS::CloudFront::*", EDGE),
    all("AWS::WAFv2::*", EDGE),
    // Any resource.
    of("resource", "DeletionPolicy", DEPLOY),
    of("resource", "UpdateReplacePolicy", DEPLOY),
    of("resource", "UpdatePolicy", DEPLOY),
    of("resource", "DependsOn", DEPLOY),
    of("resource", "Metadata", DEPLOY),
    // The template itself.
    of("template", "AWSTemplateFormatVersion", TEXT),
    of("template", "Description", TEXT),
    of("template", "Metadata", TEXT),
    of("template", "Outputs", DEPLOY),
    of("template", "Rules", DEPLOY),
    // Parameters.
    of("parameter", "Description", TEXT),
    of("parameter", "ConstraintDescription", TEXT),
    of("parameter", "NoEcho", TEXT),
    of("parameter", "AllowedPattern", DEPLOY),
    of("parameter", "MinLength", DEPLOY),
    of("parameter", "MaxLength", DEPLOY),
    // Functions.
    of("AWS::Serverless::Function", "Description", TEXT),
    of("AWS::Serverless::Function", "Tags", TEXT),
    of("AWS::Serverless::Function", "PropagateTags", TEXT),
    of("AWS::Serverless::Function", "Architectures", MACHINE),
    of("AWS::Serverless::Function", "EphemeralStorage", MACHINE),
    of(
        "AWS::Serverless::Function",
        "ProvisionedConcurrencyConfig",
        MACHINE,
    ),
    of("AWS::Serverless::Function", "LoggingConfig", LOGS),
    of("AWS::Serverless::Function", "Tracing", LOGS),
    of(
        "AWS::Serverless::Function",
        "AutoPublishAliasAllProperties",
        DEPLOY,
    ),
    of("AWS::Serverless::Function", "AutoPublishCodeSha256", DEPLOY),
    of("AWS::Serverless::Function", "DeploymentPreference", DEPLOY),
    of("AWS::Serverless::Function", "AssumeRolePolicyDocument", IAM),
    of("AWS::Serverless::Function", "PermissionsBoundary", IAM),
    of("HttpApi event", "RouteSettings", EDGE),
    of("ScheduleV2 event", "Name", TEXT),
    of("ScheduleV2 event", "OmitName", TEXT),
    of("ScheduleV2 event", "Description", TEXT),
    of(
        "ScheduleV2 event",
        "RetryPolicy",
        "a failed run is retried like any asynchronous invocation",
    ),
    of("ScheduleV2 event", "RoleArn", IAM),
    of("ScheduleV2 event", "PermissionsBoundary", IAM),
    of("Schedule event", "Name", TEXT),
    of("Schedule event", "Description", TEXT),
    of(
        "Schedule event",
        "RetryPolicy",
        "a failed run is retried like any asynchronous invocation",
    ),
    of(
        "DestinationConfig.OnFailure",
        "Type",
        "the ARN of the destination determines its type",
    ),
    // The API.
    of("AWS::Serverless::HttpApi", "Name", TEXT),
    of("AWS::Serverless::HttpApi", "Description", TEXT),
    of("AWS::Serverless::HttpApi", "Tags", TEXT),
    of("AWS::Serverless::HttpApi", "PropagateTags", TEXT),
    of("AWS::Serverless::HttpApi", "AccessLogSettings", EDGE),
    of("AWS::Serverless::HttpApi", "DefaultRouteSettings", EDGE),
    of("AWS::Serverless::HttpApi", "RouteSettings", EDGE),
    of("AWS::Serverless::HttpApi", "FailOnWarnings", DEPLOY),
    of(
        "AWS::Serverless::HttpApi",
        "DisableExecuteApiEndpoint",
        EDGE,
    ),
    of("DefinitionBody", "info", TEXT),
    of("operation", "responses", TEXT),
    of("operation", "summary", TEXT),
    of("operation", "operationId", TEXT),
    of("integration", "credentials", IAM),
    of(
        "x-amazon-apigateway-authorizer",
        "authorizerCredentials",
        IAM,
    ),
    of("Auth", "EnableIamAuthorizer", IAM),
    of("authorizer", "EnableFunctionDefaultPermissions", IAM),
    of("authorizer", "FunctionInvokeRole", IAM),
    // Stores.
    of("AWS::DynamoDB::Table", "BillingMode", BILLING),
    of("AWS::DynamoDB::Table", "ProvisionedThroughput", BILLING),
    of("AWS::DynamoDB::Table", "OnDemandThroughput", BILLING),
    of("AWS::DynamoDB::Table", "TableClass", BILLING),
    of(
        "AWS::DynamoDB::Table",
        "PointInTimeRecoverySpecification",
        BACKUP,
    ),
    of("AWS::DynamoDB::Table", "DeletionProtectionEnabled", BACKUP),
    of("AWS::DynamoDB::Table", "SSESpecification", AT_REST),
    of(
        "AWS::DynamoDB::Table",
        "ContributorInsightsSpecification",
        ALARMS,
    ),
    of("AWS::DynamoDB::Table", "Tags", TEXT),
    of("AWS::SQS::Queue", "SqsManagedSseEnabled", AT_REST),
    of("AWS::SQS::Queue", "KmsMasterKeyId", AT_REST),
    of("AWS::SQS::Queue", "RedriveAllowPolicy", IAM),
    of("AWS::SQS::Queue", "Tags", TEXT),
    of("AWS::SNS::Topic", "DisplayName", TEXT),
    of(
        "AWS::SNS::Subscription by e-mail",
        "Endpoint",
        "there are no alarms on a laptop",
    ),
    of("AWS::SNS::Topic", "KmsMasterKeyId", AT_REST),
    of("AWS::SNS::Topic", "TracingConfig", LOGS),
    of("AWS::SNS::Topic", "Tags", TEXT),
    of("AWS::SecretsManager::Secret", "Description", TEXT),
    of("AWS::SecretsManager::Secret", "KmsKeyId", AT_REST),
    of("AWS::SecretsManager::Secret", "Tags", TEXT),
];

const fn all(owner: &'static str, because: &'static str) -> Accepted {
    Accepted {
        owner,
        property: "*",
        because,
    }
}

const fn of(owner: &'static str, property: &'static str, because: &'static str) -> Accepted {
    Accepted {
        owner,
        property,
        because,
    }
}

/// The row for a resource type without any effect here.
pub(crate) fn resource(resource_type: &str) -> Option<&'static Accepted> {
    ACCEPTED
        .iter()
        .filter(|row| row.property == "*")
        .find(|row| match row.owner.strip_suffix('*') {
            Some(prefix) => resource_type.starts_with(prefix),
            None => resource_type == row.owner,
        })
}

/// The row for a subscription that notifies a person instead of a queue.
pub(crate) fn subscription(resource_type: &str, properties: &Node) -> Option<&'static Accepted> {
    let by_mail = resource_type == "AWS::SNS::Subscription"
        && properties
            .get("Protocol")
            .is_some_and(|protocol| protocol.as_text().is_ok_and(|text| text == "email"));
    by_mail
        .then(|| property("AWS::SNS::Subscription by e-mail", "Endpoint"))
        .flatten()
}

/// The row for a property without effect of something that is supported.
pub(crate) fn property(owner: &str, property: &str) -> Option<&'static Accepted> {
    ACCEPTED
        .iter()
        .find(|row| row.owner == owner && row.property == property)
}
