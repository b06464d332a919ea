//! The names and ARNs of resources, as `!Ref` and `!GetAtt` return them. Account and
//! region are fictitious; nothing leaves this machine.

/// The region that functions see.
pub(crate) const REGION: &str = "us-east-1";
/// The account that owns all resources.
pub(crate) const ACCOUNT: &str = "000000000000";
/// The id of the API; see [`api_endpoint`].
pub(crate) const API_ID: &str = "emporium";

/// The address that the API would have in AWS. In the environment of functions it
/// is replaced by the address of the development server.
pub(crate) fn api_endpoint() -> String {
    format!("https://{API_ID}.execute-api.{REGION}.amazonaws.com")
}

/// A function's ARN.
pub(crate) fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// The ARN of a function's alias. In AWS it refers to a published version; here
/// every version is the running code.
pub(crate) fn alias_arn(name: &str, alias: &str) -> String {
    format!("{}:{alias}", function_arn(name))
}

/// A table's ARN.
pub(crate) fn table_arn(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
}

/// The ARN of a table's stream.
pub(crate) fn stream_arn(name: &str) -> String {
    format!("{}/stream/2026-01-01T00:00:00.000", table_arn(name))
}

/// A queue's ARN.
pub(crate) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// A queue's URL. The SDK and the embedded SQS only use its last part; `.localhost`
/// never leaves the machine.
pub(crate) fn queue_url(name: &str) -> String {
    format!("http://sqs.{REGION}.localhost/{ACCOUNT}/{name}")
}

/// A topic's ARN.
pub(crate) fn topic_arn(name: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}")
}

/// A secret's ARN. The real one ends in six random characters, which are filled in
/// when the secret has been created.
pub(crate) fn secret_arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-??????")
}

/// The property that names a resource of this type, if it can be named.
pub(crate) fn name_property(resource_type: &str) -> Option<&'static str> {
    Some(match resource_type {
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::SecretsManager::Secret" => "Name",
        "AWS::Serverless::Function" => "FunctionName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::CloudWatch::Alarm" => "AlarmName",
        "AWS::CloudWatch::Dashboard" => "DashboardName",
        _ => return None,
    })
}

/// What `!Ref` returns.
pub(crate) fn reference(resource_type: &str, name: &str) -> String {
    match resource_type {
        "AWS::SQS::Queue" => queue_url(name),
        "AWS::SNS::Topic" => topic_arn(name),
        "AWS::SecretsManager::Secret" => secret_arn(name),
        "AWS::Serverless::HttpApi" => API_ID.to_owned(),
        _ => name.to_owned(),
    }
}

/// What `!GetAtt` returns; nothing for an unknown attribute.
pub(crate) fn attribute(resource_type: &str, name: &str, attribute: &str) -> Option<String> {
    Some(match (resource_type, attribute) {
        ("AWS::DynamoDB::Table", "Arn") => table_arn(name),
        ("AWS::DynamoDB::Table", "StreamArn") => stream_arn(name),
        ("AWS::SQS::Queue", "Arn") => queue_arn(name),
        ("AWS::SQS::Queue", "QueueName") => name.to_owned(),
        ("AWS::SQS::Queue", "QueueUrl") => queue_url(name),
        ("AWS::SNS::Topic", "TopicArn") => topic_arn(name),
        ("AWS::SNS::Topic", "TopicName") => name.to_owned(),
        ("AWS::SecretsManager::Secret", "Id") => secret_arn(name),
        ("AWS::Serverless::Function", "Arn") => function_arn(name),
        ("AWS::Serverless::HttpApi", "ApiEndpoint") => api_endpoint(),
        ("AWS::Serverless::HttpApi", "ApiId") => API_ID.to_owned(),
        ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        ("AWS::IAM::Role", "RoleId") => name.to_owned(),
        ("AWS::Logs::LogGroup", "Arn") => {
            format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*")
        }
        ("AWS::CloudWatch::Alarm", "Arn") => {
            format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}")
        }
        ("AWS::SES::EmailIdentity", _) => format!("{name}-{attribute}"),
        _ => return None,
    })
}
