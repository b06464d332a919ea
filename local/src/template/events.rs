//! What triggers a function.

use std::time::Duration;

use super::{
    Event, Pattern, QueueEvent, Route, ScheduleEvent, StreamEvent, TemplateError, fields::Fields,
    handles::Handles, yaml::Node,
};

/// Lambda's defaults and limits for event source mappings.
const QUEUE_BATCH_DEFAULT: usize = 10;
const QUEUE_BATCH_MAX: usize = 10_000;
/// Above this a queue needs a batching window.
const QUEUE_BATCH_WITHOUT_WINDOW_MAX: usize = 10;
const STREAM_BATCH_DEFAULT: usize = 100;
const STREAM_BATCH_MAX: usize = 10_000;
const WINDOW_SECONDS_MAX: u64 = 300;
const PARALLEL_MAX: usize = 10;

pub(crate) fn event(name: &str, node: &Node, handles: &Handles) -> Result<Event, TemplateError> {
    let mut outer = Fields::of(node, "event")?;
    let kind = outer.require_text("Type")?;
    let empty = Node::text(node.line, "");
    let properties = outer.take("Properties");
    outer.finish()?;
    let empty_map = Node {
        kind: super::yaml::Kind::Map(Vec::new()),
        ..empty
    };
    let fields = Fields::of(properties.unwrap_or(&empty_map), format!("{kind} event"))?;
    match kind.as_str() {
        "HttpApi" => route(fields, node.line, handles).map(Event::Http),
        "SQS" => queue(fields, node.line, handles).map(Event::Queue),
        "DynamoDB" => {
            stream(fields, name, node.line, handles).map(|event| Event::Stream(Box::new(event)))
        }
        "Schedule" | "ScheduleV2" => {
            schedule(fields, name, node.line, kind == "ScheduleV2").map(Event::Schedule)
        }
        other => Err(TemplateError::at(
            node.line,
            format!("events of type {other} are not supported here"),
        )),
    }
}

fn route(mut fields: Fields<'_>, line: usize, handles: &Handles) -> Result<Route, TemplateError> {
    match fields.take("ApiId") {
        Some(api) => handles.find(api, "AWS::Serverless::HttpApi")?,
        None => {
            let reason = "an HttpApi event needs ApiId here: there is no implicit API";
            return Err(TemplateError::at(line, reason));
        }
    };
    let path = fields
        .text("Path")?
        .unwrap_or_else(|| "$default".to_owned());
    let method = fields
        .text("Method")?
        .map(|method| method.to_ascii_uppercase());
    if path != "$default" && (!path.starts_with('/') || method.is_none()) {
        return Err(TemplateError::at(
            line,
            "a route has a Method and a Path that starts with /",
        ));
    }
    let mut authorizer = None;
    if let Some(auth) = fields.take("Auth") {
        let mut inner = Fields::of(auth, "HttpApi event Auth")?;
        authorizer = inner.text("Authorizer")?;
        inner.finish()?;
    }
    fields.only("PayloadFormatVersion", "2.0")?;
    fields.only("TimeoutInMillis", "30000")?;
    fields.finish()?;
    let method = method.filter(|method| method != "ANY" && method != "*");
    let method = if path == "$default" { None } else { method };
    Ok(Route {
        line,
        method,
        path,
        authorizer,
    })
}

fn queue(
    mut fields: Fields<'_>,
    line: usize,
    handles: &Handles,
) -> Result<QueueEvent, TemplateError> {
    let queue = handles.find(fields.require("Queue")?, "AWS::SQS::Queue")?;
    let batch_size = fields.number("BatchSize")?.unwrap_or(QUEUE_BATCH_DEFAULT);
    let window = window(&mut fields)?;
    let least_window = if batch_size > QUEUE_BATCH_WITHOUT_WINDOW_MAX {
        1
    } else {
        0
    };
    if batch_size == 0 || batch_size > QUEUE_BATCH_MAX || window.as_secs() < least_window {
        let reason = "BatchSize is 1 to 10, or to 10,000 with MaximumBatchingWindowInSeconds";
        return Err(TemplateError::at(line, reason));
    }
    let report_failures = reports_failures(&mut fields)?;
    let mut concurrency = None;
    if let Some(scaling) = fields.take("ScalingConfig") {
        let mut inner = Fields::of(scaling, "ScalingConfig")?;
        concurrency = inner.number("MaximumConcurrency")?;
        inner.finish()?;
        if concurrency.is_some_and(|concurrency: usize| concurrency < 2) {
            return Err(TemplateError::at(
                scaling.line,
                "MaximumConcurrency is at least 2",
            ));
        }
    }
    let enabled = enabled(&mut fields, "Enabled", "true")?;
    fields.finish()?;
    Ok(QueueEvent {
        line,
        queue,
        batch_size,
        window,
        report_failures,
        concurrency,
        enabled,
    })
}

fn stream(
    mut fields: Fields<'_>,
    name: &str,
    line: usize,
    handles: &Handles,
) -> Result<StreamEvent, TemplateError> {
    let table = handles.find(fields.require("Stream")?, "AWS::DynamoDB::Table")?;
    let from_oldest = match fields.require_text("StartingPosition")?.as_str() {
        "TRIM_HORIZON" => true,
        "LATEST" => false,
        other => {
            return Err(TemplateError::at(
                line,
                format!("StartingPosition {other} is not known"),
            ));
        }
    };
    let batch_size = fields.number("BatchSize")?.unwrap_or(STREAM_BATCH_DEFAULT);
    if batch_size == 0 || batch_size > STREAM_BATCH_MAX {
        return Err(TemplateError::at(
            line,
            format!("BatchSize is 1 to {STREAM_BATCH_MAX}"),
        ));
    }
    let window = window(&mut fields)?;
    let bisect = fields.flag("BisectBatchOnFunctionError")?;
    let retries: Option<i64> = fields.number("MaximumRetryAttempts")?;
    let age_seconds: Option<i64> = fields.number("MaximumRecordAgeInSeconds")?;
    let parallel = fields.number("ParallelizationFactor")?.unwrap_or(1);
    if !(1..=PARALLEL_MAX).contains(&parallel) {
        return Err(TemplateError::at(
            line,
            format!("ParallelizationFactor is 1 to {PARALLEL_MAX}"),
        ));
    }
    let mut on_failure = None;
    if let Some(destinations) = fields.take("DestinationConfig") {
        let mut inner = Fields::of(destinations, "DestinationConfig")?;
        if let Some(failure) = inner.take("OnFailure") {
            let mut innermost = Fields::of(failure, "DestinationConfig.OnFailure")?;
            let target = innermost.require("Destination")?;
            let found = handles
                .find(target, "AWS::SQS::Queue")
                .or_else(|_| handles.find(target, "AWS::SNS::Topic"));
            on_failure = Some(found?);
            innermost.finish()?;
        }
        inner.finish()?;
    }
    let filters = filters(&mut fields)?;
    let report_failures = reports_failures(&mut fields)?;
    let enabled = enabled(&mut fields, "Enabled", "true")?;
    fields.finish()?;
    Ok(StreamEvent {
        line,
        name: name.to_owned(),
        table,
        from_oldest,
        batch_size,
        window,
        bisect,
        // Minus one, the default, means no limit.
        retries_max: retries.and_then(|retries| u32::try_from(retries).ok()),
        age_max: age_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(Duration::from_secs),
        parallel,
        on_failure,
        filters,
        report_failures,
        enabled,
    })
}

fn filters(fields: &mut Fields<'_>) -> Result<Vec<Pattern>, TemplateError> {
    let Some(criteria) = fields.take("FilterCriteria") else {
        return Ok(Vec::new());
    };
    let mut inner = Fields::of(criteria, "FilterCriteria")?;
    let mut patterns = Vec::new();
    for filter in inner.require("Filters")?.as_list()? {
        let mut innermost = Fields::of(filter, "Filters")?;
        let pattern = innermost.require("Pattern")?;
        patterns.push(
            Pattern::parse(pattern.as_text()?)
                .map_err(|reason| TemplateError::at(pattern.line, reason))?,
        );
        innermost.finish()?;
    }
    inner.finish()?;
    Ok(patterns)
}

fn schedule(
    mut fields: Fields<'_>,
    name: &str,
    line: usize,
    scheduler: bool,
) -> Result<ScheduleEvent, TemplateError> {
    let expression = fields.require(if scheduler {
        "ScheduleExpression"
    } else {
        "Schedule"
    })?;
    let every = rate(expression.as_text()?).ok_or_else(|| {
        TemplateError::at(
            expression.line,
            "only rate(<n> minutes), hours or days is supported here",
        )
    })?;
    let input = fields.take("Input");
    if input.is_some_and(|input| {
        input
            .as_text()
            .is_ok_and(|text| text.contains("<aws.scheduler."))
    }) {
        return Err(TemplateError::at(
            line,
            "the placeholders of EventBridge Scheduler are not supported here",
        ));
    }
    let input = input
        .map(|input| input.as_text().map(str::to_owned))
        .transpose()?;
    let enabled = if scheduler {
        if let Some(window) = fields.take("FlexibleTimeWindow") {
            let mut inner = Fields::of(window, "FlexibleTimeWindow")?;
            if inner.text("Mode")?.as_deref() == Some("FLEXIBLE") {
                // A laptop runs a schedule at the beginning of its window.
                inner.require_text("MaximumWindowInMinutes")?;
            }
            inner.finish()?;
        }
        enabled(&mut fields, "State", "ENABLED")?
    } else {
        enabled(&mut fields, "Enabled", "true")?
    };
    fields.finish()?;
    Ok(ScheduleEvent {
        line,
        name: name.to_owned(),
        every,
        input,
        scheduler,
        enabled,
    })
}

/// `rate(5 minutes)`.
fn rate(expression: &str) -> Option<Duration> {
    let (count, unit) = expression
        .trim()
        .strip_prefix("rate(")?
        .strip_suffix(')')?
        .trim()
        .split_once(' ')?;
    let seconds = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 60 * 60,
        "day" | "days" => 24 * 60 * 60,
        _ => return None,
    };
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

fn window(fields: &mut Fields<'_>) -> Result<Duration, TemplateError> {
    let line = fields.line();
    let seconds = fields
        .number("MaximumBatchingWindowInSeconds")?
        .unwrap_or(0);
    if seconds > WINDOW_SECONDS_MAX {
        return Err(TemplateError::at(
            line,
            format!("MaximumBatchingWindowInSeconds is at most {WINDOW_SECONDS_MAX}"),
        ));
    }
    Ok(Duration::from_secs(seconds))
}

fn reports_failures(fields: &mut Fields<'_>) -> Result<bool, TemplateError> {
    let line = fields.line();
    match fields.texts("FunctionResponseTypes")?.as_slice() {
        [] => Ok(false),
        [only] if only == "ReportBatchItemFailures" => Ok(true),
        _ => Err(TemplateError::at(
            line,
            "FunctionResponseTypes can only be [ReportBatchItemFailures]",
        )),
    }
}

fn enabled(fields: &mut Fields<'_>, name: &str, on: &str) -> Result<bool, TemplateError> {
    Ok(fields.text(name)?.is_none_or(|value| value == on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        assert_eq!(rate("rate(1 minute)"), Some(Duration::from_secs(60)));
        assert_eq!(rate("rate(5 minutes)"), Some(Duration::from_secs(300)));
        assert_eq!(rate("rate(1 day)"), Some(Duration::from_secs(86_400)));
        for wrong in [
            "rate(0 minutes)",
            "rate(1 week)",
            "cron(0 12 * * ? *)",
            "rate(minutes)",
        ] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }
}
