"""Every check of the template finds what it is for.

A case breaks a copy of template.yaml in one place, and names the check and part of
its expected finding. Run by `make lint-template`.
"""

import copy
import unittest

import template_checks
from lint_template import findings
from template_growth import grown
from template_model import GRADUAL, Template, read
from template_stack import RESOURCES_MAX

WRITTEN = read()


def drop(name, *path):
    """Removes a property."""

    def change(template):
        node = template["Resources"][name]
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]

    return change


def put(name, value, *path):
    """Changes the value of a property."""

    def change(template):
        node = template["Resources"][name]
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


def remove(name):
    """Removes a resource."""
    return lambda template: template["Resources"].pop(name)


def statement(role, index, key, value):
    """Changes one statement of a role."""
    return put(role, value, "Properties", "Policies", 0, "PolicyDocument", "Statement", index, key)


def managed(role):
    return put(role, ["arn:aws:iam::aws:policy/AdministratorAccess"], "Properties", "ManagedPolicyArns")


def dashboard(old, new):
    def change(template):
        widgets = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
        assert old in widgets["Fn::Sub"], old
        widgets["Fn::Sub"] = widgets["Fn::Sub"].replace(old, new)

    return change


def gradual_always(template):
    template["Mappings"]["Deployments"]["AllAtOnce"]["Gradual"] = "true"


def unwatched(alarm, metric):
    """Removes a metric from an alarm, or from its expression if that names it."""

    def change(template):
        parts = template["Resources"][alarm]["Properties"]["Metrics"]
        assert metric in [part["Id"] for part in parts], metric
        result = parts[0]
        if metric in result["Expression"]:
            result["Expression"] = result["Expression"].replace(f"{metric}, ", "").replace(f", {metric}", "")
        else:
            parts[:] = [part for part in parts if part["Id"] != metric]

    return change


def crowded(alarm):
    """Adds more metrics to an alarm than CloudWatch accepts."""

    def change(template):
        parts = template["Resources"][alarm]["Properties"]["Metrics"]
        parts.extend({**parts[-1], "Id": f"more{number}"} for number in range(10))

    return change


def permissions(template):
    """Adds an AWS::Lambda::Permission for each route."""
    body = template["Resources"]["Api"]["Properties"]["DefinitionBody"]
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            function = uri.split("${")[-1].split(".")[0]
            properties = {"FunctionName": {"Ref": function}, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
            name = f"{function}{method}{len(path)}Permission"
            template["Resources"][name] = {"Type": "AWS::Lambda::Permission", "Properties": properties}


def topics(number):
    """Adds this number of resources."""

    def change(template):
        for index in range(number):
            template["Resources"][f"More{index}"] = {"Type": "AWS::SNS::Topic"}

    return change


def sam_cors(template):
    """Leaves CORS to SAM, with a function for the origins."""
    properties = template["Resources"]["Api"]["Properties"]
    cors = properties["DefinitionBody"].pop("x-amazon-apigateway-cors")
    properties["CorsConfiguration"] = {name[0].upper() + name[1:]: value for name, value in cors.items()}


def verbose(template):
    """Makes the policy of API Gateway's role five times as long."""
    policy = template["Resources"]["ApiRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    policy["Statement"] = policy["Statement"] * 5


PATHS = ("Properties", "DefinitionBody", "paths")
ORDERS, LOGIN = (*PATHS, "/api/orders", "get"), (*PATHS, "/api/auth/login", "post")
SESSION = ("Properties", "DefinitionBody", "components", "securitySchemes", "Session")
CORS = ("Properties", "DefinitionBody", "x-amazon-apigateway-cors")
AUTHORIZER = (*SESSION, "x-amazon-apigateway-authorizer")
INTEGRATION = ("Properties", "DefinitionBody", "paths", "/api/orders", "get", "x-amazon-apigateway-integration")


def without_tracing(template):
    del template["Globals"]["Function"]["Tracing"]


def without_release(template):
    del template["Globals"]["Function"]["Environment"]


QUEUE = ("Properties", "Events", "Messages", "Properties")
STREAM = ("Properties", "Events", "Outbox", "Properties")

DISTRIBUTION = ("Properties", "DistributionConfig")
BEHAVIOUR = (*DISTRIBUTION, "DefaultCacheBehavior")
ACCOUNT_ROUTES = ("Properties", "Rules", 0, "Statement", "RateBasedStatement", "ScopeDownStatement", "RegexMatchStatement", "RegexString")


def unthrottled(route):
    return drop("Api", "Properties", "RouteSettings", route)


def unasserted(number):
    return lambda template: template["Rules"]["EdgeIsComplete"]["Assertions"].pop(number)


def without_key_hashes(template):
    del template["Globals"]["Function"]["Environment"]["Variables"]["EDGE_KEY_HASHES"]


CASES = [
    ("visibility", "hides messages for 59 s", put("AdvanceOrdersQueue", 59, "Properties", "VisibilityTimeout")),
    ("visibility", "hides messages for 30 s", drop("AdvanceOrdersQueue", "Properties", "VisibilityTimeout")),
    ("visibility", "needs 66", put("DeliverEmailFunction", 11, "Properties", "Timeout")),
    ("dead_letter_queues", "AdvanceOrdersQueue has no dead-letter", drop("AdvanceOrdersQueue", "Properties", "RedrivePolicy")),
    ("dead_letter_queues", "after one attempt", put("AdvanceOrdersQueue", 1, "Properties", "RedrivePolicy", "maxReceiveCount")),
    ("retries", "gives up on a message after 15 s", put("AdvanceOrdersQueue", 5, "Properties", "RedrivePolicy", "maxReceiveCount")),
    ("retries", "AdvanceOrdersQueue may delete", put("AdvanceOrdersQueue", 86400, "Properties", "MessageRetentionPeriod")),
    ("retries", "does not know the address", drop("AdvanceOrdersFunction", "Properties", "Environment", "Variables", "QUEUE_URL")),
    ("dead_letter_queues", "AdvanceOrdersDeadLetterQueue can fill", unwatched("DeadLettersAlarm", "advanceOrders")),
    ("dead_letter_queues", "FailedRecordsQueue can fill", unwatched("DeadLettersAlarm", "failedRecords")),
    ("dead_letter_queues", "is not encrypted", drop("AdvanceOrdersQueue", "Properties", "SqsManagedSseEnabled")),
    ("dead_letter_queues", "for 14 days", put("FailedRecordsQueue", 345600, "Properties", "MessageRetentionPeriod")),
    ("subscriptions", "AdvanceOrdersFromCatalog", drop("AdvanceOrdersFromCatalog", "Properties", "RedrivePolicy")),
    (
        "subscriptions",
        "AdvanceOrdersQueue refuses what AdvanceOrdersFromCatalog delivers",
        put(
            "OrdersQueuePolicy",
            {"ArnEquals": {"aws:SourceArn": [{"Ref": "PaymentsTopic"}]}},
            *("Properties", "PolicyDocument", "Statement", 0, "Condition"),
        ),
    ),
    (
        "subscriptions",
        "AnonymiseOrdersDeadLetterQueue refuses",
        put("OrdersQueuePolicy", [{"Ref": "AnonymiseOrdersQueue"}], "Properties", "Queues"),
    ),
    ("invocations", "get /api/orders has no role to invoke ListOrdersFunction", drop("Api", *INTEGRATION, "credentials")),
    ("invocations", "SchedulerRole may not invoke ListOrders", put("Api", {"Fn::GetAtt": ["SchedulerRole", "Arn"]}, *INTEGRATION, "credentials")),
    ("invocations", "authorizer has no role", drop("Api", *AUTHORIZER, "authorizerCredentials")),
    ("invocations", "ApiRole may not invoke ListOrdersFunction", statement("ApiRole", 0, "Resource", [])),
    ("invocations", "SchedulerRole may not invoke", statement("SchedulerRole", 0, "Resource", [])),
    ("invocations", "is a permission", permissions),
    (
        "invocations",
        "ExpireReservationsFunctionRound has the same name in every stack",
        drop("ExpireReservationsFunction", "Properties", "Events", "Round", "Properties", "OmitName"),
    ),
    ("mappings", "partial failures", drop("AdvanceOrdersFunction", *QUEUE, "FunctionResponseTypes")),
    ("mappings", "MaximumRetryAttempts", put("RelayOrderEventsFunction", -1, *STREAM, "MaximumRetryAttempts")),
    ("mappings", "MaximumRecordAgeInSeconds", drop("RelayOrderEventsFunction", *STREAM, "MaximumRecordAgeInSeconds")),
    ("mappings", "does not bisect", put("RelayOrderEventsFunction", False, *STREAM, "BisectBatchOnFunctionError")),
    ("mappings", "no destination", drop("RelayOrderEventsFunction", *STREAM, "DestinationConfig")),
    ("roles", "GetOrderRole: dynamodb:*", statement("GetOrderRole", 0, "Action", "dynamodb:*")),
    ("roles", "GetOrderRole: *", statement("GetOrderRole", 0, "Resource", "*")),
    ("roles", "/index/*", statement("GetOrderRole", 0, "Resource", {"Fn::Sub": "${OrdersTable.Arn}/index/*"})),
    ("roles", "xray:GetTraceSummaries", statement("GetOrderRole", 2, "Action", ["xray:PutTraceSegments", "xray:GetTraceSummaries"])),
    ("roles", "managed policies", managed("GetOrderRole")),
    (
        "roles",
        "lets everybody in",
        put("OrdersQueuePolicy", "*", "Properties", "PolicyDocument", "Statement", 0, "Principal"),
    ),
    ("tables", "no point-in-time", drop("OrdersTable", "Properties", "PointInTimeRecoverySpecification")),
    ("tables", "DeletionProtection", put("OrdersTable", False, "Properties", "DeletionProtectionEnabled")),
    ("tables", "deleted with its stack", drop("OrdersTable", "DeletionPolicy")),
    ("tables", "deleted when it is replaced", drop("OrdersTable", "UpdateReplacePolicy")),
    ("logs", "OrdersLogs never expires", drop("OrdersLogs", "Properties", "RetentionInDays")),
    ("logs", "outside this template", drop("GetOrderFunction", "Properties", "LoggingConfig", "LogGroup")),
    ("logs", "does not log JSON", drop("GetOrderFunction", "Properties", "LoggingConfig", "LogFormat")),
    ("api", "ThrottlingRateLimit", drop("Api", "Properties", "DefaultRouteSettings", "ThrottlingRateLimit")),
    ("api", "ThrottlingBurstLimit", drop("Api", "Properties", "DefaultRouteSettings", "ThrottlingBurstLimit")),
    ("api", "$context.authorizer.latency is no variable", put("Api", '{"id":"$context.authorizer.latency"}', "Properties", "AccessLogSettings", "Format")),
    ("openapi", "FailOnWarnings", put("Api", False, "Properties", "FailOnWarnings")),
    ("openapi", "names NONE, which is no security scheme", put("Api", [{"NONE": []}], *LOGIN, "security")),
    ("openapi", "get /api/orders has no authorizer", drop("Api", *ORDERS, "security")),
    ("openapi", "has no responses", put("Api", {}, *LOGIN, "responses")),
    ("openapi", "empty identitySource", put("Api", [], *AUTHORIZER, "identitySource")),
    ("openapi", "caches replies", put("Api", 300, *AUTHORIZER, "authorizerResultTtlInSeconds")),
    ("openapi", "not a list", put("Api", {"Ref": "AllowedOrigins"}, *CORS, "allowOrigins")),
    ("openapi", "CORS has no allowMethods", sam_cors),
    ("secrets", "MfaSecret is deleted with its stack", drop("MfaSecret", "DeletionPolicy")),
    ("secrets", "MfaSecret is deleted when it is replaced", drop("MfaSecret", "UpdateReplacePolicy")),
    ("concurrency", "ProcessPaymentsFunctionMessages has no MaximumConcurrency", drop("ProcessPaymentsFunction", *QUEUE, "ScalingConfig")),
    ("schedules", "ExpireReservationsFunctionRound runs when", drop("ExpireReservationsFunction", "Properties", "Events", "Round", "Properties", "FlexibleTimeWindow")),
    ("identities", "MailIdentity collides", drop("MailIdentity", "Condition")),
    ("api", "GET /health has no limit", drop("Api", "Properties", "RouteSettings")),
    ("api", "no access log", drop("Api", "Properties", "AccessLogSettings")),
    ("api", "not JSON", put("Api", "$context.requestId", "Properties", "AccessLogSettings", "Format")),
    ("api", "no $context.status", put("Api", '{"id":"$context.requestId"}', "Properties", "AccessLogSettings", "Format")),
    ("tracing", "GetOrderFunction has no Tracing", without_tracing),
    ("tracing", "GetOrderRole lacks xray:PutTelemetryRecords", statement("GetOrderRole", 2, "Action", "xray:PutTraceSegments")),
    ("alarms", "AdvanceOrdersQueue: messages can wait", unwatched("OrdersAgeAlarm", "advanceOrders")),
    ("alarms", "AdvanceOrdersFunction can fail", unwatched("OrdersErrorsAlarm", "advanceOrders")),
    ("alarms", "ExpireReservationsFunction can fail", unwatched("CatalogErrorsAlarm", "expireReservations")),
    ("alarms", "can fall behind", unwatched("OrdersAgeAlarm", "relayOrderEvents")),
    ("alarms", "no alarm on StuckOrders", remove("StuckOrdersAlarm")),
    ("alarms", "no alarm on 5xx", remove("ApiErrorsAlarm")),
    ("alarms", "looks at 17 metrics", crowded("DeadLettersAlarm")),
    ("alarms", "notifies nobody", drop("ThrottlesAlarm", "Properties", "AlarmActions")),
    ("alarms", "no data", put("ThrottlesAlarm", "breaching", "Properties", "TreatMissingData")),
    ("alarms", "not limited to this shop", drop("StuckOrdersAlarm", "Properties", "Dimensions")),
    ("alarms", "Dashboard is not JSON", put("Dashboard", {"Fn::Sub": '{"widgets": [,]}'}, "Properties", "DashboardBody")),
    (
        "alarms",
        "does not show ApproximateAgeOfOldestMessage of DeliverEmailQueue",
        dashboard("${DeliverEmailQueue.QueueName}", "elsewhere"),
    ),
    ("metrics", "StuckOrder by", put("StuckOrdersAlarm", "StuckOrder", "Properties", "MetricName")),
    ("metrics", "StuckOrders by []", drop("StuckOrdersAlarm", "Properties", "Dimensions")),
    ("metrics", "Dashboard uses OrdersPlace by", dashboard("OrdersPlaced", "OrdersPlace")),
    ("metrics", "Dashboard uses OrdersFailed by", dashboard("Shop,Reason", "Shop,Cause")),
    ("metrics", "Dashboard uses RequestLatency by", dashboard('"Service", "users"', '"Function", "users"')),
    (
        "aliases",
        "PlaceOrderFunction bypasses the alias of ReserveStockFunction",
        put(
            "PlaceOrderFunction",
            {"Ref": "ReserveStockFunction"},
            *("Properties", "Environment", "Variables", "RESERVE_STOCK_FUNCTION"),
        ),
    ),
    (
        "aliases",
        "PlaceOrderRole bypasses",
        statement("PlaceOrderRole", 1, "Resource", {"Fn::GetAtt": ["ReserveStockFunction", "Arn"]}),
    ),
    (
        "aliases",
        "bypasses the alias of AuthorizeFunction",
        put(
            "Api",
            {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${AuthorizeFunction.Arn}/invocations"},
            *(*AUTHORIZER, "authorizerUri"),
        ),
    ),
    ("rollback", "does not roll back", drop("PlaceOrderFunction", "Properties", "DeploymentPreference", "Alarms")),
    ("rollback", "which is not an alarm", drop("LiveErrorsAlarm", "Properties", "AlarmName")),
    ("rollback", "a single failure sets off", put("LiveErrorsAlarm", 1, "Properties", "DatapointsToAlarm")),
    ("rollback", "does not cover it", drop("LiveErrorsAlarm", "Properties", "Metrics", 1)),
    ("versions", "anew with another Release", drop("PlaceOrderFunction", "Properties", "AutoPublishCodeSha256")),
    ("versions", "anew with other code", put("PlaceOrderFunction", "0123456789", "Properties", "AutoPublishCodeSha256")),
    ("versions", "GetOrderFunction is not replaced", without_release),
    (
        "cycles",
        "depends on",
        put(
            "PlaceOrderFunction",
            [{"Ref": "LiveErrorsAlarm"}, {"Ref": "ApiErrorsAlarm"}],
            *("Properties", "DeploymentPreference", "Alarms"),
        ),
    ),
    ("edge", "there is no distribution", remove("EdgeDistribution")),
    ("edge", "EdgeDistribution exists, and costs", drop("EdgeDistribution", "Condition")),
    ("edge", "EdgeAcl exists, and costs", put("EdgeAcl", "Watched", "Condition")),
    ("edge", "old versions of TLS", put("EdgeDistribution", "TLSv1", *DISTRIBUTION, "ViewerCertificate", "MinimumProtocolVersion")),
    ("edge", "accepts plain HTTP", put("EdgeDistribution", "redirect-to-https", *BEHAVIOUR, "ViewerProtocolPolicy")),
    ("edge", "caches replies", put("EdgeDistribution", "658327ea-f89d-4fab-a63d-7e88639e58f6", *BEHAVIOUR, "CachePolicyId")),
    ("edge", "all headers but Host", drop("EdgeDistribution", *BEHAVIOUR, "OriginRequestPolicyId")),
    ("edge", "refuses PATCH", put("EdgeDistribution", ["GET", "HEAD"], *BEHAVIOUR, "AllowedMethods")),
    ("edge", "has no WAF", drop("EdgeDistribution", *DISTRIBUTION, "WebACLId")),
    ("edge", "true-client-ip of their own", drop("EdgeDistribution", *BEHAVIOUR, "FunctionAssociations")),
    ("edge", "true-client-ip of their own", put("EdgeClientAddress", "function handler(event) { return event.request; }", "Properties", "FunctionCode")),
    ("edge", "talks plain HTTP to api", put("EdgeDistribution", "http-only", *DISTRIBUTION, "Origins", 0, "CustomOriginConfig", "OriginProtocolPolicy")),
    ("edge", "no x-edge-key from a secret", put("EdgeDistribution", "known", *DISTRIBUTION, "Origins", 0, "OriginCustomHeaders", 0, "HeaderValue")),
    (
        "edge",
        "keeps the old key",
        put(
            "EdgeDistribution",
            {"Fn::Sub": "{{resolve:secretsmanager:${EdgeSecret}}}"},
            *(*DISTRIBUTION, "Origins", 0, "OriginCustomHeaders", 0, "HeaderValue"),
        ),
    ),
    ("edge", "GetOrderFunction does not know EdgeKeyHashes", without_key_hashes),
    ("web_acl", "not for CloudFront", put("EdgeAcl", "REGIONAL", "Properties", "Scope")),
    ("web_acl", "samples of requests", put("EdgeAcl", True, "Properties", "Rules", 0, "VisibilityConfig", "SampledRequestsEnabled")),
    ("web_acl", "does not limit all requests", drop("EdgeAcl", "Properties", "Rules", 1)),
    ("web_acl", "does not limit the account routes", put("EdgeAcl", 4000, "Properties", "Rules", 0, "Statement", "RateBasedStatement", "Limit")),
    ("web_acl", "does not limit the account routes", put("EdgeAcl", {"Count": {}}, "Properties", "Rules", 0, "Action")),
    ("web_acl", "does not limit the account routes", put("EdgeAcl", "^/api/auth/(login|register)$", *ACCOUNT_ROUTES)),
    ("web_acl", "keep who is signed in from /api/auth/refresh", put("EdgeAcl", "^/api/(auth|users)/", *ACCOUNT_ROUTES)),
    ("assertions", "do not assert EdgeCertificate", unasserted(0)),
    ("assertions", "do not assert AWS::Region and EdgeWebAcl", unasserted(1)),
    ("throttles", "post /api/auth/login hashes passwords", unthrottled("POST /api/auth/login")),
    ("throttles", "post /api/users/register hashes passwords", unthrottled("POST /api/users/register")),
    ("throttles", "post /api/auth/reset-password hashes passwords", unthrottled("POST /api/auth/reset-password")),
    (
        "throttles",
        "post /api/users/login hashes passwords for anybody, and has no ThrottlingRateLimit",
        put("Api", {"Ref": "RequestsPerSecond"}, "Properties", "RouteSettings", "POST /api/users/login", "ThrottlingRateLimit"),
    ),
    ("mail", "publishes no reputation metrics", drop("MailConfiguration", "Properties", "ReputationOptions")),
    ("mail", "sends again to addresses", put("MailConfiguration", ["BOUNCE"], "Properties", "SuppressionOptions", "SuppressedReasons")),
    ("mail", "does not count bounces", put("MailEvents", ["bounce"], "Properties", "EventDestination", "MatchingEventTypes")),
    ("mail", "publishes the addresses", put("MailEvents", {"TopicARN": {"Ref": "AlarmTopic"}}, "Properties", "EventDestination", "SnsDestination")),
    ("mail", "DeliverEmailFunction sends mails without", drop("DeliverEmailFunction", "Properties", "Environment", "Variables", "MAIL_CONFIGURATION")),
    ("mail", "no alarm on Reputation.BounceRate", put("MailBouncesAlarm", 0.1, "Properties", "Threshold")),
    ("mail", "no alarm on Reputation.ComplaintRate", drop("MailComplaintsAlarm", "Properties", "Dimensions")),
    ("reserved", "PlaceOrderFunction does not follow", drop("PlaceOrderFunction", "Properties", "ReservedConcurrentExecutions")),
    ("reserved", "may invoke 11 at once", put("AdvanceOrdersFunction", 11, *QUEUE, "ScalingConfig", "MaximumConcurrency")),
    ("alarms", "no alarm on Reputation.ComplaintRate", remove("MailComplaintsAlarm")),
    ("size", "over 450", permissions),
    ("size", "over 450", topics(100)),
    ("size", "ApiRole has policies of", verbose),
    ("no_code_deploy", "ServerlessDeploymentApplication", gradual_always),
]


class Checks(unittest.TestCase):
    def test_the_template_passes(self):
        self.assertEqual(findings(WRITTEN), [])

    def test_every_check_finds_what_it_is_for(self):
        for check, part, change in CASES:
            with self.subTest(check=check, part=part):
                broken = copy.deepcopy(WRITTEN)
                change(broken)
                found = [text for _, text in findings(broken, check)]
                self.assertTrue(any(part in text for text in found), found)

    def test_the_size_check_fails_one_resource_above_the_budget(self):
        left = RESOURCES_MAX - len(Template(grown(WRITTEN), GRADUAL).resources)
        for number, expected in ((left, 0), (left + 1, 1)):
            template = copy.deepcopy(WRITTEN)
            topics(number)(template)
            self.assertEqual(len(findings(template, "size")), expected, number)

    def test_every_check_has_a_case(self):
        checks = {check.__name__ for check in template_checks.GRADUAL_CHECKS + template_checks.ALL_AT_ONCE_CHECKS}
        self.assertEqual(checks, {check for check, _, _ in CASES})


if __name__ == "__main__":
    unittest.main()
