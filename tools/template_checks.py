"""What this shop's template must have and general linters do not check.

A check takes the processed template and yields its findings: one line each, which
names the resource.
"""

import json

from template_account import concurrency, identities, openapi, schedules, secrets
from template_alarms import alarms, metrics, rollback
from template_edge import assertions, edge, mail, reserved, throttles, web_acl
from template_model import as_list, references, texts
from template_stack import aliases, cycles, invocations, no_code_deploy, size, versions

# AWS: a message must stay hidden through all retries of a throttled batch.
VISIBILITY_TIMEOUTS_MIN = 6
LAMBDA_TIMEOUT_DEFAULT = 3
SQS_VISIBILITY_DEFAULT = 30
SQS_RETENTION_DEFAULT = 345600
RECEIVES_MIN = 2
# As in shared/runtime/src/queue/retries.rs: the longest waits between the tries of a
# message, of which half is certain.
RETRY_WAIT_FIRST, RETRY_WAIT_MAX = 2, 900
# docs/decisions/0034-healing.md: an outage that heals without a person.
OUTAGE = 6 * 3600

# These have no resource-level permissions (Service Authorization Reference, AWS
# X-Ray). They are the only actions that a role may have on `*`.
TRACING_ACTIONS = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
# Made by SAM; only CodeDeploy may assume it.
CODE_DEPLOY_ROLE = "CodeDeployServiceRole"
CODE_DEPLOY_POLICY = "service-role/AWSCodeDeployRoleForLambda"

# Public, and dear: 23 calls of AWS each.
EXPENSIVE_ROUTES = ["GET /health"]
ACCESS_LOG_NEEDS = {
    "$context.requestId",
    "$context.routeKey",
    "$context.status",
    "$context.responseLatency",
    "$context.integration.error",
    "$context.authorizer.error",
}

# "Customize HTTP API access logs" (API Gateway Developer Guide); others stay `-`.
ACCESS_LOG_KNOWS = {
    f"$context.{name}"
    for name in (
        "accountId apiId authorizer.error authorizer.principalId awsEndpointRequestId awsEndpointRequestId2 customDomain.basePathMatched dataProcessed "
        "domainName domainPrefix error.message error.messageString error.responseType extendedRequestId httpMethod identity.accountId identity.caller "
        "identity.sourceIp identity.user identity.userAgent identity.userArn integration.error integration.integrationStatus integration.latency "
        "integration.requestId integration.status integrationErrorMessage integrationLatency integrationStatus path protocol requestId requestTime "
        "requestTimeEpoch responseLatency responseLength routeKey stage status"
    ).split()
}


def visibility(template):
    """A queue hides a message for six times the timeout of its function."""
    for _, mapping, queue in template.mappings("Arn"):
        function = template.function_of(mapping["FunctionName"])
        timeout = template.resources[function]["Properties"].get("Timeout", LAMBDA_TIMEOUT_DEFAULT)
        hidden = template.resources[queue]["Properties"].get("VisibilityTimeout", SQS_VISIBILITY_DEFAULT)
        least = VISIBILITY_TIMEOUTS_MIN * timeout
        if hidden < least:
            yield f"{queue} hides messages for {hidden} s; {function} needs {least}"


def dead_letter_queues(template):
    """Messages that a consumer gives up on are kept, and somebody is told."""
    letters = _dead_letter_queues(template)
    for _, mapping, queue in template.mappings("Arn"):
        policy = template.resources[queue]["Properties"].get("RedrivePolicy")
        if not policy:
            yield f"{queue} has no dead-letter queue"
        elif policy.get("maxReceiveCount", 0) < RECEIVES_MIN:
            yield f"{queue} gives up on a message after one attempt"
    for queue in sorted(letters):
        if not template.alarmed("ApproximateNumberOfMessagesVisible", "QueueName", queue):
            yield f"{queue} can fill without an alarm"
    for name, queue in template.of("AWS::SQS::Queue"):
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name} is not encrypted"
        if name in letters and queue.get("MessageRetentionPeriod") != 1209600:
            yield f"{name} does not keep messages for 14 days"


def retries(template):
    """The tries of a message outlast an outage, and end in half the time that the queue keeps it."""
    for _, mapping, queue in template.mappings("Arn"):
        properties = template.resources[queue]["Properties"]
        receives = properties.get("RedrivePolicy", {}).get("maxReceiveCount", 0)
        waits = [min(RETRY_WAIT_FIRST * 2**number, RETRY_WAIT_MAX) for number in range(receives - 1)]
        if sum(waits) / 2 < OUTAGE:
            yield f"{queue} gives up on a message after {sum(waits) // 2} s"
        if 2 * sum(waits) > properties.get("MessageRetentionPeriod", SQS_RETENTION_DEFAULT):
            yield f"{queue} may delete a message that is still tried"
        function = template.function_of(mapping["FunctionName"])
        variables = template.resources[function]["Properties"].get("Environment", {}).get("Variables", {})
        if variables.get("QUEUE_URL") != {"Ref": queue}:
            yield f"{function} does not know the address of {queue}: QUEUE_URL"


def _dead_letter_queues(template):
    found = set()
    for _, queue in template.of("AWS::SQS::Queue", "AWS::SNS::Subscription"):
        found |= references(queue.get("RedrivePolicy"))
    for _, mapping in template.of("AWS::Lambda::EventSourceMapping"):
        found |= references(mapping.get("DestinationConfig"))
    return found


def subscriptions(template):
    """SNS may deliver, and what it cannot deliver is kept."""
    for name, subscription in template.of("AWS::SNS::Subscription"):
        # A person is told once; nothing in the shop depends on it.
        if subscription["Protocol"] == "email":
            continue
        if not subscription.get("RedrivePolicy"):
            yield f"{name} has no RedrivePolicy"
        topics = references(subscription["TopicArn"])
        for queue in sorted(references(subscription["Endpoint"]) | references(subscription.get("RedrivePolicy"))):
            if not any(topics <= senders for senders in _senders(template, queue)):
                yield f"{queue} refuses what {name} delivers"


def _senders(template, queue):
    """The topics that each statement of a queue's policies lets send to it."""
    for _, policy in template.of("AWS::SQS::QueuePolicy"):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            if queue in references(policy["Queues"]) & references(statement["Resource"]):
                yield references(statement["Condition"])


def mappings(template):
    """Batches fail in part, and streams get past records that cannot be handled."""
    for name, mapping in template.of("AWS::Lambda::EventSourceMapping"):
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} does not report partial failures: FunctionResponseTypes"
    for name, mapping, _ in template.mappings("StreamArn"):
        if mapping.get("MaximumRetryAttempts", -1) < 0:
            yield f"{name} retries for ever: MaximumRetryAttempts"
        if mapping.get("MaximumRecordAgeInSeconds", -1) < 0:
            yield f"{name} retries for ever: MaximumRecordAgeInSeconds"
        if mapping.get("BisectBatchOnFunctionError") is not True:
            yield f"{name} does not bisect"
        if not mapping.get("DestinationConfig", {}).get("OnFailure"):
            yield f"{name} has no destination for records that it gives up on"


def roles(template):
    """Roles are minimal; docs/decisions/ explains the two exceptions."""
    for name, role in template.of("AWS::IAM::Role"):
        managed = role.get("ManagedPolicyArns", [])
        if name == CODE_DEPLOY_ROLE:
            principals = texts(role["AssumeRolePolicyDocument"])
            if "codedeploy.amazonaws.com" not in principals:
                yield f"{name} can be assumed by others than CodeDeploy"
            managed = [arn for arn in managed if not arn.endswith(CODE_DEPLOY_POLICY)]
        if managed:
            yield f"{name} has managed policies: {managed}"
        for policy in role.get("Policies", []):
            for statement in as_list(policy["PolicyDocument"]["Statement"]):
                actions = as_list(statement["Action"])
                resources = as_list(statement["Resource"])
                if set(actions) <= TRACING_ACTIONS and resources == ["*"]:
                    continue
                for text in texts(actions) + texts(resources):
                    if "*" in text:
                        yield f"{name}: {text} in {actions}"
    for name, policy in template.of("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for statement in as_list(policy["PolicyDocument"]["Statement"]):
            if "*" in texts(statement.get("Principal", "*")):
                yield f"{name} lets everybody in"


def tables(template):
    """Tables can be restored, and are not deleted by mistake."""
    for name, table in template.of("AWS::DynamoDB::Table"):
        recovery = table.get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name} has no point-in-time recovery"
        if table.get("DeletionProtectionEnabled") != {"Fn::If": ["Protected", True, False]}:
            yield f"{name} does not follow DeletionProtection"
        resource = template.resources[name]
        if not resource.get("DeletionPolicy", "").startswith("Retain"):
            yield f"{name} is deleted with its stack"
        if resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{name} is deleted when it is replaced"


def logs(template):
    """Every log expires, and every function writes to one of them."""
    for name, group in template.of("AWS::Logs::LogGroup"):
        if not group.get("RetentionInDays"):
            yield f"{name} never expires: RetentionInDays"
    for name, function in template.of("AWS::Lambda::Function"):
        config = function.get("LoggingConfig", {})
        groups = references(config.get("LogGroup"))
        if not any(template.kind(group) == "AWS::Logs::LogGroup" for group in groups):
            yield f"{name} writes to a log group outside this template"
        if config.get("LogFormat") != "JSON":
            yield f"{name} does not log JSON"


def api(template):
    """The API has rate limits and an access log."""
    for name, stage in template.of("AWS::ApiGatewayV2::Stage"):
        settings = stage.get("DefaultRouteSettings", {})
        for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
            if not settings.get(limit):
                yield f"{name} has no {limit}"
        for route in EXPENSIVE_ROUTES:
            if not stage.get("RouteSettings", {}).get(route, {}).get("ThrottlingRateLimit"):
                yield f"{name}: {route} has no limit of its own"
        access = stage.get("AccessLogSettings", {})
        groups = references(access.get("DestinationArn"))
        if not any(template.kind(group) == "AWS::Logs::LogGroup" for group in groups):
            yield f"{name} has no access log"
            continue
        try:
            fields = set(json.loads(access["Format"]).values())
        except ValueError as error:
            yield f"{name}: the access log's format is not JSON: {error}"
            continue
        for unknown in sorted(fields - ACCESS_LOG_KNOWS):
            yield f"{name}: the access log's {unknown} is no variable of an HTTP API"
        for missing in sorted(ACCESS_LOG_NEEDS - fields):
            yield f"{name}: the access log has no {missing}"


def tracing(template):
    """Every function sends traces, and its role allows it."""
    for name, function in template.of("AWS::Lambda::Function"):
        if not function.get("TracingConfig", {}).get("Mode"):
            yield f"{name} has no Tracing"
        for role in references(function["Role"]):
            policies = template.resources[role]["Properties"].get("Policies", [])
            missing = TRACING_ACTIONS - set(texts(policies))
            if missing:
                yield f"{role} lacks {', '.join(sorted(missing))}"


GRADUAL_CHECKS = [
    visibility,
    dead_letter_queues,
    retries,
    subscriptions,
    invocations,
    mappings,
    roles,
    tables,
    logs,
    api,
    tracing,
    alarms,
    metrics,
    aliases,
    rollback,
    versions,
    cycles,
    size,
    openapi,
    secrets,
    concurrency,
    schedules,
    identities,
    edge,
    web_acl,
    assertions,
    throttles,
    mail,
    reserved,
]
ALL_AT_ONCE_CHECKS = [no_code_deploy, cycles]
