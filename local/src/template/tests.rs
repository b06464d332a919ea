use std::{collections::BTreeMap, time::Duration};

use super::*;

mod aliases;

const SHOP: &str = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  AllowedOrigins: {Type: CommaDelimitedList, Default: 'https://shop.example, https://admin.example'}
  OrderLimit: {Type: Number, Default: 60}
  Stage: {Type: String, Default: prod}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsTest: !Not [{Condition: IsProd}]
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    Timeout: 10
    MemorySize: 256
    Architectures: [arm64]
    Environment: {Variables: {RUST_LOG: info, TABLE: none}}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: Session
        Authorizers:
          Session:
            FunctionArn: !GetAtt AuthorizeFunction.Arn
            AuthorizerPayloadFormatVersion: 2.0
            EnableSimpleResponses: true
            Identity: {ReauthorizeEvery: 0}
      CorsConfiguration:
        AllowOrigins: !Ref AllowedOrigins
        AllowMethods: [GET, POST]
        AllowHeaders: [Authorization]
        AllowCredentials: true
        MaxAge: 600
  AuthorizeFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: target/lambda/authorize/}
  PlaceOrderFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub '${AWS::StackName}-place-order'
      CodeUri: target/lambda/place-order/
      Role: !GetAtt PlaceOrderRole.Arn
      Environment:
        Variables:
          TABLE: !Ref OrdersTable
          QUEUE_URL: !Ref OrdersQueue
          LIMIT: !Ref OrderLimit
          TOPIC: !Join [':', [arn, !GetAtt OrdersTopic.TopicName]]
          PROD: !If [IsProd, 'yes', 'no']
          GONE: !If [IsProd, !Ref 'AWS::NoValue', x]
      Events:
        Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: post, Path: /api/orders}}
        Open:
          Type: HttpApi
          Properties: {ApiId: !Ref Api, Method: get, Path: '/api/orders/{id}', Auth: {Authorizer: NONE}}
        Rest: {Type: HttpApi, Properties: {ApiId: !Ref Api, Auth: {Authorizer: NONE}}}
        Queue:
          Type: SQS
          Properties: {Queue: !GetAtt OrdersQueue.Arn, BatchSize: 5, FunctionResponseTypes: [ReportBatchItemFailures]}
        Outbox:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt OrdersTable.StreamArn
            StartingPosition: TRIM_HORIZON
            BisectBatchOnFunctionError: true
            MaximumRetryAttempts: 3
            DestinationConfig: {OnFailure: {Destination: !GetAtt DeadQueue.Arn}}
            FilterCriteria:
              Filters:
                - Pattern: '{"eventName":["INSERT"]}'
        Sweep: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute), Input: '{"sweep":true}'}}
  PlaceOrderRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {}
      Policies:
        - PolicyName: orders
          PolicyDocument:
            Version: 2012-10-17
            Statement:
              - {Effect: Allow, Action: ['dynamodb:GetItem', 'dynamodb:PutItem'], Resource: !GetAtt OrdersTable.Arn}
              - {Effect: Allow, Action: 'dynamodb:Query', Resource: !Sub '${OrdersTable.Arn}/index/by-user'}
              - {Effect: Allow, Action: 'xray:PutTraceSegments', Resource: '*'}
  OrdersTable:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      TableName: !Sub '${AWS::StackName}-orders'
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
  OrdersQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadQueue.Arn, maxReceiveCount: 5}
  DeadQueue: {Type: AWS::SQS::Queue}
  TestQueue: {Type: AWS::SQS::Queue, Condition: IsTest}
  TestFunction: {Type: AWS::Serverless::Function, Condition: IsTest, Properties: {CodeUri: target/lambda/try-out/}}
  OrdersTopic: {Type: AWS::SNS::Topic}
  OrdersSubscription:
    Type: AWS::SNS::Subscription
    Properties:
      Protocol: sqs
      TopicArn: !Ref OrdersTopic
      Endpoint: !GetAtt OrdersQueue.Arn
      RawMessageDelivery: true
      FilterPolicyScope: MessageBody
      FilterPolicy: {type: [order.placed]}
  InternalKey:
    Type: AWS::SecretsManager::Secret
    Properties: {Name: !Sub '/${AWS::StackName}/internal-key', GenerateSecretString: {PasswordLength: 48, ExcludePunctuation: true}}
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {AnythingAtAll: 1}}
Outputs: {Url: {Value: x}}
"#;

fn read(text: &str) -> Result<Template, TemplateError> {
    Template::parse(text, &Environment::default())
}

#[test]
fn a_whole_template_is_read() {
    let template = read(SHOP).unwrap();
    let place_order = template.function("place-order").unwrap();
    assert_eq!(place_order.function_name, "emporium-place-order");
    assert_eq!(
        (place_order.timeout, place_order.memory_mb),
        (Duration::from_secs(10), 256)
    );
    let environment: BTreeMap<&str, &str> = place_order
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        environment,
        BTreeMap::from([
            ("RUST_LOG", "info"),
            ("TABLE", "emporium-orders"),
            (
                "QUEUE_URL",
                "http://sqs.us-east-1.localhost/000000000000/emporium-OrdersQueue"
            ),
            ("LIMIT", "60"),
            ("TOPIC", "arn:emporium-OrdersTopic"),
            ("PROD", "yes"),
        ])
    );
    let routes: Vec<(String, Option<&str>)> = place_order
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Http(route) => Some((route.key(), route.authorizer.as_deref())),
            _ => None,
        })
        .collect();
    assert_eq!(
        routes,
        [
            ("POST /api/orders".to_owned(), Some("Session")),
            ("GET /api/orders/{id}".to_owned(), None),
            ("$default".to_owned(), None),
        ]
    );
    assert_eq!(
        template.queues.len(),
        2,
        "the condition does not hold for the third"
    );
    assert_eq!(template.switched_off, ["try-out"]);
    assert_eq!(
        template.api.as_ref().unwrap().authorizers["Session"],
        "AuthorizeFunction"
    );
    let cors = template.api.as_ref().unwrap().cors.as_ref().unwrap();
    assert_eq!(
        cors.allow_origins,
        ["https://shop.example", "https://admin.example"]
    );
    assert_eq!(
        template.accepted.keys().collect::<Vec<_>>(),
        ["Alarm", "PlaceOrderRole"]
    );
    assert_eq!(template.tables[0].ttl_attribute.as_deref(), Some("ttl"));
    assert_eq!(
        template.subscriptions[0].attributes["FilterPolicy"],
        r#"{"type":["order.placed"]}"#
    );
}

#[test]
fn statements_name_logical_ids() {
    let template = read(SHOP).unwrap();
    let statements: Vec<(&str, &str)> = template
        .function("place-order")
        .unwrap()
        .statements
        .iter()
        .map(|statement| (statement.action.as_str(), statement.resource.as_str()))
        .collect();
    assert_eq!(
        statements,
        [
            ("dynamodb:GetItem", "OrdersTable"),
            ("dynamodb:PutItem", "OrdersTable"),
            ("dynamodb:Query", "OrdersTable/index/by-user"),
            ("xray:PutTraceSegments", "*"),
        ]
    );
}

#[test]
fn triggers_are_read() {
    let template = read(SHOP).unwrap();
    let events = &template.function("place-order").unwrap().events;
    let queue = events.iter().find_map(|event| {
        if let Event::Queue(queue) = event {
            Some(queue)
        } else {
            None
        }
    });
    let queue = queue.unwrap();
    assert_eq!(
        (
            queue.queue.as_str(),
            queue.batch_size,
            queue.report_failures
        ),
        ("OrdersQueue", 5, true)
    );
    let stream = events.iter().find_map(|event| {
        if let Event::Stream(stream) = event {
            Some(stream)
        } else {
            None
        }
    });
    let stream = stream.unwrap();
    assert_eq!(
        (stream.table.as_str(), stream.bisect, stream.retries_max),
        ("OrdersTable", true, Some(3))
    );
    assert_eq!(stream.on_failure.as_deref(), Some("DeadQueue"));
    let schedule = events.iter().find_map(|event| {
        if let Event::Schedule(run) = event {
            Some(run)
        } else {
            None
        }
    });
    assert_eq!(
        schedule.unwrap().input.as_deref(),
        Some(r#"{"sweep":true}"#)
    );
}

/// Each case: what is replaced in the shop above, by what, and the error.
#[test]
fn what_is_not_supported_is_rejected_with_its_line_and_the_reason() {
    let cases = [
        (
            "      VisibilityTimeout: 60",
            "      VisibilityTimeout: 5",
            "Lambda refuses a queue whose VisibilityTimeout is shorter than the function's Timeout",
        ),
        (
            "BillingMode: PAY_PER_REQUEST",
            "ImportSourceSpecification: {}",
            "ImportSourceSpecification of AWS::DynamoDB::Table is not supported by the development server",
        ),
        (
            "Alarm: {Type: AWS::CloudWatch::Alarm",
            "Alarm: {Type: AWS::Kinesis::Stream",
            "resources of type AWS::Kinesis::Stream are not supported here",
        ),
        (
            "TABLE: !Ref OrdersTable",
            "TABLE: !Ref OrderTable",
            "there is no parameter or resource OrderTable",
        ),
        (
            "TABLE: !Ref OrdersTable",
            "TABLE: !ImportValue x",
            "Fn::ImportValue is not supported here",
        ),
        (
            "TABLE: !Ref OrdersTable",
            "TABLE: '{{resolve:ssm:x}}'",
            "dynamic references ({{resolve:…}}) are not supported here",
        ),
        (
            "Stream: !GetAtt OrdersTable.StreamArn",
            "Stream: !GetAtt DeadQueue.Arn",
            "arn:aws:sqs:us-east-1:000000000000:emporium-DeadQueue is no AWS::DynamoDB::Table of this template",
        ),
        (
            "StreamSpecification: {StreamViewType: NEW_IMAGE}",
            "StreamSpecification: !Ref 'AWS::NoValue'",
            "OrdersTable has no StreamSpecification",
        ),
        (
            "'{\"eventName\":[\"INSERT\"]}'",
            "'{\"eventName\":[{\"cidr\":\"x\"}]}'",
            "{\"cidr\":\"x\"} in the pattern is not supported here",
        ),
        (
            "Identity: {ReauthorizeEvery: 0}",
            "Identity: {ReauthorizeEvery: 60}",
            "ReauthorizeEvery can only be 0 here, not 60",
        ),
        (
            "CodeUri: target/lambda/place-order/",
            "CodeUri: src/",
            "CodeUri is src/, not target/lambda/<name>/",
        ),
        (
            "rate(1 minute)",
            "cron(0 12 * * ? *)",
            "only rate(<n> minutes), hours or days is supported here",
        ),
        (
            "'/api/orders/{id}', Auth: {Authorizer: NONE}",
            "'/api/orders/{id}', Auth: {Authorizer: Sesion}",
            "there is no authorizer Sesion",
        ),
        (
            "Method: get, Path: '/api/orders/{id}'",
            "Method: post, Path: /api/orders",
            "the route POST /api/orders exists twice",
        ),
        (
            "FilterPolicy: {type: [order.placed]}",
            "FilterPolicy: {data: {kind: [x]}}",
            "nested fields are not supported in a filter policy here (data)",
        ),
        (
            "FunctionResponseTypes: [ReportBatchItemFailures]",
            "FilterCriteria: {Filters: []}",
            "FilterCriteria of SQS event is not supported by the development server",
        ),
        (
            "AllowOrigins: !Ref AllowedOrigins",
            "AllowOrigins: ['*']",
            "API Gateway refuses AllowCredentials together with the origin *",
        ),
        (
            "!Sub '${AWS::StackName}-orders'",
            "!Ref OrdersTable",
            "the name of OrdersTable depends on itself",
        ),
        (
            "IsProd: !Equals [!Ref Stage, prod]",
            "IsProd: !Not [{Condition: IsTest}]",
            "the condition IsProd depends on itself",
        ),
    ];
    for (old, new, reason) in cases {
        assert!(SHOP.contains(old), "{old}");
        let text = SHOP.replacen(old, new, 1);
        let error = read(&text).expect_err(new);
        assert_eq!(error.reason, reason);
        assert!(
            error.line > 1 && error.line <= text.lines().count(),
            "{error}"
        );
        assert_eq!(
            error.to_string(),
            format!("template.yaml:{}: {reason}", error.line)
        );
    }
}

#[test]
fn an_error_names_the_exact_line() {
    let text = SHOP.replacen(
        "      KeySchema: [{AttributeName: pk, KeyType: HASH}]",
        "      KeySchemata: []",
        1,
    );
    let line = text
        .lines()
        .position(|line| line.contains("KeySchemata"))
        .unwrap()
        + 1;
    let error = read(&text.replacen("KeySchemata: []", "KeySchema: []\n      Replicas: []", 1))
        .unwrap_err();
    assert_eq!(error.line, line + 1);
}
