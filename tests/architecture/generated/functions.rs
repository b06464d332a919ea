//! The resource of a function that the template does not have yet. Where what
//! it needs is plain from what it declares, nobody has to write it; a consumer's
//! queue, or another memory size, is a decision.

use std::collections::BTreeSet;

use runtime::{Function, Trigger};

use super::{Declared, resources::Resources};
use crate::support::camel;

/// The template with a resource for each endpoint, and each function that
/// others call, that has none.
pub(super) fn with_missing(template: &str, declared: &[Declared]) -> String {
    let mut template = template.to_owned();
    for (service, function) in declared {
        let simple = matches!(function.trigger, Trigger::Http(_) | Trigger::Call);
        let resources = Resources::of(&template);
        if !simple || resources.get(&id(function)).is_some() {
            continue;
        }
        let Some(like) = most_alike(service, function, declared, &resources) else {
            panic!(
                "{} is the first function of {service}: write its resource",
                function.name
            );
        };
        template = insert_after(
            &template,
            &resources,
            &id(like),
            &resource(service, function, like, &resources),
        );
    }
    template
}

fn id(function: &Function) -> String {
    format!("{}Function", camel(function.name))
}

/// The function of the service that is triggered in the same way and calls the
/// most similar things, so that it is likely to need the same variables.
fn most_alike<'a>(
    service: &str,
    function: &Function,
    declared: &'a [Declared],
    resources: &Resources,
) -> Option<&'a Function> {
    let calls = |one: &Function| -> BTreeSet<&str> {
        one.grants.iter().map(|grant| grant.resource).collect()
    };
    let wanted = calls(function);
    declared
        .iter()
        .filter(|(of, one)| *of == service && resources.get(&id(one)).is_some())
        .map(|(_, one)| one)
        .min_by_key(|one| {
            let same =
                std::mem::discriminant(&one.trigger) == std::mem::discriminant(&function.trigger);
            (!same, calls(one).symmetric_difference(&wanted).count())
        })
}

fn resource(service: &str, function: &Function, like: &Function, resources: &Resources) -> String {
    let (id, name) = (id(function), function.name);
    let what = match &function.trigger {
        Trigger::Http(routes) => routes
            .iter()
            .map(|route| match &route.method {
                Some(method) => format!("{method} {}", route.path),
                None => route.path.to_owned(),
            })
            .collect::<Vec<_>>()
            .join(", "),
        _ => "Called by other functions".to_owned(),
    };
    let like = &resources.get(&self::id(like)).expect("found above").lines;
    let variables: Vec<&str> = like
        .iter()
        .map(String::as_str)
        .skip_while(|line| !line.starts_with("      Environment:"))
        .enumerate()
        .take_while(|(index, line)| *index == 0 || line.starts_with("       "))
        .map(|(_, line)| line)
        .collect();
    format!(
        "
  {id}:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${{AWS::StackName}}-{name}
      Description: {what}
      CodeUri: target/lambda/{name}/
      Role: !GetAtt {}Role.Arn
      LoggingConfig: {{ LogFormat: JSON, LogGroup: !Ref {}Logs }}
{}
",
        camel(name),
        camel(service),
        variables.join("\n"),
    )
}

fn insert_after(template: &str, resources: &Resources, id: &str, text: &str) -> String {
    let found = resources.get(id).expect("a resource of the template");
    let mut lines: Vec<&str> = template.lines().collect();
    let mut at = found.first + 1;
    while lines.get(at).is_some_and(|line| line.starts_with("    ")) {
        at += 1;
    }
    let text = text.trim_end();
    lines.splice(at..at, text.lines());
    lines.join("\n") + "\n"
}
