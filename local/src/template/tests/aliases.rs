//! Aliases of functions, and e-mail subscriptions.

use super::*;

const SHOP: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Deployment: {Type: String, Default: AllAtOnce}
Mappings:
  Deployments: {AllAtOnce: {Gradual: 'false'}}
Globals: {Function: {Runtime: provided.al2023, Handler: bootstrap}}
Resources:
  CallerFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: target/lambda/caller/
      Role: !GetAtt CallerRole.Arn
      Environment: {Variables: {CALLED: !Ref CalledFunction.Alias}}
  CallerRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyDocument:
            Statement: {Effect: Allow, Action: 'lambda:InvokeFunction', Resource: !Ref CalledFunction.Alias}
  CalledFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub '${AWS::StackName}-called'
      CodeUri: target/lambda/called/
      AutoPublishAlias: live
      DeploymentPreference:
        Enabled: !FindInMap [Deployments, !Ref Deployment, Gradual]
        Type: !Ref Deployment
  Topic: {Type: AWS::SNS::Topic}
  Told:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: email, Endpoint: ada@example.com}
"#;

#[test]
fn an_alias_refers_to_its_function() {
    let template = read(SHOP).unwrap();
    let caller = template.function("caller").unwrap();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:emporium-called:live";
    assert_eq!(caller.environment["CALLED"], arn);
    let [statement] = caller.statements.as_slice() else {
        panic!("{:?}", caller.statements);
    };
    assert_eq!(statement.resource, "CalledFunction");
    let called = template.function("called").unwrap();
    assert_eq!(called.alias.as_deref(), Some("live"));
    assert_eq!(caller.alias, None);
}

#[test]
fn a_function_is_invoked_by_its_names_and_by_no_others() {
    let template = read(SHOP).unwrap();
    let called = template.function("called").unwrap();
    let arn = called.arn();
    for name in [
        "emporium-called",
        "emporium-called:live",
        "emporium-called:$LATEST",
        &arn,
        &format!("{arn}:live"),
        &format!("{arn}:$LATEST"),
    ] {
        assert!(called.is_called(name), "{name}");
    }
    for name in [
        "emporium-called-twice",
        "emporium-called:dead",
        "emporium-called:",
        "called",
        &format!("{arn}:3"),
    ] {
        assert!(!called.is_called(name), "{name}");
    }
    let caller = template.function("caller").unwrap();
    assert!(!caller.is_called(&format!("{}:live", caller.arn())));
}

#[test]
fn an_alias_that_is_not_published_is_rejected() {
    let text = SHOP.replace("      AutoPublishAlias: live\n", "");
    let error = read(&text).unwrap_err();
    assert_eq!(error.reason, "CalledFunction has no AutoPublishAlias");
    let text = SHOP.replace("!Ref CalledFunction.Alias", "!Ref Topic.Alias");
    assert_eq!(
        read(&text).unwrap_err().reason,
        "Topic has no AutoPublishAlias"
    );
}

#[test]
fn email_subscriptions_are_accepted_and_other_protocols_rejected() {
    let template = read(SHOP).unwrap();
    assert!(template.accepted.contains_key("Told"));
    assert!(template.subscriptions.is_empty());
    let text = SHOP.replace("Protocol: email", "Protocol: https");
    assert_eq!(
        read(&text).unwrap_err().reason,
        "Protocol can only be sqs here, not https"
    );
}
