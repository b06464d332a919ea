"""Each check of the template finds what it is there for.

A case breaks a copy of template.yaml in one place and names the check and a part
of what it must say. Run by `make lint-template`.
"""

import copy
import unittest

import template_checks
from lint_template import findings
from template_model import read

WRITTEN = read()


def drop(name, *path):
    """Takes a property away."""

    def change(template):
        node = template["Resources"][name]
        for key in path[:-1]:
            node = node[key]
        del node[path[-1]]

    return change


def put(name, value, *path):
    """Gives a property another value."""

    def change(template):
        node = template["Resources"][name]
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return change


def remove(name):
    """Takes a resource away."""
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


def grow(template):
    for number in range(200):
        template["Resources"][f"More{number}"] = {"Type": "AWS::SNS::Topic"}


def without_tracing(template):
    del template["Globals"]["Function"]["Tracing"]


def without_release(template):
    del template["Globals"]["Function"]["Environment"]


QUEUE = ("Properties", "Events", "Messages", "Properties")
STREAM = ("Properties", "Events", "Outbox", "Properties")

CASES = [
    ("visibility", "hides messages for 59 s", put("AdvanceOrdersQueue", 59, "Properties", "VisibilityTimeout")),
    ("visibility", "hides messages for 30 s", drop("AdvanceOrdersQueue", "Properties", "VisibilityTimeout")),
    ("visibility", "needs 66", put("DeliverEmailFunction", 11, "Properties", "Timeout")),
    ("dead_letter_queues", "AdvanceOrdersQueue has no dead-letter", drop("AdvanceOrdersQueue", "Properties", "RedrivePolicy")),
    ("dead_letter_queues", "after its first try", put("AdvanceOrdersQueue", 1, "Properties", "RedrivePolicy", "maxReceiveCount")),
    ("dead_letter_queues", "AdvanceOrdersDeadLetterQueue fills", remove("AdvanceOrdersDeadLettersAlarm")),
    ("dead_letter_queues", "FailedRecordsQueue fills", remove("FailedRecordsAlarm")),
    ("dead_letter_queues", "is not encrypted", drop("AdvanceOrdersQueue", "Properties", "SqsManagedSseEnabled")),
    ("dead_letter_queues", "for 14 days", put("FailedRecordsQueue", 345600, "Properties", "MessageRetentionPeriod")),
    ("subscriptions", "AdvanceOrdersFromCatalog", drop("AdvanceOrdersFromCatalog", "Properties", "RedrivePolicy")),
    ("mappings", "ReportBatchItemFailures", drop("AdvanceOrdersFunction", *QUEUE, "FunctionResponseTypes")),
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
        put("AdvanceOrdersQueuePolicy", "*", "Properties", "PolicyDocument", "Statement", 0, "Principal"),
    ),
    ("tables", "no point-in-time", drop("OrdersTable", "Properties", "PointInTimeRecoverySpecification")),
    ("tables", "DeletionProtection", put("OrdersTable", False, "Properties", "DeletionProtectionEnabled")),
    ("tables", "goes with its stack", drop("OrdersTable", "DeletionPolicy")),
    ("tables", "when it is replaced", drop("OrdersTable", "UpdateReplacePolicy")),
    ("logs", "OrdersLogs is kept for ever", drop("OrdersLogs", "Properties", "RetentionInDays")),
    ("logs", "not of this template", drop("GetOrderFunction", "Properties", "LoggingConfig", "LogGroup")),
    ("logs", "does not log JSON", drop("GetOrderFunction", "Properties", "LoggingConfig", "LogFormat")),
    ("api", "ThrottlingRateLimit", drop("Api", "Properties", "DefaultRouteSettings", "ThrottlingRateLimit")),
    ("api", "ThrottlingBurstLimit", drop("Api", "Properties", "DefaultRouteSettings", "ThrottlingBurstLimit")),
    ("api", "no access log", drop("Api", "Properties", "AccessLogSettings")),
    ("api", "not JSON", put("Api", "$context.requestId", "Properties", "AccessLogSettings", "Format")),
    ("api", "no $context.status", put("Api", '{"id":"$context.requestId"}', "Properties", "AccessLogSettings", "Format")),
    ("tracing", "GetOrderFunction has no Tracing", without_tracing),
    ("tracing", "GetOrderRole lacks xray:PutTelemetryRecords", statement("GetOrderRole", 2, "Action", "xray:PutTraceSegments")),
    ("alarms", "AdvanceOrdersQueue grows old", remove("AdvanceOrdersAgeAlarm")),
    ("alarms", "AdvanceOrdersFunction fails", remove("AdvanceOrdersErrorsAlarm")),
    ("alarms", "ExpireReservationsFunction fails", remove("ExpireReservationsErrorsAlarm")),
    ("alarms", "falls behind", remove("RelayOrderEventsAgeAlarm")),
    ("alarms", "no alarm on StuckOrders", remove("StuckOrdersAlarm")),
    ("alarms", "no alarm on 5xx", remove("ApiErrorsAlarm")),
    ("alarms", "tells nobody", drop("ThrottlesAlarm", "Properties", "AlarmActions")),
    ("alarms", "takes silence", put("ThrottlesAlarm", "breaching", "Properties", "TreatMissingData")),
    ("alarms", "all shops", drop("StuckOrdersAlarm", "Properties", "Dimensions")),
    ("alarms", "Dashboard is not JSON", put("Dashboard", {"Fn::Sub": '{"widgets": [,]}'}, "Properties", "DashboardBody")),
    ("metrics", "StuckOrder by", put("StuckOrdersAlarm", "StuckOrder", "Properties", "MetricName")),
    ("metrics", "StuckOrders by []", drop("StuckOrdersAlarm", "Properties", "Dimensions")),
    ("metrics", "Dashboard looks at OrdersPlace by", dashboard("OrdersPlaced", "OrdersPlace")),
    ("metrics", "Dashboard looks at OrdersFailed by", dashboard("Shop,Reason", "Shop,Cause")),
    ("metrics", "Dashboard looks at RequestLatency by", dashboard('"Service", "users"', '"Function", "users"')),
    (
        "aliases",
        "PlaceOrderFunction goes past the alias of ReserveStockFunction",
        put(
            "PlaceOrderFunction",
            {"Ref": "ReserveStockFunction"},
            *("Properties", "Environment", "Variables", "RESERVE_STOCK_FUNCTION"),
        ),
    ),
    (
        "aliases",
        "PlaceOrderRole goes past",
        statement("PlaceOrderRole", 1, "Resource", {"Fn::GetAtt": ["ReserveStockFunction", "Arn"]}),
    ),
    (
        "aliases",
        "goes past the alias of AuthorizeFunction",
        put(
            "Api",
            {"Fn::GetAtt": ["AuthorizeFunction", "Arn"]},
            *("Properties", "Auth", "Authorizers", "Session", "FunctionArn"),
        ),
    ),
    ("rollback", "does not roll back", drop("PlaceOrderFunction", "Properties", "DeploymentPreference", "Alarms")),
    ("rollback", "which is no alarm", drop("LiveErrorsAlarm", "Properties", "AlarmName")),
    ("rollback", "does not look at it", drop("LiveErrorsAlarm", "Properties", "Metrics", 1)),
    ("versions", "stays with another Release", drop("PlaceOrderFunction", "Properties", "AutoPublishCodeSha256")),
    ("versions", "stays with other code", put("PlaceOrderFunction", "0123456789", "Properties", "AutoPublishCodeSha256")),
    ("versions", "GetOrderFunction is not replaced", without_release),
    (
        "cycles",
        "waits for",
        put(
            "PlaceOrderFunction",
            [{"Ref": "LiveErrorsAlarm"}, {"Ref": "ApiErrorsAlarm"}],
            *("Properties", "DeploymentPreference", "Alarms"),
        ),
    ),
    ("size", "over 450", grow),
    ("no_code_deploy", "ServerlessDeploymentApplication", gradual_always),
]


class Checks(unittest.TestCase):
    def test_the_template_passes(self):
        self.assertEqual(findings(WRITTEN), [])

    def test_each_check_finds_what_it_is_for(self):
        for check, part, change in CASES:
            with self.subTest(check=check, part=part):
                broken = copy.deepcopy(WRITTEN)
                change(broken)
                found = [text for _, text in findings(broken, check)]
                self.assertTrue(any(part in text for text in found), found)

    def test_no_check_is_without_a_case(self):
        checks = {check.__name__ for check in template_checks.GRADUAL_CHECKS + template_checks.ALL_AT_ONCE_CHECKS}
        self.assertEqual(checks, {check for check, _, _ in CASES})


if __name__ == "__main__":
    unittest.main()
