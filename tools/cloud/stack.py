"""The template as a stack: deployed by `sam deploy`, and completed.

The emulator's CloudFormation ignores the OpenAPI body of an HTTP API and drops
TTL. Both are created here, from the processed template and nothing else. Creating
none is an error: tests against a shop without routes would prove little.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import boto3
from botocore.config import Config

REGION = "us-east-1"
#: The methods of a path in an OpenAPI document; `$default` has the last.
METHODS = {"get", "put", "post", "patch", "delete", "x-amazon-apigateway-any-method"}


class Incomplete(Exception):
    """Something that the template asks for could not be created."""


@dataclass
class Stack:
    """A deployed stack."""

    name: str
    endpoint: str
    #: Role and function of each integration and authorizer that was created.
    invocations: set[tuple[str, str]] = field(default_factory=set)

    def client(self, service: str):
        """A client of the emulator, as the account's root."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 2}, read_timeout=60),
        )

    def deploy(
        self,
        root: Path,
        environment: dict[str, str],
        parameters: dict[str, str],
        *,
        rollback: bool = False,
        output: BinaryIO | None = None,
    ) -> None:
        """`sam deploy` of the template, as an operator runs it."""
        self.client("s3").create_bucket(Bucket=f"{self.name}-artifacts")
        # Not the repository's: its settings are for real deployments.
        config = Path(environment["TMPDIR"]) / "samconfig.toml"
        config.write_text("version = 0.1\n")
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        command = [
            *("sam", "deploy", "--no-progressbar"),
            *("--template-file", str(root / "template.yaml")),
            *("--config-file", str(config)),
            *("--stack-name", self.name, "--region", REGION),
            *("--s3-bucket", f"{self.name}-artifacts"),
            *("--capabilities", "CAPABILITY_IAM"),
            *("--no-confirm-changeset", "--no-disable-rollback" if rollback else "--disable-rollback"),
            *("--parameter-overrides", *overrides),
        ]
        subprocess.run(command, env=environment, cwd=root, check=True, timeout=600, stdout=output, stderr=output)

    def resources(self) -> dict[str, dict]:
        """The stack's resources by logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        found = {}
        for page in pages.paginate(StackName=self.name):
            for resource in page["StackResourceSummaries"]:
                found[resource["LogicalResourceId"]] = resource
        return found

    def processed(self) -> dict:
        """The template after the SAM transform."""
        answer = self.client("cloudformation").get_template(
            StackName=self.name, TemplateStage="Processed"
        )
        body = answer["TemplateBody"]
        return json.loads(body) if isinstance(body, str) else body

    def function_arn(self, uri: object, resources: dict[str, dict]) -> str:
        """The function that an integration or an authorizer names."""
        names = re.findall(r"\w+", json.dumps(uri))
        for name in names:
            kind = resources.get(name, {}).get("ResourceType")
            if kind == "AWS::Lambda::Alias":
                return resources[name]["PhysicalResourceId"]
            if kind == "AWS::Lambda::Function":
                physical = resources[name]["PhysicalResourceId"]
                found = self.client("lambda").get_function(FunctionName=physical)
                return found["Configuration"]["FunctionArn"]
        raise Incomplete(f"no function in {uri}")

    def invoked_by(self, credentials: object, function: str, resources: dict[str, dict]) -> str:
        """The ARN of the role in which API Gateway invokes a function."""
        for name in re.findall(r"\w+", json.dumps(credentials)):
            if resources.get(name, {}).get("ResourceType") == "AWS::IAM::Role":
                role = resources[name]["PhysicalResourceId"]
                self.invocations.add((role, function))
                return self.client("iam").get_role(RoleName=role)["Role"]["Arn"]
        raise Incomplete(f"{function} has no role to be invoked in: {credentials}")

    def complete(self, parameters: dict[str, str]) -> tuple[str, int]:
        """Creates what CloudFormation left out; the API's id and the number of routes."""
        template, resources = self.processed(), self.resources()
        api, body = api_of(template)
        api_id = resources[api]["PhysicalResourceId"]
        self.make_cors(api_id, body, parameters)
        authorizers = self.make_authorizers(api_id, body, resources)
        routes = self.make_routes(api_id, body, authorizers, resources)
        tables = self.make_ttl(template, resources)
        if not (routes and authorizers and tables):
            raise Incomplete(
                f"{routes} routes, {len(authorizers)} authorizers, {tables} tables with TTL"
            )
        return api_id, routes

    def make_cors(self, api_id: str, body: dict, parameters: dict[str, str]) -> None:
        """The CORS configuration."""
        asked = body["x-amazon-apigateway-cors"]
        origins = asked["allowOrigins"]
        if isinstance(origins, dict) and "Fn::Split" in origins:
            origins = origins["Fn::Split"][1]
        if isinstance(origins, dict):
            origins = parameters[origins["Ref"]]
        if isinstance(origins, str):
            origins = origins.split(",")
        names = {
            "allowMethods": "AllowMethods",
            "allowHeaders": "AllowHeaders",
            "exposeHeaders": "ExposeHeaders",
            "allowCredentials": "AllowCredentials",
            "maxAge": "MaxAge",
        }
        cors = {ours: asked[theirs] for theirs, ours in names.items() if theirs in asked}
        self.client("apigatewayv2").update_api(
            ApiId=api_id, CorsConfiguration={**cors, "AllowOrigins": origins}
        )

    def make_authorizers(self, api_id: str, body: dict, resources: dict) -> dict[str, str]:
        """The authorizers; their ids by name."""
        made = {}
        for name, scheme in body["components"]["securitySchemes"].items():
            asked = scheme["x-amazon-apigateway-authorizer"]
            arn = self.function_arn(asked["authorizerUri"], resources)
            answer = self.client("apigatewayv2").create_authorizer(
                ApiId=api_id,
                Name=name,
                AuthorizerType="REQUEST",
                AuthorizerUri=invoke_uri(arn),
                AuthorizerCredentialsArn=self.invoked_by(asked.get("authorizerCredentials"), arn, resources),
                AuthorizerPayloadFormatVersion=asked["authorizerPayloadFormatVersion"],
                EnableSimpleResponses=asked["enableSimpleResponses"],
                AuthorizerResultTtlInSeconds=asked["authorizerResultTtlInSeconds"],
                IdentitySource=[],
            )
            made[name] = answer["AuthorizerId"]
        return made

    def make_routes(self, api_id: str, body: dict, authorizers: dict, resources: dict) -> int:
        """The routes with their integrations; their number."""
        api = self.client("apigatewayv2")
        made = 0
        for path, operations in body["paths"].items():
            for method in METHODS & operations.keys():
                operation = operations[method]
                asked = operation["x-amazon-apigateway-integration"]
                function = self.function_arn(asked["uri"], resources)
                integration = api.create_integration(
                    ApiId=api_id,
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=invoke_uri(function),
                    CredentialsArn=self.invoked_by(asked.get("credentials"), function, resources),
                    PayloadFormatVersion=asked["payloadFormatVersion"],
                )
                key = "$default" if path == "/$default" else f"{method.upper()} {path}"
                guard = guard_of(operation, authorizers)
                target = f"integrations/{integration['IntegrationId']}"
                api.create_route(ApiId=api_id, RouteKey=key, Target=target, **guard)
                made += 1
        return made

    def make_ttl(self, template: dict, resources: dict) -> int:
        """The tables' time to live; the number of tables that have one."""
        made = 0
        for name, resource in template["Resources"].items():
            asked = resource.get("Properties", {}).get("TimeToLiveSpecification")
            if resource["Type"] == "AWS::DynamoDB::Table" and asked:
                self.client("dynamodb").update_time_to_live(
                    TableName=resources[name]["PhysicalResourceId"],
                    TimeToLiveSpecification={
                        "AttributeName": asked["AttributeName"],
                        "Enabled": asked["Enabled"] in (True, "true"),
                    },
                )
                made += 1
        return made

    def secret(self, logical_id: str) -> str:
        """The value of a secret of the stack."""
        name = self.resources()[logical_id]["PhysicalResourceId"]
        return self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]


def api_of(template: dict) -> tuple[str, dict]:
    """The HTTP API's logical id and its OpenAPI body."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::ApiGatewayV2::Api":
            return name, resource["Properties"]["Body"]
    raise Incomplete("the template has no HTTP API")


def guard_of(operation: dict, authorizers: dict[str, str]) -> dict[str, str]:
    """The authorizer of a route, as `create_route` takes it."""
    for scheme in operation.get("security", []):
        for name in scheme:
            if name != "NONE":
                return {"AuthorizationType": "CUSTOM", "AuthorizerId": authorizers[name]}
    return {"AuthorizationType": "NONE"}


def invoke_uri(arn: str) -> str:
    """The URI by which API Gateway invokes a function."""
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
