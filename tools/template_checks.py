"""What this shop's template must have and no general linter knows.

A check takes the processed template and gives its findings, each one line that
names the resource.
"""

import json
import re

from template_model import TEMPLATE, as_list, references, texts

# AWS: a message must stay hidden for all tries of a batch that was throttled.
VISIBILITY_TIMEOUTS_MIN = 6
LAMBDA_TIMEOUT_DEFAULT = 3
SQS_VISIBILITY_DEFAULT = 30
RECEIVES_MIN = 2

# CloudFormation takes 500 resources. The shop will have about sixty functions;
# all that there is is taken to grow with them.
RESOURCES_MAX = 450
FUNCTIONS_TO_COME = 60

# AWS has no resource to name for these (Service Authorization Reference, AWS
# X-Ray), so a role may have them, and nothing else, on `*`.
TRACING_ACTIONS = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
# SAM makes it for CodeDeploy, which alone may take it.
CODE_DEPLOY_ROLE = "CodeDeployServiceRole"
CODE_DEPLOY_POLICY = "service-role/AWSCodeDeployRoleForLambda"

ACCESS_LOG_NEEDS = {
    "$context.requestId",
    "$context.routeKey",
    "$context.status",
    "$context.responseLatency",
    "$context.integration.error",
    "$context.authorizer.error",
}
NAMESPACE = "Emporium"
METRICS = TEMPLATE.parent / "docs" / "metrics.md"
# Alarms on the shop as a whole, by their metric.
SHOP_METRICS = {"5xx", "Latency", "Throttles", "StuckOrders", "BreakerOpen"}


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
    """What a consumer gives up is kept, and somebody is told."""
    letters = _dead_letter_queues(template)
    for _, mapping, queue in template.mappings("Arn"):
        policy = template.resources[queue]["Properties"].get("RedrivePolicy")
        if not policy:
            yield f"{queue} has no dead-letter queue"
        elif policy.get("maxReceiveCount", 0) < RECEIVES_MIN:
            yield f"{queue} gives a message up after its first try"
    for queue in sorted(letters):
        if not template.alarmed("ApproximateNumberOfMessagesVisible", "QueueName", queue):
            yield f"{queue} fills without an alarm"
    for name, queue in template.of("AWS::SQS::Queue"):
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name} is not encrypted"
        if name in letters and queue.get("MessageRetentionPeriod") != 1209600:
            yield f"{name} does not keep what it gets for 14 days"


def _dead_letter_queues(template):
    found = set()
    for _, queue in template.of("AWS::SQS::Queue", "AWS::SNS::Subscription"):
        found |= references(queue.get("RedrivePolicy"))
    for _, mapping in template.of("AWS::Lambda::EventSourceMapping"):
        found |= references(mapping.get("DestinationConfig"))
    return found


def subscriptions(template):
    """What SNS cannot deliver is kept."""
    for name, subscription in template.of("AWS::SNS::Subscription"):
        # A person is told once; nothing of the shop hangs on it.
        if subscription["Protocol"] != "email" and not subscription.get("RedrivePolicy"):
            yield f"{name} has no RedrivePolicy"


def mappings(template):
    """Batches fail in part; streams go on past what cannot be done."""
    for name, mapping in template.of("AWS::Lambda::EventSourceMapping"):
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} does not take ReportBatchItemFailures"
    for name, mapping, _ in template.mappings("StreamArn"):
        if mapping.get("MaximumRetryAttempts", -1) < 0:
            yield f"{name} tries again for ever: MaximumRetryAttempts"
        if mapping.get("MaximumRecordAgeInSeconds", -1) < 0:
            yield f"{name} tries again for ever: MaximumRecordAgeInSeconds"
        if mapping.get("BisectBatchOnFunctionError") is not True:
            yield f"{name} does not bisect"
        if not mapping.get("DestinationConfig", {}).get("OnFailure"):
            yield f"{name} has no destination for what it gives up"


def roles(template):
    """No role is wide; see docs/decisions/ for the two exceptions."""
    for name, role in template.of("AWS::IAM::Role"):
        managed = role.get("ManagedPolicyArns", [])
        if name == CODE_DEPLOY_ROLE:
            principals = texts(role["AssumeRolePolicyDocument"])
            if "codedeploy.amazonaws.com" not in principals:
                yield f"{name} can be taken by others than CodeDeploy"
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
    """Tables can be put back as they were, and do not go by mistake."""
    for name, table in template.of("AWS::DynamoDB::Table"):
        recovery = table.get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name} has no point-in-time recovery"
        if table.get("DeletionProtectionEnabled") != {"Fn::If": ["Protected", True, False]}:
            yield f"{name} does not follow DeletionProtection"
        resource = template.resources[name]
        if not resource.get("DeletionPolicy", "").startswith("Retain"):
            yield f"{name} goes with its stack"
        if resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{name} goes when it is replaced"


def logs(template):
    """Every log ends some day, and every function writes to one that does."""
    for name, group in template.of("AWS::Logs::LogGroup"):
        if not group.get("RetentionInDays"):
            yield f"{name} is kept for ever: RetentionInDays"
    for name, function in template.of("AWS::Lambda::Function"):
        config = function.get("LoggingConfig", {})
        groups = references(config.get("LogGroup"))
        if not any(template.kind(group) == "AWS::Logs::LogGroup" for group in groups):
            yield f"{name} writes to a log group that is not of this template"
        if config.get("LogFormat") != "JSON":
            yield f"{name} does not log JSON"


def api(template):
    """The API has a limit, and tells of each request."""
    for name, stage in template.of("AWS::ApiGatewayV2::Stage"):
        settings = stage.get("DefaultRouteSettings", {})
        for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
            if not settings.get(limit):
                yield f"{name} has no {limit}"
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
        for missing in sorted(ACCESS_LOG_NEEDS - fields):
            yield f"{name}: the access log has no {missing}"


def tracing(template):
    """Every function traces, and its role lets it."""
    for name, function in template.of("AWS::Lambda::Function"):
        if not function.get("TracingConfig", {}).get("Mode"):
            yield f"{name} has no Tracing"
        for role in references(function["Role"]):
            policies = template.resources[role]["Properties"].get("Policies", [])
            missing = TRACING_ACTIONS - set(texts(policies))
            if missing:
                yield f"{role} lacks {', '.join(sorted(missing))}"


def alarms(template):
    """Whatever can stand still unseen has an alarm that reaches the topic."""
    for _, mapping, queue in template.mappings("Arn"):
        if not template.alarmed("ApproximateAgeOfOldestMessage", "QueueName", queue):
            yield f"{queue} grows old without an alarm"
    unattended = {template.function_of(mapping["FunctionName"]) for _, mapping in template.of("AWS::Lambda::EventSourceMapping")}
    for _, rule in template.of("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        unattended.add(template.function_of(rule.get("Targets") or rule.get("Target")))
    for function in sorted(unattended):
        if not template.alarmed("Errors", "FunctionName", function):
            yield f"{function} fails without an alarm"
    for _, mapping, _ in template.mappings("StreamArn"):
        function = template.function_of(mapping["FunctionName"])
        if not template.alarmed("IteratorAge", "FunctionName", function):
            yield f"{function} falls behind its stream without an alarm"
    for metric in sorted(SHOP_METRICS - {metric for _, metric, _ in template.metrics_of_alarms()}):
        yield f"there is no alarm on {metric}"
    for name, alarm in template.of("AWS::CloudWatch::Alarm"):
        if not any(template.kind(topic) == "AWS::SNS::Topic" for topic in references(alarm.get("AlarmActions"))):
            yield f"{name} tells nobody"
        if alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name} takes silence for trouble: TreatMissingData"
        if alarm.get("Namespace") == NAMESPACE and "Shop" not in texts(alarm.get("Dimensions", [])):
            yield f"{name} looks at all shops: Dimensions"
    for name, dashboard in template.of("AWS::CloudWatch::Dashboard"):
        try:
            json.loads(dashboard["DashboardBody"]["Fn::Sub"])
        except ValueError as error:
            yield f"{name} is not JSON: {error}"


def metrics(template):
    """Alarms and the dashboard look at what functions count.

    docs/metrics.md lists that, and a test compares it with the code.
    """
    listed = re.findall(r"^\| `(\w+)` \| ((?:`\w+` ?)+)\|", METRICS.read_text(), re.MULTILINE)
    counted = {name: set(re.findall(r"\w+", dimensions)) for name, dimensions in listed}
    looked_at = []
    for name, alarm in template.of("AWS::CloudWatch::Alarm"):
        if alarm.get("Namespace") == NAMESPACE:
            dimensions = {item["Name"] for item in alarm.get("Dimensions", [])}
            looked_at.append((name, alarm["MetricName"], dimensions))
    for name, dashboard in template.of("AWS::CloudWatch::Dashboard"):
        looked_at += [(name, *seen) for seen in _seen(dashboard["DashboardBody"]["Fn::Sub"])]
    for name, metric, dimensions in looked_at:
        if counted.get(metric) != dimensions:
            yield f"{name} looks at {metric} by {sorted(dimensions)}, which nobody counts"


def _seen(body):
    """The shop's own metrics on a dashboard, each with its dimensions."""
    try:
        widgets = json.loads(body)["widgets"]
    except ValueError:
        return  # `alarms` says so
    for line in (line for widget in widgets for line in widget["properties"]["metrics"]):
        if line[0] == NAMESPACE:
            yield line[1], {text for text in line[2::2] if isinstance(text, str)}
        elif isinstance(line[0], dict):
            search = re.search(rf"{{{NAMESPACE},([\w,]+)}} MetricName=\"(\w+)\"", line[0]["expression"])
            yield (search[2], set(search[1].split(","))) if search else (line[0]["expression"], set())


def aliases(template):
    """What has an alias is called by it alone, or a gradual deployment is none."""
    watchers = {"AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"}
    aliased = {template.function_of(alias["FunctionName"]) for _, alias in template.of("AWS::Lambda::Alias")}
    for name, resource in template.resources.items():
        if resource["Type"] in watchers:
            continue
        for function in sorted(references(resource) & aliased):
            yield f"{name} goes past the alias of {function}"


def rollback(template):
    """A gradual deployment ends when errors of what it deploys begin."""
    alarms_by_name = {
        texts(alarm["AlarmName"])[0]: name for name, alarm in template.of("AWS::CloudWatch::Alarm") if "AlarmName" in alarm
    }
    watched = {
        text
        for _, metric, dimensions in template.metrics_of_alarms()
        if metric == "Errors"
        for text in texts(dimensions.get("Resource", ""))
    }
    groups = template.of("AWS::CodeDeploy::DeploymentGroup")
    if not groups:
        yield "nothing is deployed gradually"
    for name, group in groups:
        config = group.get("AlarmConfiguration") or {}
        stops = [texts(alarm["Name"])[0] for alarm in config.get("Alarms", [])]
        if not config.get("Enabled") or len(stops) < 2:
            yield f"{name} does not roll back on errors of the function and of the API"
        for stop in stops:
            if stop not in alarms_by_name:
                yield f"{name} waits for {stop}, which is no alarm"
    for _, alias in template.of("AWS::Lambda::Alias"):
        function = template.function_of(alias["FunctionName"])
        called = texts(template.resources[function]["Properties"]["FunctionName"])[0]
        if f"{called}:{alias['Name']}" not in watched:
            yield f"{function} is deployed gradually and LiveErrorsAlarm does not look at it"


def versions(template):
    """Another release publishes a version, and so does other code alone.

    SAM looks at the text of a function's properties: `!Ref TokenIssuer` is the
    same text whatever the parameter's value is, so without Release an alias
    would go on with the old settings.
    """

    def of(processed):
        return {name for name, _ in processed.of("AWS::Lambda::Version")}

    released = of(template.again(Release="0123456789"))
    for name in sorted(released & of(template.again(Release="9876543210"))):
        yield f"{name} stays with another Release"
    for name in sorted(of(template) & of(template.again(bucket="newer"))):
        yield f"{name} stays with other code"
    for name, function in template.of("AWS::Lambda::Function"):
        if function.get("Environment", {}).get("Variables", {}).get("RELEASE") != {"Ref": "Release"}:
            yield f"{name} is not replaced with another Release"


def cycles(template):
    """No resource waits for itself; CloudFormation would refuse it all."""
    edges = {name: references(resource) & template.resources.keys() for name, resource in template.resources.items()}
    done = set()

    def walk(name, path):
        if name in path:
            yield " waits for ".join([*path[path.index(name) :], name])
        elif name not in done:
            for other in sorted(edges[name]):
                yield from walk(other, [*path, name])
            done.add(name)

    for name in edges:
        yield from walk(name, [])


def size(template):
    """With all the functions to come it is still one stack."""
    functions = len(template.of("AWS::Lambda::Function"))
    projected = len(template.resources) * FUNCTIONS_TO_COME // functions
    if projected > RESOURCES_MAX:
        yield f"{len(template.resources)} resources for {functions} functions: {projected} for {FUNCTIONS_TO_COME}, over {RESOURCES_MAX}"


def no_code_deploy(template):
    """All at once means without CodeDeploy."""
    for name, resource in template.resources.items():
        if resource["Type"].startswith("AWS::CodeDeploy::"):
            yield f"{name} is made although nothing is deployed gradually"


GRADUAL_CHECKS = [
    visibility,
    dead_letter_queues,
    subscriptions,
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
]
ALL_AT_ONCE_CHECKS = [no_code_deploy, cycles]
