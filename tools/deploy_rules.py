"""What may not be deployed where. Each rule names the parameter to change."""

import json
from urllib.parse import urlsplit

# Sends no mail and has no customers.
DEVELOPMENT = "dev"
# With real customers: somebody has to hear about failures.
PRODUCTION = "prod"

# Read here and not a parameter of the template.
SANDBOX_PAYMENTS = "SandboxPayments"

# AWS: a function's name has 64 characters, and ours begin with the stack's name.
STACK_NAME_MAX = 38
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104
EXAMPLE_DOMAINS = ("example.com", "example.org", "example.net")

# CloudFront reads certificates and web ACLs of this region only.
EDGE_REGION = "us-east-1"
# Lambda: what has to remain for functions that reserve nothing.
UNRESERVED_MIN = 100
# An authorizer and a function, up to 0.1 seconds each.
EXECUTION_SECONDS_A_REQUEST = 0.2


class DeployError(Exception):
    """The request cannot be deployed."""


def forbidden(environment, stack, chosen, sandbox_accepted=False):
    """Why these parameters, defaults included, may not be deployed; nothing if they may."""
    if len(stack) > STACK_NAME_MAX:
        yield f"stack_name is {stack}: over {STACK_NAME_MAX} characters, which leaves too few for the names of functions"
    origins = [origin.strip() for origin in chosen["AllowedOrigins"].split(",")]
    if "*" in origins:
        yield "AllowedOrigins is *: API Gateway refuses it together with credentials; name the origins"
    if environment == DEVELOPMENT:
        return
    sender = chosen["MailFrom"]
    if sender.rpartition("@")[2] in EXAMPLE_DOMAINS:
        yield f"MailFrom is {sender}: {_how('MailFrom', 'a sender of your own')}"
    links = chosen["PublicUrl"]
    if not _public(links):
        yield f"PublicUrl is {links}: links in mails need a public https URL; {_how('PublicUrl', 'it')}"
    for origin in origins:
        if not _public(origin):
            yield (
                f"AllowedOrigins contains {origin}: a page there could act for whoever is signed in; "
                + _how("AllowedOrigins", "public https origins")
            )
    if chosen["AdminMfa"] != "required":
        yield f"AdminMfa is {chosen['AdminMfa']}: a stolen password would be an admin's; {_how('AdminMfa', 'required')}"
    if chosen["PaymentProvider"] == "sandbox" and (environment == PRODUCTION or not sandbox_accepted):
        instead = "" if environment == PRODUCTION else f", or {SANDBOX_PAYMENTS}=accepted where nothing is sold"
        yield (
            "PaymentProvider is sandbox: it moves no money, and its test cards buy for nothing; "
            + _how("PaymentProvider", "a real provider")
            + instead
        )
    if environment == PRODUCTION and not chosen["AlarmEmail"]:
        yield f"AlarmEmail is empty: nobody would hear of an alarm; {_how('AlarmEmail', 'an address')}"


def edge_faults(where, chosen):
    """Why there can be no such edge in this region; nothing if there can."""
    if not chosen["EdgeDomain"]:
        for name in ("EdgeCertificate", "EdgeWebAcl"):
            if chosen[name]:
                yield f"{name} is set, but EdgeDomain is empty, so that there is no edge; set EdgeDomain, or leave both out"
        return
    if not chosen["EdgeCertificate"]:
        yield f"EdgeCertificate is empty: EdgeDomain needs a certificate for {chosen['EdgeDomain']} in {EDGE_REGION}"
    if not chosen["EdgeWebAcl"] and where != EDGE_REGION:
        yield f"EdgeWebAcl is empty: a stack in {where} cannot create a web ACL for CloudFront; name one of {EDGE_REGION} (docs/operations.md)"


def edge_dropped(values, chosen):
    """The edge of a stack is neither removed nor unlocked by forgetting a parameter."""
    for name in ("EdgeDomain", "EdgeKeyHashes"):
        if values.get(name) and name not in chosen:
            yield f"{name} is {values[name]} in the stack, and not given now: {_how(name, 'it')} (empty to give it up)"


def returning(values, chosen, effective):
    """Parameters that return to their defaults because nobody gave them."""
    for name, value in sorted(values.items()):
        if name in effective and name not in chosen and effective[name] != value:
            yield f"{name} returns from {value} to its default, {effective[name] or 'nothing'}"


def concurrency_faults(chosen, reserving, quota):
    """What Lambda would refuse to reserve, given the account's concurrent executions."""
    reserved = int(chosen["ReservedConcurrency"]) * reserving
    if reserved and quota - reserved < UNRESERVED_MIN:
        yield (
            f"ReservedConcurrency is {chosen['ReservedConcurrency']}: {reserving} functions reserve {reserved} of {quota} "
            f"concurrent executions, and Lambda requires that {UNRESERVED_MIN} remain"
        )


def warnings(environment, chosen, quota):
    """What may be deployed, and that somebody should know about."""
    if environment == PRODUCTION and not (chosen["EdgeDomain"] or chosen["EdgeKeyHashes"]):
        yield "EdgeDomain is empty: there is no CloudFront and no WAF in front of the API, and no limit for each client but those of the functions"
    if chosen["EdgeDomain"] and not chosen["EdgeKeyHashes"]:
        yield "EdgeKeyHashes is empty: the API also answers whoever goes around CloudFront (docs/operations.md has the second step)"
    if quota is not None:
        occupied = int(chosen["RequestsPerSecond"]) * EXECUTION_SECONDS_A_REQUEST
        if occupied > quota / 2:
            yield (
                f"RequestsPerSecond is {chosen['RequestsPerSecond']}: that many requests occupy about {occupied:.0f} of the account's "
                f"{quota} concurrent executions, and more than half leaves too few for orders that are being paid"
            )


def index_changes(old, new):
    """Tables with more changes of indexes than DynamoDB makes in one update."""
    for name, resource in new["Resources"].items():
        before = old["Resources"].get(name)
        if resource["Type"] == "AWS::DynamoDB::Table" and before:
            changed = _indexes(before).items() ^ _indexes(resource).items()
            names = sorted({index for index, _ in changed})
            if len(names) > 1:
                yield f"{name} changes {len(names)} indexes ({', '.join(names)}): DynamoDB makes one change an update"


def filter_changes(old, new):
    """Subscriptions whose filter changes, which SNS applies within 15 minutes only."""
    for name, resource in new["Resources"].items():
        before = old["Resources"].get(name)
        if resource["Type"] == "AWS::SNS::Subscription" and before:
            added = _types(resource) - _types(before)
            if added:
                yield (
                    f"{name} newly accepts {', '.join(sorted(added))}: for 15 minutes events of these types may be dropped; "
                    "release this before the code that publishes them"
                )


def _types(subscription):
    types = subscription.get("Properties", {}).get("FilterPolicy", {}).get("type", [])
    return {each for each in types if isinstance(each, str)}


def _indexes(table):
    found = table.get("Properties", {}).get("GlobalSecondaryIndexes", [])
    return {index["IndexName"]: json.dumps([index["KeySchema"], index["Projection"]], sort_keys=True) for index in found}


def _public(url):
    """Whether this is an https URL of a host that others can reach."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and "." in host and host not in LOCAL_HOSTS and not host.endswith(".localhost")


def _how(name, value):
    return f"set {value} in samconfig.toml, or with PARAMETERS={name}=…"
