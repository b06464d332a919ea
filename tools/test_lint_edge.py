"""The web ACL for stacks that cannot create it, and what CloudFront runs."""

import json
import unittest

import botocore.session
from botocore.validate import ParamValidator

from edge_acl import request
from template_model import read


class WebAcl(unittest.TestCase):
    def test_the_call_is_one_that_waf_knows(self):
        asked = request(read(), "emporium-prod")
        self.assertEqual(asked["Name"], "emporium-prod-edge")
        self.assertNotIn("Fn::", json.dumps(asked))
        model = botocore.session.get_session().get_service_model("wafv2").operation_model("CreateWebACL")
        self.assertEqual(ParamValidator().validate(asked, model.input_shape).generate_report(), "")

    def test_a_blocked_request_gets_a_problem_of_the_shop(self):
        acl = request(read(), "emporium-prod")
        for rule in acl["Rules"]:
            body = acl["CustomResponseBodies"][rule["Action"]["Block"]["CustomResponse"]["CustomResponseBodyKey"]]
            problem = json.loads(body["Content"])
            self.assertEqual((problem["status"], problem["code"], problem["success"]), (429, "too_many_requests", False))


if __name__ == "__main__":
    unittest.main()
