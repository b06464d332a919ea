"""What `make deploy` passes to SAM."""

import tempfile
import tomllib
import unittest
from pathlib import Path

from deploy import ROOT, DeployError, command, parameters, release
from template_model import Template, read

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
KNOWN = read()["Parameters"]
MINE = "MailFrom=shop@ada.dev"


class Deploy(unittest.TestCase):
    def test_environments_have_their_parameters_and_stacks(self):
        dev = parameters(CONFIG, "dev", [], KNOWN)
        self.assertEqual((dev["Alarms"], dev["DeletionProtection"], dev["Deployment"]), ("off", "off", "AllAtOnce"))
        prod = parameters(CONFIG, "prod", [MINE], KNOWN)
        self.assertEqual((prod["Alarms"], prod["DeletionProtection"]), ("on", "on"))
        self.assertTrue(Template(read(), prod).of("AWS::CodeDeploy::DeploymentGroup"))
        for environment in ("dev", "staging"):
            chosen = parameters(CONFIG, environment, [MINE], KNOWN)
            self.assertFalse(Template(read(), chosen).of("AWS::CodeDeploy::DeploymentGroup"))
        stacks = {CONFIG[name]["global"]["parameters"]["stack_name"] for name in ("dev", "staging", "prod")}
        self.assertEqual(len(stacks), 3)

    def test_values_are_allowed_by_the_template(self):
        for environment in ("dev", "staging", "prod"):
            for name, value in parameters(CONFIG, environment, [MINE], KNOWN).items():
                allowed = KNOWN[name].get("AllowedValues")
                if allowed:
                    self.assertIn(value, [str(item) for item in allowed], name)

    def test_given_parameters_override_the_file(self):
        chosen = parameters(CONFIG, "prod", [MINE, "Deployment=AllAtOnce"], KNOWN)
        self.assertEqual((chosen["Deployment"], chosen["Alarms"]), ("AllAtOnce", "on"))
        self.assertIn('Deployment="AllAtOnce"', command("prod", chosen))

    def test_mistakes_are_reported(self):
        for environment, given, part in [
            ("production", [], "no environment production"),
            ("dev", ["Alarm=off"], "no parameter Alarm"),
            ("dev", ["Alarms"], "Alarms is not Name=value"),
            ("prod", [], "MailFrom is shop@example.com"),
        ]:
            with self.subTest(part), self.assertRaisesRegex(DeployError, part):
                parameters(CONFIG, environment, given, KNOWN)

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
