"""Checks of what a new account, or a second stack in one, would stumble over."""

from template_model import TEMPLATE, references

ACCESS = TEMPLATE.parent / "tests" / "shop" / "access.txt"
# Lambda: a mapping from a queue may not have less.
MAPPING_CONCURRENCY_MIN = 2
CORS_PARTS = {"allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "allowCredentials", "maxAge"}
ONE_MINUTE = "rate(1 minute)"


def openapi(template):
    """API Gateway imports the document without a warning, and guards what is not public."""
    public = {tuple(line.split()[:2]) for line in ACCESS.read_text().splitlines() if line.split()[2:3] == ["p"]}
    for name, api in template.of("AWS::ApiGatewayV2::Api"):
        if api.get("FailOnWarnings") is not True:
            yield f"{name} ignores warnings, such as of a route without its authorizer: FailOnWarnings"
        body = api["Body"]
        schemes = body["components"]["securitySchemes"]
        for scheme, written in schemes.items():
            authorizer = written["x-amazon-apigateway-authorizer"]
            if authorizer.get("identitySource") in ([], ""):
                yield f"{name}: {scheme} has an empty identitySource: leave it out"
            if authorizer.get("authorizerResultTtlInSeconds") != 0:
                yield f"{name}: {scheme} caches replies, so a session that has ended still opens doors"
        for path, operations in body["paths"].items():
            for method, operation in operations.items():
                asked = [scheme for each in operation.get("security", []) for scheme in each]
                for scheme in asked:
                    if scheme not in schemes:
                        yield f"{name}: {method} {path} names {scheme}, which is no security scheme"
                if not asked and path != "/$default" and (method.upper(), path) not in public:
                    yield f"{name}: {method} {path} has no authorizer, and tests/shop/access.txt does not say that it is public"
                if not operation.get("responses"):
                    yield f"{name}: {method} {path} has no responses, which OpenAPI requires"
        # SAM's CorsConfiguration drops what is beside a function in AllowOrigins.
        cors = body.get("x-amazon-apigateway-cors", {})
        for part in sorted(CORS_PARTS - cors.keys()):
            yield f"{name}: CORS has no {part}"
        origins = cors.get("allowOrigins", [])
        if not isinstance(origins, list) and "Fn::Split" not in origins:
            yield f"{name}: allowOrigins is {origins}, which is not a list whatever the transform makes of it"


def secrets(template):
    """A secret is kept as long as what it decrypts."""
    for name, _ in template.of("AWS::SecretsManager::Secret"):
        resource = template.resources[name]
        if not resource.get("DeletionPolicy", "").startswith("Retain"):
            yield f"{name} is deleted with its stack, while tables stay"
        if resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{name} is deleted when it is replaced"


def concurrency(template):
    """No queue can take all of the account's concurrency."""
    for name, mapping, _ in template.mappings("Arn"):
        most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 0)
        if most < MAPPING_CONCURRENCY_MIN:
            yield f"{name} has no MaximumConcurrency of at least {MAPPING_CONCURRENCY_MIN}"


def schedules(template):
    """What runs every minute does not run all at the same second."""
    for name, schedule in template.of("AWS::Scheduler::Schedule"):
        if schedule["ScheduleExpression"] == ONE_MINUTE and schedule["FlexibleTimeWindow"]["Mode"] != "FLEXIBLE":
            yield f"{name} runs when all others do: FlexibleTimeWindow"


def identities(template):
    """A sender that exists outside the stack is not created again."""
    for name, _ in template.of("AWS::SES::EmailIdentity"):
        condition = template.resources[name].get("Condition")
        if "SesIdentity" not in references(template.written["Conditions"].get(condition, {})):
            yield f"{name} collides with an identity that the account has: Condition"
