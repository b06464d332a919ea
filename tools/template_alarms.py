"""Checks of what watches the shop: alarms, the dashboard, and what rolls back."""

import json
import re

from template_model import TEMPLATE, references, texts

# CloudWatch: the metrics that an alarm on an expression may use.
ALARM_METRICS_MAX = 10
NAMESPACE = "Emporium"
METRICS = TEMPLATE.parent / "docs" / "metrics.md"
# Metrics of alarms over several queues or functions that the dashboard shows.
SHOWN_METRICS = {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "IteratorAge"}
# Alarms on the shop as a whole, by their metric.
SHOP_METRICS = {"5xx", "Latency", "Throttles", "StuckOrders", "Contradictions", "FailingFor", "BreakerOpen", "Reputation.BounceRate", "Reputation.ComplaintRate"}


def alarms(template):
    """Whatever can stall unnoticed has an alarm that reaches the topic."""
    for _, mapping, queue in template.mappings("Arn"):
        if not template.alarmed("ApproximateAgeOfOldestMessage", "QueueName", queue):
            yield f"{queue}: messages can wait without an alarm"
    unattended = {template.function_of(mapping["FunctionName"]) for _, mapping in template.of("AWS::Lambda::EventSourceMapping")}
    for _, rule in template.of("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        unattended.add(template.function_of(rule.get("Targets") or rule.get("Target")))
    for function in sorted(unattended):
        if not template.alarmed("Errors", "FunctionName", function):
            yield f"{function} can fail without an alarm"
    for _, mapping, _ in template.mappings("StreamArn"):
        function = template.function_of(mapping["FunctionName"])
        if not template.alarmed("IteratorAge", "FunctionName", function):
            yield f"{function} can fall behind its stream without an alarm"
    for metric in sorted(SHOP_METRICS - {metric for _, metric, _ in template.metrics_of_alarms()}):
        yield f"there is no alarm on {metric}"
    for name, alarm in template.of("AWS::CloudWatch::Alarm"):
        metrics_used = sum("MetricStat" in part for part in alarm.get("Metrics", []))
        if metrics_used > ALARM_METRICS_MAX:
            yield f"{name} looks at {metrics_used} metrics; CloudWatch takes {ALARM_METRICS_MAX}"
        if not any(template.kind(topic) == "AWS::SNS::Topic" for topic in references(alarm.get("AlarmActions"))):
            yield f"{name} notifies nobody"
        if alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name} rings when there is no data: TreatMissingData"
        if alarm.get("Namespace") == NAMESPACE and "Shop" not in texts(alarm.get("Dimensions", [])):
            yield f"{name} is not limited to this shop: Dimensions"
    for name, dashboard in template.of("AWS::CloudWatch::Dashboard"):
        try:
            json.loads(dashboard["DashboardBody"]["Fn::Sub"])
        except ValueError as error:
            yield f"{name} is not JSON: {error}"
        # It shows which of its queues and functions an alarm is about.
        shown = references(dashboard)
        for _, metric, dimensions in template.metrics_of_alarms():
            queues = {queue for queue in references(dimensions) if metric in SHOWN_METRICS}
            for missing in sorted(queues - shown):
                yield f"{name} does not show {metric} of {missing}"


def metrics(template):
    """Alarms and the dashboard use metrics that functions publish.

    docs/metrics.md lists them, and a test compares it with the code.
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
            yield f"{name} uses {metric} by {sorted(dimensions)}, which no function publishes"


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


def _rate(alarm):
    """Whether an alarm looks at a share and not at a number."""
    return any("/" in part.get("Expression", "") for part in alarm.get("Metrics", []))


def rollback(template):
    """A gradual deployment rolls back when what it deploys fails."""
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
                yield f"{name} watches {stop}, which is not an alarm"
        for stop in stops:
            alarm = template.resources.get(alarms_by_name.get(stop), {}).get("Properties", {})
            if not _rate(alarm) and alarm.get("DatapointsToAlarm", alarm.get("EvaluationPeriods", 1)) < 2:
                yield f"{name} is stopped by {stop}, which a single failure sets off"
    for _, alias in template.of("AWS::Lambda::Alias"):
        function = template.function_of(alias["FunctionName"])
        called = texts(template.resources[function]["Properties"]["FunctionName"])[0]
        if f"{called}:{alias['Name']}" not in watched:
            yield f"{function} is deployed gradually, and LiveErrorsAlarm does not cover it"
