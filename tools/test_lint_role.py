"""The checks of docs/deploy-role.md find what they are for.

A case changes a copy of the page in one place, and names part of the finding.
"""

import unittest

from deploy_role import DOCUMENT, findings
from template_model import read

WRITTEN, TEXT = read(), DOCUMENT.read_text()

CASES = [
    ("Subscriptions: sns:Unsubscribe works on subscriptions", '"sns:Unsubscribe"], "Resource": "*"', '"sns:Unsubscribe"], "Resource": "arn:aws:sns:REGION:ACCOUNT:STACK-*"'),
    ("AWS::SNS::Subscription needs sns:SetSubscriptionAttributes", '"sns:SetSubscriptionAttributes", ', ""),
    ("AWS::IAM::Role needs iam:ListRolePolicies", '"iam:ListRolePolicies", ', ""),
    ("AWS::IAM::Role needs iam:ListAttachedRolePolicies", '"iam:ListAttachedRolePolicies", ', ""),
    ("AWS::IAM::Role needs iam:UpdateRole on", '"iam:UpdateRole",', ""),
    ("iam:PassRole without iam:PassedToService", '"iam:PassedToService"', '"aws:PrincipalType"'),
    ("iam:PassRole to scheduler", '"scheduler.amazonaws.com", ', ""),
    ("iam:CreateServiceLinkedRole without iam:AWSServiceName", '"iam:AWSServiceName"', '"aws:PrincipalType"'),
    ("iam:PutRolePolicy without iam:PermissionsBoundary", '"iam:PermissionsBoundary"', '"aws:PrincipalType"'),
    ("too much: iam:AttachRolePolicy", "service-role/AWSCodeDeployRoleForLambda", "*"),
    ("too much: dynamodb:DeleteTable", "table/STACK-*\", \"arn:aws:sqs", 'table/emporium-*", "arn:aws:sqs'),
    ("too much: lambda:UpdateFunctionCode", '"lambda:*", "Resource": "arn:aws:lambda:REGION:ACCOUNT:function:STACK-*"', '"lambda:*", "Resource": "*"'),
    ("AWS::CloudFront::Distribution needs cloudfront:UpdateDistribution", '"cloudfront:UpdateDistribution", ', ""),
    ("cloudfront:CreateDistribution on *", '"cloudfront:CreateDistribution", ', ""),
    ("too much: cloudfront:UpdateFunction", "ACCOUNT:function/STACK-*\" },\n    { \"Sid\": \"EdgeAcl", "ACCOUNT:function/*\" },\n    { \"Sid\": \"EdgeAcl"),
    ("too much: wafv2:DeleteWebACL", "global/webacl/STACK-*", "global/webacl/*"),
    ("AWS::WAFv2::WebACL needs wafv2:CreateWebACL", '"wafv2:CreateWebACL", ', ""),
    ("AWS::SES::ConfigurationSet needs ses:PutConfigurationSetSuppressionOptions", '"ses:PutConfigurationSet*Options"', '"ses:PutConfigurationSetSendingOptions"'),
    ("cloudformation:DeleteStack", ', "cloudformation:DeleteStack"', ""),
    ("cloudformation:ContinueUpdateRollback", '"cloudformation:ContinueUpdateRollback"', '"cloudformation:ListStackResources"'),
    ("there is no action iam:ListRolePolicy", '"iam:ListRolePolicies"', '"iam:ListRolePolicy"'),
    ("secretsmanager:GetRandomPassword knows no resource", '"secretsmanager:*"', '"secretsmanager:GetRandomPassword"'),
    ("dynamodb:GetItem, which the boundary does not have", '"dynamodb:GetItem", ', ""),
    ("the boundary has iam:PassRole", '"sns:Publish",', '"sns:Publish", "iam:PassRole",'),
]


class DeployRole(unittest.TestCase):
    def test_the_page_passes(self):
        self.assertEqual(findings(TEXT, WRITTEN), [])

    def test_every_mistake_is_found(self):
        for part, old, new in CASES:
            with self.subTest(part):
                self.assertIn(old, TEXT)
                found = findings(TEXT.replace(old, new, 1), WRITTEN)
                self.assertTrue(any(part in text for text in found), found)

    def test_a_new_type_of_resource_has_to_say_what_it_needs(self):
        changed = {**WRITTEN, "Resources": {**WRITTEN["Resources"], "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "b"}}}}
        self.assertIn("AWS::Events::EventBus", "\n".join(findings(TEXT, changed)))


if __name__ == "__main__":
    unittest.main()
