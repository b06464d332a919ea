"""Checks of what stands before the functions, and of the mails that leave them."""

import re

from template_model import TEMPLATE, references, texts

HANDLERS = TEMPLATE.parent / "functions" / "users" / "src" / "api"
HASHES = re.compile(r"\bpasswords::(hash|verify)\b")
# CloudFront's managed policies CachingDisabled and AllViewerExceptHostHeader.
NO_CACHE, ALL_BUT_HOST = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "b689b0a8-53d0-40ab-baf2-68738e2966ac"
METHODS = {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
# What anybody may ask for, and what somebody who is signed in needs: that must not depend
# on others at the same address.
GUESSES = ("/api/auth/login", "/api/users/login", "/api/auth/register", "/api/users/register", "/api/auth/reset-password", "/api/auth/forgot-password", "/api/auth/resend-verification")
SESSIONS = ("/api/auth/refresh", "/api/auth/verify", "/api/auth/verify-email", "/api/auth/logout", "/api/auth/me", "/api/users/sessions")
# At these SES places an account under review ("Reputation metrics", SES Developer Guide).
MAIL_LIMITS = {"Reputation.BounceRate": 0.05, "Reputation.ComplaintRate": 0.001}
# Everything that the life of an order invokes, except what only sends mail.
MONEY = {f"{name}Function" for name in ("PlaceOrder", "ReserveStock", "SettleReservations", "AdvanceOrders", "ProcessPayments")}


def edge(template):
    """CloudFront passes everything on, says who the client is, and proves itself."""
    distributions = template.of("AWS::CloudFront::Distribution")
    if not distributions:
        yield "there is no distribution"
    for name, resource in template.resources.items():
        if resource["Type"].startswith(("AWS::CloudFront::", "AWS::WAFv2::")):
            if not {"EdgeDomain", "EdgeWebAcl"} & _condition(template, resource.get("Condition")):
                yield f"{name} exists, and costs, without EdgeDomain: Condition"
    for name, distribution in distributions:
        config = distribution["DistributionConfig"]
        behaviour, certificate = config["DefaultCacheBehavior"], config.get("ViewerCertificate", {})
        if certificate.get("MinimumProtocolVersion") != "TLSv1.2_2021":
            yield f"{name} accepts old versions of TLS"
        if behaviour.get("ViewerProtocolPolicy") != "https-only":
            yield f"{name} accepts plain HTTP: a redirect comes after the token was sent"
        if behaviour.get("CachePolicyId") != NO_CACHE:
            yield f"{name} caches replies, which are of one person"
        if behaviour.get("OriginRequestPolicyId") != ALL_BUT_HOST:
            yield f"{name} does not pass on all headers but Host, which has to be the API's"
        for method in sorted(METHODS - set(behaviour.get("AllowedMethods", []))):
            yield f"{name} refuses {method}"
        if not config.get("WebACLId"):
            yield f"{name} has no WAF: WebACLId"
        yield from _client_address(template, name, behaviour)
        for origin in config["Origins"]:
            if origin.get("CustomOriginConfig", {}).get("OriginProtocolPolicy") != "https-only":
                yield f"{name} talks plain HTTP to {origin['Id']}"
            keys = [header["HeaderValue"] for header in origin.get("OriginCustomHeaders", []) if header["HeaderName"] == "x-edge-key"]
            if not any("{{resolve:secretsmanager:" in str(key) for key in keys):
                yield f"{name} sends no x-edge-key from a secret to {origin['Id']}"
            if not any("EdgeKeyVersion" in references(key) for key in keys):
                yield f"{name} keeps the old key when it is replaced: the reference does not change with EdgeKeyVersion"
    for name, function in template.of("AWS::Lambda::Function"):
        if function.get("Environment", {}).get("Variables", {}).get("EDGE_KEY_HASHES") != {"Ref": "EdgeKeyHashes"}:
            yield f"{name} does not know EdgeKeyHashes"


def _client_address(template, name, behaviour):
    """The client cannot say who it is: a function that CloudFront runs says it."""
    for association in behaviour.get("FunctionAssociations", []):
        for function in references(association["FunctionARN"]):
            code = template.resources[function]["Properties"]["FunctionCode"]
            if association["EventType"] == "viewer-request" and "headers['true-client-ip'] = { value: event.viewer.ip }" in code:
                return
    yield f"{name} lets clients send a true-client-ip of their own"


def _condition(template, name):
    """The parameters that a condition depends on."""
    written = template.written["Conditions"].get(name, {})
    found = references(written)
    for inner in re.findall(r"'Condition': '(\w+)'", str(written)):
        found |= _condition(template, inner)
    return found


def web_acl(template):
    """WAF limits each client, and on the account routes more strictly."""
    for name, acl in template.of("AWS::WAFv2::WebACL"):
        if acl.get("Scope") != "CLOUDFRONT":
            yield f"{name} is not for CloudFront: Scope"
        if "true" in str([each.get("VisibilityConfig", {}).get("SampledRequestsEnabled") for each in (acl, *acl["Rules"])]).lower():
            yield f"{name} keeps samples of requests, with their access tokens"
        everything, accounts = None, None
        for rule in acl["Rules"]:
            rate = rule["Statement"].get("RateBasedStatement", {})
            if rate.get("AggregateKeyType") != "IP" or "Block" not in rule.get("Action", {}):
                continue
            scope = rate.get("ScopeDownStatement")
            if scope is None:
                everything = rate["Limit"]
                continue
            routes = re.compile(scope.get("RegexMatchStatement", {}).get("RegexString", "(?!)"))
            if all(routes.search(path) for path in GUESSES):
                accounts = rate["Limit"]
            for path in SESSIONS:
                if routes.search(path):
                    yield f"{name}: {rule['Name']} lets others at an address keep who is signed in from {path}"
        if not everything:
            yield f"{name} does not limit all requests of a client"
        if not accounts or accounts >= (everything or accounts + 1):
            yield f"{name} does not limit the account routes ({', '.join(GUESSES)}) more strictly"


def assertions(template):
    """An edge that cannot be created is refused before anything is touched."""
    asserted = [each["Assert"] for rule in template.written.get("Rules", {}).values() for each in rule["Assertions"]]
    for needed in ({"EdgeCertificate"}, {"EdgeWebAcl", "AWS::Region"}):
        if needed not in [references(each) for each in asserted]:
            yield f"Rules do not assert {' and '.join(sorted(needed))}"


def throttles(template):
    """A flood of log-ins does not use up the API: hashing is dear, and anybody may ask."""
    hashing = {path.stem.replace("_", "-") for path in HANDLERS.glob("*.rs") if HASHES.search(path.read_text())}
    if not hashing:
        yield f"no handler in {HANDLERS.name} hashes passwords as far as this check can see"
    ((_, stage),) = template.of("AWS::ApiGatewayV2::Stage")
    settings, general = stage.get("RouteSettings", {}), stage["DefaultRouteSettings"]
    for name, api in template.of("AWS::ApiGatewayV2::Api"):
        for path, operations in api["Body"]["paths"].items():
            for method, operation in operations.items():
                function = template.function_of(operation["x-amazon-apigateway-integration"]["uri"])
                called = texts(template.resources[function]["Properties"]["FunctionName"])[0].removeprefix("${AWS::StackName}-")
                if operation.get("security") or called not in hashing:
                    continue
                own = settings.get(f"{method.upper()} {path}", {})
                for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
                    if own.get(limit) in (None, general.get(limit)):
                        yield f"{name}: {method} {path} hashes passwords for anybody, and has no {limit} of its own"


def mail(template):
    """Bounces and complaints are counted, watched, and not provoked again."""
    sets = template.of("AWS::SES::ConfigurationSet")
    for name, configuration in sets:
        if configuration.get("ReputationOptions", {}).get("ReputationMetricsEnabled") is not True:
            yield f"{name} publishes no reputation metrics, which alarms watch"
        if set(configuration.get("SuppressionOptions", {}).get("SuppressedReasons", [])) != {"BOUNCE", "COMPLAINT"}:
            yield f"{name} sends again to addresses that bounced or complained"
    for name, destination in template.of("AWS::SES::ConfigurationSetEventDestination"):
        event = destination["EventDestination"]
        if not {"bounce", "complaint"} <= set(event["MatchingEventTypes"]) or event.get("Enabled") is not True:
            yield f"{name} does not count bounces and complaints"
        if "SnsDestination" in event:
            yield f"{name} publishes the addresses of recipients"
    names = {name for name, _ in sets}
    for name, function in template.of("AWS::Lambda::Function"):
        variables = function.get("Environment", {}).get("Variables", {})
        if "MAIL_FROM" in variables and not references(variables.get("MAIL_CONFIGURATION")) & names:
            yield f"{name} sends mails without a configuration set: MAIL_CONFIGURATION"
    for metric, most in MAIL_LIMITS.items():
        found = [alarm for _, alarm in template.of("AWS::CloudWatch::Alarm") if alarm.get("MetricName") == metric]
        watched = [alarm for alarm in found if alarm["Threshold"] <= most and references(alarm.get("Dimensions")) & names]
        if not watched:
            yield f"there is no alarm on {metric} of the configuration set at {most} or below"


def reserved(template):
    """The path of the money can be given concurrency of its own, and mappings fit in it."""
    least = min(value for value in template.written["Parameters"]["ReservedConcurrency"]["AllowedValues"] if value)
    for name in sorted(MONEY):
        if references(template.resources[name]["Properties"].get("ReservedConcurrentExecutions")) != {"ReservedConcurrency", "AWS::NoValue"}:
            yield f"{name} does not follow ReservedConcurrency"
    for name, mapping, _ in template.mappings("Arn"):
        most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency", 0)
        if template.function_of(mapping["FunctionName"]) in MONEY and most > least:
            yield f"{name} may invoke {most} at once, more than the {least} that can be reserved: the rest is throttled"
