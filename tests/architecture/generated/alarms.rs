//! The alarms on what works unattended: on all dead-letter queues; for each
//! service on work that waits and on background functions that fail; and one on
//! everything that is deployed gradually.

use std::collections::{BTreeMap, BTreeSet};

use local::template::{Event, Function as Spec, Template};
use runtime::Trigger;

use super::Declared;
use crate::support::{camel, kebab};

/// CloudWatch: an alarm on an expression takes no more.
const METRICS_MAX: usize = 10;

/// One line of an alarm's `Metrics`.
struct Metric {
    id: String,
    label: String,
    namespace: &'static str,
    name: &'static str,
    dimensions: String,
    /// The metric in the alarm's unit, if it is in another.
    converted: Option<String>,
}

/// What an alarm says and when it rings.
struct Alarm {
    id: String,
    name: Option<&'static str>,
    description: String,
    expression: &'static str,
    label: &'static str,
    stat: &'static str,
    period: u32,
    periods: u32,
    /// How many of these must breach; all of them if there is none.
    datapoints: Option<u32>,
    comparison: &'static str,
    threshold: u32,
    metrics: Vec<Metric>,
}

pub(super) fn alarms(declared: &[Declared], template: &Template) -> String {
    let mut services: BTreeMap<&str, Vec<(&Trigger, &Spec)>> = BTreeMap::new();
    for (service, function) in declared {
        let spec = template.function(function.name).expect(function.name);
        services
            .entry(service)
            .or_default()
            .push((&function.trigger, spec));
    }
    let mut alarms = dead_letters(template);
    for (service, functions) in &services {
        alarms.extend([waiting(service, functions), failing(service, functions)]);
    }
    alarms.push(live_errors(declared, template));
    let watching = alarms.into_iter().filter(|alarm| !alarm.metrics.is_empty());
    watching
        .map(|alarm| alarm.text())
        .chain(["\n".to_owned()])
        .collect()
}

/// Over all dead-letter queues: what to do does not depend on whose they are.
fn dead_letters(template: &Template) -> Vec<Alarm> {
    let consumed = template
        .queues
        .iter()
        .filter_map(|queue| queue.dead_letter_queue.as_deref());
    let streamed = template
        .functions
        .iter()
        .flat_map(|function| &function.events);
    let streamed = streamed.filter_map(|event| match event {
        Event::Stream(event) => event.on_failure.as_deref(),
        _ => None,
    });
    let queues: BTreeSet<&str> = consumed.chain(streamed).collect();
    let metrics = queues.into_iter().map(|queue| {
        let name = queue
            .trim_end_matches("Queue")
            .trim_end_matches("DeadLetter");
        of_queue(
            name,
            kebab(name),
            queue,
            "ApproximateNumberOfMessagesVisible",
        )
    });
    let mut metrics = metrics.peekable();
    let mut alarms = Vec::new();
    while metrics.peek().is_some() {
        let number = match alarms.len() {
            0 => String::new(),
            others => (others + 1).to_string(),
        };
        alarms.push(Alarm {
            id: format!("DeadLetters{number}Alarm"),
            name: None,
            description: "A consumer or a relay gave up on messages".to_owned(),
            expression: "MAX(METRICS())",
            label: "messages in the fullest dead-letter queue",
            stat: "Maximum",
            period: 60,
            periods: 1,
            datapoints: None,
            comparison: "GreaterThanThreshold",
            threshold: 0,
            metrics: metrics.by_ref().take(METRICS_MAX).collect(),
        });
    }
    alarms
}

fn waiting(service: &str, functions: &[(&Trigger, &Spec)]) -> Alarm {
    let metrics = functions
        .iter()
        .filter_map(|(trigger, spec)| match trigger {
            Trigger::Queue => {
                let (name, label) = (camel(&spec.code_name), spec.code_name.clone());
                Some(of_queue(
                    &name,
                    label,
                    queue_of(spec)?,
                    "ApproximateAgeOfOldestMessage",
                ))
            }
            Trigger::Stream => {
                let mut metric = of_function(spec, "IteratorAge");
                metric.converted = Some(format!("{}Ms / 1000", metric.id));
                Some(metric)
            }
            _ => None,
        });
    Alarm {
        id: format!("{}AgeAlarm", camel(service)),
        name: None,
        description: format!(
            "Messages or events have been waiting for the {service} service for over five minutes"
        ),
        expression: "MAX",
        label: "longest wait in seconds",
        stat: "Maximum",
        period: 60,
        periods: 3,
        datapoints: None,
        comparison: "GreaterThanThreshold",
        // Stock is held for 900 seconds.
        threshold: 300,
        metrics: metrics.collect(),
    }
}

fn failing(service: &str, functions: &[(&Trigger, &Spec)]) -> Alarm {
    let unattended = functions.iter().filter(|(trigger, _)| {
        matches!(
            trigger,
            Trigger::Queue | Trigger::Stream | Trigger::Schedule
        )
    });
    Alarm {
        id: format!("{}ErrorsAlarm", camel(service)),
        name: None,
        description: format!(
            "A background function of the {service} service failed three times in five minutes"
        ),
        expression: "MAX(METRICS())",
        label: "errors of the function with most",
        stat: "Sum",
        period: 300,
        periods: 1,
        datapoints: None,
        comparison: "GreaterThanOrEqualToThreshold",
        threshold: 3,
        metrics: unattended
            .map(|(_, spec)| of_function(spec, "Errors"))
            .collect(),
    }
}

/// Rolls a gradual deployment back. Functions and alarm are named and not
/// referred to: an alias waits for its deployment group, so a group that waited
/// for an alarm that waited for the alias would wait for itself.
fn live_errors(declared: &[Declared], template: &Template) -> Alarm {
    let specs = declared
        .iter()
        .filter_map(|(_, function)| template.function(function.name));
    let live = specs.filter_map(|spec| {
        let name = format!("${{AWS::StackName}}-{}", spec.code_name);
        let alias = format!("{name}:{}", spec.alias.as_ref()?);
        let mut metric = of_function(spec, "Errors");
        metric.dimensions = format!(
            "[{{ Name: FunctionName, Value: !Sub '{name}' }}, {{ Name: Resource, Value: !Sub '{alias}' }}]"
        );
        Some(metric)
    });
    Alarm {
        id: "LiveErrorsAlarm".to_owned(),
        name: Some("${AWS::StackName}-live-errors"),
        description: "A function with an alias failed in two of three minutes".to_owned(),
        expression: "SUM(METRICS())",
        label: "errors of all live aliases",
        stat: "Sum",
        period: 60,
        // A single failure, of old code or new, does not stop a deployment; the rate
        // of failures is what the API's alarm looks at.
        periods: 3,
        datapoints: Some(2),
        comparison: "GreaterThanThreshold",
        threshold: 0,
        metrics: live.collect(),
    }
}

fn queue_of(spec: &Spec) -> Option<&str> {
    spec.events.iter().find_map(|event| match event {
        Event::Queue(event) => Some(event.queue.as_str()),
        _ => None,
    })
}

fn of_queue(name: &str, label: String, queue: &str, metric: &'static str) -> Metric {
    Metric {
        id: name[..1].to_lowercase() + &name[1..],
        label,
        namespace: "AWS/SQS",
        name: metric,
        dimensions: format!("[{{ Name: QueueName, Value: !GetAtt {queue}.QueueName }}]"),
        converted: None,
    }
}

fn of_function(spec: &Spec, metric: &'static str) -> Metric {
    let name = camel(&spec.code_name);
    Metric {
        id: name[..1].to_lowercase() + &name[1..],
        label: spec.code_name.clone(),
        namespace: "AWS/Lambda",
        name: metric,
        dimensions: format!(
            "[{{ Name: FunctionName, Value: !Ref {} }}]",
            spec.logical_id
        ),
        converted: None,
    }
}

impl Alarm {
    fn text(&self) -> String {
        let (id, metrics) = (&self.id, &self.metrics);
        assert!(
            metrics.len() <= METRICS_MAX,
            "{id} looks at {} metrics, and CloudWatch takes {METRICS_MAX}: split it",
            metrics.len()
        );
        let mut lines = vec![
            format!("  {id}:"),
            "    Type: AWS::CloudWatch::Alarm".to_owned(),
            "    Condition: Watched".to_owned(),
            "    Properties:".to_owned(),
        ];
        let mut property = |line: String| lines.push(format!("      {line}"));
        if let Some(name) = self.name {
            property(format!("AlarmName: !Sub {name}"));
        }
        property(format!("AlarmDescription: {}", self.description));
        property("Metrics:".to_owned());
        // Not METRICS(), where some of them are in another unit.
        let expression = match self.expression {
            "MAX" => {
                let ids: Vec<&str> = metrics.iter().map(|metric| metric.id.as_str()).collect();
                format!("'MAX([{}])'", ids.join(", "))
            }
            whole => whole.to_owned(),
        };
        property(format!(
            "  - {{ Id: result, Label: {}, Expression: {expression} }}",
            self.label
        ));
        for metric in metrics {
            let mut of = metric.id.clone();
            if let Some(converted) = &metric.converted {
                property(format!(
                    "  - {{ Id: {of}, Label: {}, Expression: {converted}, ReturnData: false }}",
                    metric.label
                ));
                of.push_str("Ms");
            }
            property(format!("  - Id: {of}"));
            property(format!("    Label: {}", metric.label));
            property("    ReturnData: false".to_owned());
            property("    MetricStat:".to_owned());
            property(format!(
                "      Metric: {{ Namespace: {}, MetricName: {}, Dimensions: {} }}",
                metric.namespace, metric.name, metric.dimensions
            ));
            property(format!("      Period: {}", self.period));
            property(format!("      Stat: {}", self.stat));
        }
        property(format!("EvaluationPeriods: {}", self.periods));
        if let Some(datapoints) = self.datapoints {
            property(format!("DatapointsToAlarm: {datapoints}"));
        }
        property(format!("ComparisonOperator: {}", self.comparison));
        property(format!("Threshold: {}", self.threshold));
        property("TreatMissingData: notBreaching".to_owned());
        property("AlarmActions: [!Ref AlarmTopic]".to_owned());
        property("OKActions: [!Ref AlarmTopic]".to_owned());
        format!("\n{}\n", lines.join("\n"))
    }
}
