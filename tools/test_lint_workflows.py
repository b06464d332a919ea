"""What runs in GitHub Actions: whose code, and with which rights."""

import re
import unittest

from deploy import ROOT
from template_model import yaml_parse

WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")}
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}$|\./")


def steps(text):
    """All steps of a workflow, in order."""
    return [step for job in yaml_parse(text)["jobs"].values() for step in job.get("steps", [])]


def unpinned(text):
    return [step["uses"] for step in steps(text) if "uses" in step and not PINNED.match(step["uses"])]


def after_the_role(text):
    """What runs with the role's credentials."""
    names = [step.get("uses", step.get("run", "")) for step in steps(text)]
    assumed = [number for number, name in enumerate(names) if name.startswith("aws-actions/configure-aws-credentials")]
    return names[assumed[0] + 1 :] if assumed else []


class Workflows(unittest.TestCase):
    def test_actions_are_pinned_by_digest(self):
        for name, text in WORKFLOWS.items():
            self.assertEqual(unpinned(text), [], name)
        self.assertEqual(unpinned(WORKFLOWS["ci.yml"].replace("11bd71901bbe5b1630ceea73d27597364c9af683", "v4", 1)), ["actions/checkout@v4"])

    def test_nothing_is_built_with_the_credentials_of_the_role(self):
        for name, text in WORKFLOWS.items():
            for run in after_the_role(text):
                self.assertTrue(run.startswith("make deploy-built"), f"{name}: {run}")
        broken = WORKFLOWS["deploy.yml"].replace("make deploy-built", "make deploy")
        self.assertFalse(after_the_role(broken)[0].startswith("make deploy-built"))

    def test_what_is_deployed_has_the_architecture_that_was_tested(self):
        tested = re.search(r"make build .*cloud-test ARCH=(\w+)", WORKFLOWS["ci.yml"])[1]
        deployed = set(re.findall(r'"Architecture=(\w+)"', (ROOT / "samconfig.toml").read_text()))
        self.assertEqual({tested}, deployed)


if __name__ == "__main__":
    unittest.main()
