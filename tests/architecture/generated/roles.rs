//! Who may do what. A role for each function, with what it declares, logs, traces
//! and is triggered by; one for API Gateway and one for the scheduler, with which
//! they invoke what they must and nothing else; and for each service a policy that
//! lets topics deliver to the queues that subscribe to them.

use std::collections::{BTreeMap, BTreeSet};

use local::template::{Event, Template};
use runtime::Trigger;

use super::{Declared, list, resources::Resources};
use crate::support::camel;

const LOGGING: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
const TRACING: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];
/// With what a consumer's shell does to a message that failed.
const POLLING_QUEUE: [&str; 4] = [
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];
const POLLING_STREAM: [&str; 4] = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
];

/// The actions on a resource, and the resources with the same actions.
type Statements = Vec<(Vec<String>, Vec<String>)>;

/// The roles; `read` is missing as long as there are none to read it with.
pub(super) fn roles(
    resources: &Resources,
    declared: &[Declared],
    read: Option<&Template>,
) -> String {
    let mut text = String::new();
    for (service, function) in declared {
        let mut statements = granted(function.grants.iter().map(|one| (one.action, one.resource)));
        let spec = read.and_then(|template| template.function(function.name));
        for event in spec.into_iter().flat_map(|spec| &spec.events) {
            match event {
                Event::Queue(event) => statements.push(statement(&POLLING_QUEUE, &event.queue)),
                Event::Stream(event) => {
                    let stream = format!("{}/stream", event.table);
                    statements.push(statement(&POLLING_STREAM, &stream));
                    if let Some(queue) = &event.on_failure {
                        statements.push(statement(&["sqs:SendMessage"], queue));
                    }
                }
                Event::Http(_) | Event::Schedule(_) => {}
            }
        }
        statements.push(statement(&LOGGING, &format!("{}Logs", camel(service))));
        let mut lines: Vec<String> = statements
            .iter()
            .flat_map(|(actions, on)| lines_of(actions, on.iter().map(|one| resources.arn(one))))
            .collect();
        lines.extend(lines_of(
            &TRACING,
            ["'*' # X-Ray has no resources to name".to_owned()],
        ));
        let id = format!("{}Role", camel(function.name));
        text.push_str(&role(&id, "lambda.amazonaws.com", &lines));
    }
    text.push_str(&invoker(
        "ApiRole",
        "apigateway",
        resources,
        declared,
        |trigger| matches!(trigger, Trigger::Http(_) | Trigger::Authorizer),
    ));
    text.push_str(&invoker(
        "SchedulerRole",
        "scheduler",
        resources,
        declared,
        |trigger| matches!(trigger, Trigger::Stream | Trigger::Schedule),
    ));
    for service in read.into_iter().flat_map(|_| services(declared)) {
        text.push_str(&queue_policy(service, declared, read));
    }
    text.push('\n');
    text
}

fn services(declared: &[Declared]) -> BTreeSet<&'static str> {
    declared.iter().map(|(service, _)| *service).collect()
}

/// One policy for all queues of a service, with a statement for each of them.
/// SQS takes 20 statements and 10 conditions in one.
fn queue_policy(service: &str, declared: &[Declared], read: Option<&Template>) -> String {
    let functions = declared.iter().filter(|(of, _)| *of == service);
    let specs = functions.filter_map(|(_, function)| read?.function(function.name));
    let consumed = specs
        .flat_map(|spec| &spec.events)
        .filter_map(|event| match event {
            Event::Queue(event) => Some(&event.queue),
            _ => None,
        });
    let (mut queues, mut statements) = (Vec::new(), String::new());
    for queue in consumed {
        let all = read.map_or(&[][..], |template| &template.subscriptions);
        let subscriptions: Vec<_> = all.iter().filter(|one| one.queue == *queue).collect();
        let dead_letters = subscriptions
            .iter()
            .filter_map(|one| one.dead_letter_queue.as_ref());
        let targets: BTreeSet<&String> = [queue].into_iter().chain(dead_letters).collect();
        let topics: BTreeSet<String> = subscriptions
            .iter()
            .map(|one| format!("!Ref {}", one.topic))
            .collect();
        if topics.is_empty() {
            continue;
        }
        queues.extend(targets.iter().map(|id| format!("!Ref {id}")));
        let arns = targets.iter().map(|id| format!("!GetAtt {id}.Arn"));
        statements.push_str(&format!(
            "          - Effect: Allow
            Principal: {{ Service: sns.amazonaws.com }}
            Action: sqs:SendMessage
            Resource: {}
            Condition: {{ ArnEquals: {{ aws:SourceArn: {} }} }}
",
            list(arns),
            list(topics)
        ));
    }
    if queues.is_empty() {
        return String::new();
    }
    format!(
        "
  {}QueuePolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: {}
      PolicyDocument:
        Version: '2012-10-17'
        Statement:
{statements}",
        camel(service),
        list(queues)
    )
}

/// A role that invokes some of the functions.
fn invoker(
    id: &str,
    principal: &str,
    resources: &Resources,
    declared: &[Declared],
    invokes: impl Fn(&Trigger) -> bool,
) -> String {
    let arns = declared
        .iter()
        .filter(|(_, function)| invokes(&function.trigger))
        .map(|(_, function)| resources.function_arn(&format!("{}Function", camel(function.name))));
    let lines: Vec<String> = lines_of(&["lambda:InvokeFunction"], arns).collect();
    role(id, &format!("{principal}.amazonaws.com"), &lines)
}

fn statement(actions: &[&str], resource: &str) -> (Vec<String>, Vec<String>) {
    let actions = actions.iter().map(|&action| action.to_owned()).collect();
    (actions, vec![resource.to_owned()])
}

/// One statement for each set of actions.
fn granted<'a>(grants: impl Iterator<Item = (&'a str, &'a str)>) -> Statements {
    let mut by_resource: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (action, resource) in grants {
        by_resource.entry(resource).or_default().insert(action);
    }
    let mut by_actions: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (resource, actions) in by_resource {
        let actions = actions.into_iter().map(str::to_owned).collect();
        by_actions
            .entry(actions)
            .or_default()
            .push(resource.to_owned());
    }
    by_actions.into_iter().collect()
}

fn lines_of(
    actions: &[impl AsRef<str>],
    arns: impl IntoIterator<Item = String>,
) -> impl Iterator<Item = String> {
    let arns: Vec<String> = arns.into_iter().collect();
    let mut lines = vec![
        "- Effect: Allow".to_owned(),
        format!("  Action: {}", list(actions.iter().map(AsRef::as_ref))),
    ];
    match arns.as_slice() {
        [one] => lines.push(format!("  Resource: {one}")),
        many => {
            lines.push("  Resource:".to_owned());
            lines.extend(many.iter().map(|one| format!("    - {one}")));
        }
    }
    lines.into_iter()
}

fn role(id: &str, principal: &str, statements: &[String]) -> String {
    let statements: String = statements
        .iter()
        .map(|line| format!("              {line}\n"))
        .collect();
    format!(
        "
  {id}:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
          - {{ Effect: Allow, Principal: {{ Service: {principal} }}, Action: sts:AssumeRole }}
      PermissionsBoundary: !If [Bounded, !Ref PermissionsBoundary, !Ref AWS::NoValue]
      Policies:
        - PolicyName: uses
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
{statements}"
    )
}
