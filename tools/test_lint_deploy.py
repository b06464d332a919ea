"""What `make deploy` passes to SAM."""

import copy
import re
import tempfile
import tomllib
import unittest
from pathlib import Path

from deploy import FIRST, ROOT, command, parameters, region, release, reserving, stack_of, steps, with_defaults
from deploy_rules import STACK_NAME_MAX, DeployError, concurrency_faults, edge_dropped, edge_faults, filter_changes, forbidden, index_changes, returning, warnings
from template_model import Template, read

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
KNOWN, KNOWN_RESOURCES = read()["Parameters"], read()["Resources"]
# What an operator has to set; the provider stands for one that takes money.
MINE = [
    "MailFrom=shop@ada.dev",
    "AllowedOrigins=https://shop.ada.dev",
    "PublicUrl=https://shop.ada.dev",
    "AlarmEmail=ada@ada.dev",
    "PaymentProvider=acme",
]


def names_of(resource):
    """What comes after the stack's name in a function's name."""
    named = resource.get("Properties", {}).get("FunctionName", {})
    return [named["Fn::Sub"].removeprefix("${AWS::StackName}")] if named else []


class Deploy(unittest.TestCase):
    def test_environments_have_their_parameters_and_stacks(self):
        dev = parameters(CONFIG, "dev", [], KNOWN)
        self.assertEqual((dev["Alarms"], dev["DeletionProtection"], dev["Deployment"]), ("off", "off", "AllAtOnce"))
        prod = parameters(CONFIG, "prod", MINE, KNOWN)
        self.assertEqual((prod["Alarms"], prod["DeletionProtection"]), ("on", "on"))
        self.assertTrue(Template(read(), prod).of("AWS::CodeDeploy::DeploymentGroup"))
        for environment in ("dev", "staging"):
            chosen = parameters(CONFIG, environment, MINE, KNOWN)
            self.assertFalse(Template(read(), chosen).of("AWS::CodeDeploy::DeploymentGroup"))
        stacks = {CONFIG[name]["global"]["parameters"]["stack_name"] for name in ("dev", "staging", "prod")}
        self.assertEqual(len(stacks), 3)

    def test_values_are_allowed_by_the_template(self):
        for environment in ("dev", "staging", "prod"):
            for name, value in parameters(CONFIG, environment, MINE, KNOWN).items():
                allowed = KNOWN[name].get("AllowedValues")
                if allowed and f"{name}={value}" not in MINE:
                    self.assertIn(value, [str(item) for item in allowed], name)

    def test_given_parameters_override_the_file(self):
        chosen = parameters(CONFIG, "prod", [*MINE, "Deployment=AllAtOnce"], KNOWN)
        self.assertEqual((chosen["Deployment"], chosen["Alarms"]), ("AllAtOnce", "on"))
        self.assertIn('Deployment="AllAtOnce"', command("prod", "eu-central-1", chosen))
        self.assertIn("eu-central-1", command("prod", "eu-central-1", chosen))

    def test_mistakes_are_reported(self):
        for environment, given, part in [
            ("production", [], "no environment production"),
            ("dev", ["Alarm=off"], "no parameter Alarm"),
            ("dev", ["Alarms"], "Alarms is not Name=value"),
            ("prod", [], "MailFrom is shop@example.com"),
        ]:
            with self.subTest(part), self.assertRaisesRegex(DeployError, part):
                parameters(CONFIG, environment, given, KNOWN)

    def test_defaults_for_a_laptop_are_refused_outside_dev(self):
        self.assertTrue(parameters(CONFIG, "dev", [], KNOWN))
        for change, part in [
            ("MailFrom=shop@example.com", "MailFrom is shop@example.com"),
            ("PublicUrl=http://localhost:3000", "PublicUrl is http://localhost:3000"),
            ("PublicUrl=http://shop.ada.dev", "PublicUrl is http://shop.ada.dev"),
            ("PublicUrl=https://127.0.0.1", "PublicUrl is https://127.0.0.1"),
            ("AllowedOrigins=http://localhost:5173", "AllowedOrigins contains http://localhost:5173"),
            ("AllowedOrigins=https://shop.ada.dev,https://localhost", "AllowedOrigins contains https://localhost"),
            ("AdminMfa=optional", "AdminMfa is optional"),
            ("PaymentProvider=sandbox", "PaymentProvider is sandbox"),
        ]:
            for environment in ("staging", "prod"):
                with self.subTest(change, environment=environment), self.assertRaisesRegex(DeployError, part):
                    parameters(CONFIG, environment, [*MINE, change], KNOWN)

    def test_nobody_to_tell_of_an_alarm_is_refused_in_prod(self):
        with self.assertRaisesRegex(DeployError, "AlarmEmail is empty"):
            parameters(CONFIG, "prod", [*MINE, "AlarmEmail="], KNOWN)
        parameters(CONFIG, "staging", [*MINE, "AlarmEmail="], KNOWN)

    def test_payments_that_move_no_money_have_to_be_accepted_and_never_are_in_prod(self):
        given = [*MINE, "PaymentProvider=sandbox", "SandboxPayments=accepted"]
        self.assertNotIn("SandboxPayments", parameters(CONFIG, "staging", given, KNOWN))
        with self.assertRaisesRegex(DeployError, "PaymentProvider is sandbox"):
            parameters(CONFIG, "prod", given, KNOWN)

    def test_any_origin_is_refused_everywhere(self):
        with self.assertRaisesRegex(DeployError, "AllowedOrigins is \\*"):
            parameters(CONFIG, "dev", ["AllowedOrigins=*"], KNOWN)

    def test_every_fault_is_named_at_once(self):
        with self.assertRaises(DeployError) as raised:
            parameters(CONFIG, "prod", ["AdminMfa=optional"], KNOWN)
        for name in ("MailFrom", "PublicUrl", "AllowedOrigins", "AdminMfa", "PaymentProvider", "AlarmEmail"):
            self.assertIn(f"{name} ", str(raised.exception))

    def test_a_stack_name_leaves_room_for_the_names_of_functions(self):
        names = [text for name in KNOWN_RESOURCES.values() for text in names_of(name)]
        longest = max(len(name) for name in names)
        self.assertLessEqual(STACK_NAME_MAX + longest, 64)
        chosen = {name: str(parameter.get("Default", "")) for name, parameter in KNOWN.items()}
        self.assertEqual(list(forbidden("dev", "s" * STACK_NAME_MAX, chosen)), [])
        self.assertIn("stack_name", next(forbidden("dev", "s" * (STACK_NAME_MAX + 1), chosen)))

    def test_an_environment_keeps_its_architecture(self):
        for environment in ("staging", "prod"):
            with self.assertRaisesRegex(DeployError, "Architecture is x86_64"):
                parameters(CONFIG, environment, [*MINE, "Architecture=x86_64"], KNOWN)
        self.assertEqual(parameters(CONFIG, "dev", ["Architecture=x86_64"], KNOWN)["Architecture"], "x86_64")

    def test_a_stack_is_created_so_that_it_can_roll_back_and_protected_afterwards(self):
        chosen = parameters(CONFIG, "prod", [*MINE, "Release=0123456789"], KNOWN)
        for state in (None, "REVIEW_IN_PROGRESS"):
            first, then = steps("emporium", state, chosen)
            self.assertEqual(first, {**chosen, "DeletionProtection": "off", "Deployment": "AllAtOnce"})
            self.assertEqual(then, chosen)
            self.assertEqual(first["Release"], then["Release"])
        self.assertEqual(steps("emporium", "UPDATE_COMPLETE", chosen), [chosen])
        self.assertEqual(len(steps("emporium-dev", None, parameters(CONFIG, "dev", [], KNOWN))), 1)
        self.assertTrue(set(FIRST) <= KNOWN.keys())

    def test_a_stack_that_cannot_be_updated_is_refused_with_the_command_that_helps(self):
        for state, part in [
            ("ROLLBACK_COMPLETE", "delete-stack --stack-name emporium"),
            ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name emporium"),
        ]:
            with self.subTest(state), self.assertRaisesRegex(DeployError, part):
                steps("emporium", state, {})

    def test_the_region_is_the_one_that_the_operator_named(self):
        self.assertEqual(region("eu-central-1", None), "eu-central-1")
        self.assertEqual(region(None, "eu-central-1"), "eu-central-1")
        with self.assertRaisesRegex(DeployError, "AWS_REGION is eu-central-1, but"):
            region("eu-central-1", "us-east-1")
        with self.assertRaisesRegex(DeployError, "set AWS_REGION"):
            region(None, None)

    def test_more_than_one_change_of_a_tables_indexes_is_refused(self):
        written = read()
        for gone, expected in ([], 0), ([0], 0), ([0, 1], 1):
            changed = copy.deepcopy(written)
            indexes = changed["Resources"]["OrdersTable"]["Properties"]["GlobalSecondaryIndexes"]
            for number in reversed(gone):
                del indexes[number]
            with self.subTest(gone):
                found = list(index_changes(written, changed))
                self.assertEqual(len(found), expected, found)
                self.assertEqual(list(index_changes(changed, written)), [each for each in found])

    def test_an_edge_is_not_removed_or_unlocked_by_forgetting_a_parameter(self):
        values = {"EdgeDomain": "api.ada.dev", "EdgeKeyHashes": "a" * 64, "EdgeWebAcl": ""}
        self.assertEqual([text.split()[0] for text in edge_dropped(values, {})], ["EdgeDomain", "EdgeKeyHashes"])
        self.assertEqual(list(edge_dropped(values, {"EdgeDomain": "", "EdgeKeyHashes": ""})), [])
        self.assertEqual(list(edge_dropped({}, {})), [])

    def test_a_parameter_that_returns_to_its_default_is_named(self):
        effective = with_defaults({"Alarms": "off"}, KNOWN)
        found = list(returning({"RequestsPerSecond": "500", "Alarms": "on", "RequestsBurst": "10", "Gone": "1"}, {"Alarms": "off"}, effective))
        self.assertEqual(found, ["RequestsPerSecond returns from 500 to its default, 10"])

    def test_a_filter_that_accepts_more_is_warned_about(self):
        written = read()
        changed = copy.deepcopy(written)
        changed["Resources"]["DeliverEmailFromNotifications"]["Properties"]["FilterPolicy"]["type"].append("notification.expired")
        self.assertIn("DeliverEmailFromNotifications newly accepts notification.expired", "".join(filter_changes(written, changed)))
        self.assertEqual(list(filter_changes(changed, written)), [])
        self.assertEqual(list(filter_changes({"Resources": {}}, written)), [])

    def test_an_edge_that_cannot_be_created_is_refused_by_the_parameters_name(self):
        domain, certificate = {"EdgeDomain": "api.ada.dev"}, {"EdgeCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
        acl = {"EdgeWebAcl": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/shop/1"}
        for where, given, named in [
            ("us-east-1", {}, []),
            ("us-east-1", domain | certificate, []),
            ("eu-central-1", domain | certificate | acl, []),
            ("us-east-1", domain, ["EdgeCertificate"]),
            ("eu-central-1", domain | certificate, ["EdgeWebAcl"]),
            ("eu-central-1", domain, ["EdgeCertificate", "EdgeWebAcl"]),
            ("us-east-1", certificate, ["EdgeCertificate"]),
            ("us-east-1", acl, ["EdgeWebAcl"]),
        ]:
            with self.subTest(where=where, given=given):
                found = list(edge_faults(where, with_defaults(given, KNOWN)))
                self.assertEqual([text.split()[0] for text in found], named, found)

    def test_edge_parameters_are_checked_by_the_template(self):
        for name, good, bad in [
            ("EdgeDomain", "api.ada.dev", "https://api.ada.dev"),
            ("EdgeCertificate", "arn:aws:acm:us-east-1:123456789012:certificate/1", "arn:aws:acm:eu-central-1:123456789012:certificate/1"),
            ("EdgeWebAcl", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/shop/1", "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/1"),
            ("EdgeKeyHashes", f"{'a' * 64},{'0' * 64}", "A" * 64),
        ]:
            pattern = KNOWN[name]["AllowedPattern"]
            self.assertTrue(all(re.fullmatch(pattern, value) for value in ("", good)), name)
            self.assertIsNone(re.fullmatch(pattern, bad), name)

    def test_a_shop_without_an_edge_or_with_an_open_origin_is_warned_about(self):
        domain, key = {"EdgeDomain": "api.ada.dev"}, {"EdgeKeyHashes": "a" * 64}
        for environment, given, named in [
            ("prod", {}, ["EdgeDomain"]),
            ("staging", {}, []),
            ("prod", domain, ["EdgeKeyHashes"]),
            ("prod", domain | key, []),
            # Somebody else's CDN.
            ("prod", key, []),
        ]:
            with self.subTest(environment, given=given):
                found = list(warnings(environment, with_defaults(given, KNOWN), 1000))
                self.assertEqual([text.split()[0] for text in found], named)

    def test_defaults_suit_a_new_accounts_ten_executions_and_prod_is_warned_about_them(self):
        self.assertEqual(list(warnings("dev", with_defaults({}, KNOWN), 10)), [])
        chosen = with_defaults(parameters(CONFIG, "prod", [*MINE, "EdgeKeyHashes=" + "a" * 64], KNOWN), KNOWN)
        self.assertIn("RequestsPerSecond is 100", "".join(warnings("prod", chosen, 10)))
        self.assertEqual(list(warnings("prod", chosen, 1000)), [])
        # Not everybody may look the quota up.
        self.assertEqual(list(warnings("prod", chosen, None)), [])

    def test_what_lambda_would_not_reserve_is_refused(self):
        self.assertEqual(reserving(read()), 5)
        for chosen, quota, refused in [("0", 10, 0), ("10", 149, 1), ("10", 150, 0), ("50", 1000, 0), ("200", 1000, 1)]:
            with self.subTest(chosen, quota=quota):
                found = list(concurrency_faults({"ReservedConcurrency": chosen}, 5, quota))
                self.assertEqual(len(found), refused, found)

    def test_environments_have_names_that_do_not_contain_each_other(self):
        stacks = [stack_of(CONFIG, name) for name in CONFIG if name != "version"]
        for one in stacks:
            others = [other for other in stacks if other != one and f"{other}-".startswith(f"{one}-")]
            self.assertEqual(others, [], one)

    def test_a_release_depends_on_template_binaries_and_parameters(self):
        with tempfile.TemporaryDirectory() as folder:
            template = Path(folder, "template.yaml")
            binary = Path(folder, "place-order", "bootstrap")
            binary.parent.mkdir()
            template.write_text("a")
            binary.write_text("b")
            first = release({"A": "1"}, template, [binary])
            self.assertRegex(first, KNOWN["Release"]["AllowedPattern"].removeprefix("|"))
            self.assertEqual(first, release({"A": "1"}, template, [binary]))
            self.assertNotEqual(first, release({"A": "2"}, template, [binary]))
            binary.write_text("c")
            second = release({"A": "1"}, template, [binary])
            template.write_text("d")
            third = release({"A": "1"}, template, [binary])
            self.assertEqual(len({first, second, third}), 3)
            with self.assertRaisesRegex(DeployError, "make build"):
                release({}, template, [])


if __name__ == "__main__":
    unittest.main()
