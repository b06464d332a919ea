"""The template as CloudFormation receives it: processed by SAM, with queries over the result."""

import contextlib
import copy
import io
import logging
import os
import re
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
# It logs a missing feature toggle once for each function.
logging.getLogger("samtranslator").setLevel(logging.ERROR)
logging.getLogger("samtranslator").propagate = False

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
FUNCTION = "AWS::Serverless::Function"

ALL_AT_ONCE = {"Deployment": "AllAtOnce"}
GRADUAL = {"Deployment": "Canary10Percent5Minutes"}


class _NoPolicies:
    """SAM asks AWS for managed policies when a template names one; ours does not."""

    @staticmethod
    def load():
        return {}


def read(path=TEMPLATE):
    """The template before SAM processes it."""
    return yaml_parse(path.read_text())


class Template:
    """What SAM makes of a template with these parameters."""

    def __init__(self, written, parameters, bucket="code"):
        self.written, self.parameters = written, parameters
        source = copy.deepcopy(written)
        for resource in source["Resources"].values():
            if resource["Type"] == FUNCTION:
                # `sam deploy` uploads the code and puts its address here.
                resource["Properties"]["CodeUri"] = f"s3://{bucket}/" + resource["Properties"]["CodeUri"]
        with contextlib.redirect_stderr(io.StringIO()):
            processed = transform(source, dict(parameters), _NoPolicies())
        self.resources = processed["Resources"]

    def of(self, *types):
        """Logical id and properties of the resources of these types."""
        return [
            (name, resource.get("Properties", {}))
            for name, resource in self.resources.items()
            if resource["Type"] in types
        ]

    def again(self, bucket="code", **parameters):
        """The same with other parameters or other code."""
        return Template(self.written, {**self.parameters, **parameters}, bucket)

    def kind(self, name):
        return self.resources.get(name, {}).get("Type")

    def function_of(self, reference):
        """The function that a reference leads to, directly or through its alias."""
        for name in references(reference):
            if self.kind(name) == "AWS::Lambda::Alias":
                return next(iter(references(self.resources[name]["Properties"]["FunctionName"])))
            if self.kind(name) == "AWS::Lambda::Function":
                return name
        return None

    def mappings(self, attribute):
        """Event source mappings from a queue (`Arn`) or a stream (`StreamArn`)."""
        found = []
        for name, mapping in self.of("AWS::Lambda::EventSourceMapping"):
            source = mapping["EventSourceArn"]
            if isinstance(source, dict) and source.get("Fn::GetAtt", [None, None])[1] == attribute:
                found.append((name, mapping, source["Fn::GetAtt"][0]))
        return found

    def metrics_of_alarms(self):
        """Each metric that makes an alarm ring: the alarm, the metric, its dimensions."""
        found = []
        for name, alarm in self.of("AWS::CloudWatch::Alarm"):
            one = {"Dimensions": alarm.get("Dimensions", []), "MetricName": alarm.get("MetricName")}
            for metric in metrics_in(alarm["Metrics"]) if "Metrics" in alarm else [one]:
                dimensions = {item["Name"]: item["Value"] for item in metric.get("Dimensions", [])}
                found.append((name, metric["MetricName"], dimensions))
        return found

    def alarmed(self, metric, dimension, resource):
        """Whether an alarm depends on this metric of this resource."""
        return any(
            name == metric and resource in references(dimensions.get(dimension))
            for _, name, dimensions in self.metrics_of_alarms()
        )


def metrics_in(parts):
    """The metrics that the result of an alarm's expressions depends on."""
    by_id = {part["Id"]: part for part in parts}
    wanted = [part["Id"] for part in parts if part.get("ReturnData", True)]
    found = {}
    while wanted:
        part = by_id[wanted.pop()]
        if "MetricStat" in part:
            found[part["Id"]] = part["MetricStat"]["Metric"]
        elif "METRICS()" in part["Expression"]:
            wanted += [name for name, other in by_id.items() if "MetricStat" in other and name not in found]
        else:
            wanted += by_id.keys() & set(re.findall(r"\w+", part["Expression"]))
    return list(found.values())


def references(node):
    """The logical ids that a piece of a template refers to."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = set()
    for key, value in node.items():
        if key == "Ref":
            found.add(value)
        elif key == "Fn::GetAtt":
            found.add((value if isinstance(value, str) else value[0]).split(".")[0])
        elif key == "Fn::Sub":
            text = value if isinstance(value, str) else value[0]
            found |= {name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)}
            found |= references(value[1:] if isinstance(value, list) else None)
        elif key == "DependsOn":
            found |= {value} if isinstance(value, str) else set(value)
        else:
            found |= references(value)
    return found


def texts(node):
    """All texts in a piece of a template."""
    if isinstance(node, str):
        return [node]
    if isinstance(node, dict):
        node = list(node.values())
    return [text for item in node for text in texts(item)] if isinstance(node, list) else []


def as_list(node):
    return node if isinstance(node, list) else [node]
