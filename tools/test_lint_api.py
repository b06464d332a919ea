"""The API's document as API Gateway receives it."""

import json
import unittest

from api_body import document
from template_model import GRADUAL, Template, read


class Document(unittest.TestCase):
    def test_two_origins_are_two(self):
        template = Template(read(), {**GRADUAL, "AllowedOrigins": "https://shop.ada.dev,https://admin.ada.dev"})
        found = document(template)
        self.assertEqual(found["x-amazon-apigateway-cors"]["allowOrigins"], ["https://shop.ada.dev", "https://admin.ada.dev"])
        text = json.dumps(found)
        self.assertNotIn("Fn::", text)
        self.assertNotIn('"Ref"', text)
        self.assertNotIn("${", text)
        self.assertIn("function:LogInFunction:live/invocations", text)


if __name__ == "__main__":
    unittest.main()
