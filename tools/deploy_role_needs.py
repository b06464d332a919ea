"""What CloudFormation calls for each type of resource of the template.

From the `handlers` of AWS's published resource type schemas (`aws cloudformation
describe-type`), for creating, reading, updating, rolling back and deleting with the
properties that the template has. Each with an ARN as it will be.
"""

A = "123456789012"
R = f"eu-central-1:{A}"
S = "emporium-prod"
FUNCTION = f"arn:aws:lambda:{R}:function:{S}-place-order"


def _of(service, verbs):
    return [f"{service}:{verb}" for verb in verbs.split()]


DELIVERY = _of(
    "logs",
    "CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery ListLogDeliveries PutResourcePolicy DescribeResourcePolicies DescribeLogGroups",
)

NEEDS = {
    "AWS::ApiGatewayV2::Api": (
        "arn:aws:apigateway:eu-central-1::/apis/a1b2c3",
        _of("apigateway", "GET POST PUT PATCH DELETE TagResource"),
    ),
    "AWS::ApiGatewayV2::Stage": (
        "arn:aws:apigateway:eu-central-1::/apis/a1b2c3/stages",
        _of("apigateway", "GET POST PATCH DELETE TagResource") + DELIVERY,
    ),
    "AWS::CloudFront::Distribution": (
        f"arn:aws:cloudfront::{A}:distribution/E1ABC",
        _of("cloudfront", "GetDistribution GetDistributionConfig UpdateDistribution DeleteDistribution TagResource UntagResource ListTagsForResource"),
    ),
    "AWS::CloudFront::Function": (
        f"arn:aws:cloudfront::{A}:function/{S}-client-address",
        _of("cloudfront", "GetFunction DescribeFunction UpdateFunction PublishFunction DeleteFunction ListTagsForResource TagResource UntagResource"),
    ),
    "AWS::CloudWatch::Alarm": (
        f"arn:aws:cloudwatch:{R}:alarm:{S}-live-errors",
        _of("cloudwatch", "PutMetricAlarm DescribeAlarms DeleteAlarms ListTagsForResource TagResource UntagResource"),
    ),
    "AWS::CloudWatch::Dashboard": (
        f"arn:aws:cloudwatch::{A}:dashboard/{S}",
        _of("cloudwatch", "PutDashboard GetDashboard DeleteDashboards"),
    ),
    "AWS::CodeDeploy::Application": (
        f"arn:aws:codedeploy:{R}:application:{S}-ServerlessDeploymentApplication-1ABC",
        _of("codedeploy", "CreateApplication GetApplication DeleteApplication TagResource ListTagsForResource RegisterApplicationRevision GetApplicationRevision"),
    ),
    "AWS::CodeDeploy::DeploymentGroup": (
        f"arn:aws:codedeploy:{R}:deploymentgroup:{S}-ServerlessDeploymentApplication-1ABC/{S}-PlaceOrderFunctionDeploymentGroup-1ABC",
        _of("codedeploy", "CreateDeploymentGroup GetDeploymentGroup UpdateDeploymentGroup DeleteDeploymentGroup CreateDeployment GetDeployment StopDeployment"),
    ),
    "AWS::DynamoDB::Table": (
        f"arn:aws:dynamodb:{R}:table/{S}-OrdersTable-1ABC",
        _of(
            "dynamodb",
            "CreateTable DescribeTable UpdateTable DeleteTable DescribeContinuousBackups UpdateContinuousBackups DescribeTimeToLive UpdateTimeToLive "
            "DescribeContributorInsights DescribeKinesisStreamingDestination GetResourcePolicy ListTagsOfResource TagResource UntagResource",
        ),
    ),
    "AWS::IAM::Role": (
        f"arn:aws:iam::{A}:role/{S}-PlaceOrderRole-1ABC",
        _of(
            "iam",
            "CreateRole GetRole UpdateRole UpdateRoleDescription DeleteRole UpdateAssumeRolePolicy PutRolePolicy GetRolePolicy DeleteRolePolicy "
            "ListRolePolicies ListAttachedRolePolicies PutRolePermissionsBoundary TagRole UntagRole",
        ),
    ),
    "AWS::Lambda::Alias": (f"{FUNCTION}:live", _of("lambda", "CreateAlias GetAlias UpdateAlias DeleteAlias")),
    "AWS::Lambda::EventSourceMapping": (
        f"arn:aws:lambda:{R}:event-source-mapping:0a1b2c3d",
        _of("lambda", "GetEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping ListTags TagResource"),
    ),
    "AWS::Lambda::Function": (
        FUNCTION,
        _of(
            "lambda",
            "CreateFunction GetFunction UpdateFunctionCode UpdateFunctionConfiguration DeleteFunction GetFunctionConfiguration GetFunctionCodeSigningConfig "
            "GetRuntimeManagementConfig GetFunctionRecursionConfig PutFunctionConcurrency DeleteFunctionConcurrency ListTags TagResource UntagResource",
        ),
    ),
    "AWS::Lambda::Version": (FUNCTION, _of("lambda", "PublishVersion ListVersionsByFunction GetFunctionConfiguration DeleteFunction")),
    "AWS::Logs::LogGroup": (
        f"arn:aws:logs:{R}:log-group:/emporium/{S}/orders:*",
        _of("logs", "CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy ListTagsForResource TagResource UntagResource GetDataProtectionPolicy"),
    ),
    "AWS::SES::ConfigurationSet": (
        f"arn:aws:ses:{R}:configuration-set/{S}-mail",
        _of(
            "ses",
            "CreateConfigurationSet GetConfigurationSet DeleteConfigurationSet PutConfigurationSetDeliveryOptions PutConfigurationSetReputationOptions "
            "PutConfigurationSetSendingOptions PutConfigurationSetSuppressionOptions PutConfigurationSetTrackingOptions PutConfigurationSetVdmOptions "
            "ListTagsForResource TagResource UntagResource",
        ),
    ),
    "AWS::SES::ConfigurationSetEventDestination": (
        f"arn:aws:ses:{R}:configuration-set/{S}-mail",
        _of(
            "ses",
            "CreateConfigurationSetEventDestination GetConfigurationSetEventDestinations UpdateConfigurationSetEventDestination "
            "DeleteConfigurationSetEventDestination",
        ),
    ),
    "AWS::SES::EmailIdentity": (
        f"arn:aws:ses:{R}:identity/shop@shop.example",
        _of("ses", "CreateEmailIdentity GetEmailIdentity DeleteEmailIdentity TagResource ListTagsForResource"),
    ),
    "AWS::SNS::Subscription": (
        "*",
        _of("sns", "GetSubscriptionAttributes SetSubscriptionAttributes Unsubscribe"),
    ),
    "AWS::SNS::Topic": (
        f"arn:aws:sns:{R}:{S}-OrdersTopic-1ABC",
        _of(
            "sns",
            "CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic Subscribe ListSubscriptionsByTopic ListTagsForResource TagResource UntagResource "
            "GetDataProtectionPolicy",
        ),
    ),
    "AWS::SQS::Queue": (
        f"arn:aws:sqs:{R}:{S}-AdvanceOrdersQueue-1ABC",
        _of("sqs", "CreateQueue GetQueueUrl GetQueueAttributes SetQueueAttributes DeleteQueue ListQueueTags TagQueue UntagQueue"),
    ),
    "AWS::SQS::QueuePolicy": (f"arn:aws:sqs:{R}:{S}-AdvanceOrdersQueue-1ABC", _of("sqs", "GetQueueAttributes SetQueueAttributes")),
    "AWS::Scheduler::Schedule": (
        f"arn:aws:scheduler:{R}:schedule/default/{S}-ExpireReservationsFunctionRound-1ABC",
        _of("scheduler", "CreateSchedule GetSchedule UpdateSchedule DeleteSchedule"),
    ),
    "AWS::SecretsManager::Secret": (
        f"arn:aws:secretsmanager:{R}:secret:{S}/cursor-AbCdEf",
        _of("secretsmanager", "CreateSecret DescribeSecret UpdateSecret DeleteSecret TagResource UntagResource GetSecretValue"),
    ),
    "AWS::WAFv2::WebACL": (
        f"arn:aws:wafv2:us-east-1:{A}:global/webacl/{S}-edge/0a1b",
        _of("wafv2", "CreateWebACL GetWebACL UpdateWebACL DeleteWebACL ListTagsForResource TagResource UntagResource"),
    ),
}

# The stack itself, in every way in which it can end; and what has no resource.
STACK_NEEDS = [
    (
        f"arn:aws:cloudformation:{R}:stack/{S}/0a1b",
        _of(
            "cloudformation",
            "CreateChangeSet DescribeChangeSet ExecuteChangeSet DeleteChangeSet DescribeStacks DescribeStackEvents DescribeStackResource "
            "DescribeStackResources ListStackResources GetTemplate GetTemplateSummary RollbackStack ContinueUpdateRollback DeleteStack",
        ),
    ),
    ("arn:aws:cloudformation:eu-central-1:aws:transform/Serverless-2016-10-31", ["cloudformation:CreateChangeSet"]),
    ("*", ["secretsmanager:GetRandomPassword", "lambda:CreateEventSourceMapping", "lambda:ListEventSourceMappings"]),
    ("*", ["cloudfront:CreateDistribution", "cloudfront:CreateFunction"]),
    # The web ACL of another stack, and what `deploy.py` looks up.
    (f"arn:aws:wafv2:us-east-1:{A}:global/webacl/shared/0a1b", ["wafv2:GetWebACL"]),
    ("*", ["lambda:GetAccountSettings"]),
    (f"arn:aws:codedeploy:{R}:deploymentconfig:CodeDeployDefault.LambdaCanary10Percent5Minutes", ["codedeploy:GetDeploymentConfig"]),
]

# The bucket that `sam deploy` makes for the code, in a stack of its own.
SAM_NEEDS = [
    (
        f"arn:aws:cloudformation:{R}:stack/aws-sam-cli-managed-default/0a1b",
        _of("cloudformation", "CreateChangeSet DescribeChangeSet ExecuteChangeSet DescribeStacks DescribeStackEvents"),
    ),
    (
        "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1abc",
        _of("s3", "CreateBucket GetBucketLocation GetBucketPolicy PutBucketPolicy PutBucketVersioning PutBucketTagging PutBucketPublicAccessBlock ListBucket"),
    ),
    ("arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1abc/0a1b", _of("s3", "GetObject PutObject")),
]

# Who gets a role of the stack handed over.
PASSED_TO = ["lambda.amazonaws.com", "apigateway.amazonaws.com", "scheduler.amazonaws.com", "codedeploy.amazonaws.com"]
