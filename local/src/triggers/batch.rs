//! A function's reply to a batch: partial batch responses.

use std::collections::BTreeSet;

use serde_json::Value;

/// Which items of a batch succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BatchResult {
    /// All.
    Succeeded,
    /// None.
    Failed,
    /// All but these.
    FailedItems(BTreeSet<String>),
}

/// Parses `batchItemFailures` by Lambda's rules. If it is absent, `null` or empty,
/// the whole batch has succeeded. An identifier that is empty, missing or unknown,
/// or a reply of another shape, means that the whole batch has failed. Without
/// `ReportBatchItemFailures` the reply is ignored.
pub(crate) fn batch_result<'i>(
    reply: &str,
    reports: bool,
    mut items: impl Iterator<Item = &'i str> + Clone,
) -> BatchResult {
    if !reports {
        return BatchResult::Succeeded;
    }
    let Ok(reply) = serde_json::from_str::<Value>(reply) else {
        return BatchResult::Failed;
    };
    let failures = match &reply {
        Value::Null => return BatchResult::Succeeded,
        Value::Object(object) if object.is_empty() => return BatchResult::Succeeded,
        Value::Object(object) => object.get("batchItemFailures"),
        _ => None,
    };
    let failures = match failures {
        Some(Value::Null) => return BatchResult::Succeeded,
        Some(Value::Array(failures)) if failures.is_empty() => return BatchResult::Succeeded,
        Some(Value::Array(failures)) => failures,
        _ => return BatchResult::Failed,
    };
    let mut failed = BTreeSet::new();
    for failure in failures {
        match failure.get("itemIdentifier").and_then(Value::as_str) {
            Some(item) if items.clone().any(|known| known == item) => {
                failed.insert(item.to_owned())
            }
            _ => return BatchResult::Failed,
        };
    }
    if items.all(|item| failed.contains(item)) {
        BatchResult::Failed
    } else {
        BatchResult::FailedItems(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reply: &str) -> BatchResult {
        batch_result(reply, true, ["a", "b", "c"].into_iter())
    }

    #[test]
    fn an_empty_reply_in_any_form_means_that_the_batch_succeeded() {
        for reply in [
            "null",
            "{}",
            r#"{"batchItemFailures":null}"#,
            r#"{"batchItemFailures":[]}"#,
        ] {
            assert_eq!(of(reply), BatchResult::Succeeded, "{reply}");
        }
    }

    #[test]
    fn an_invalid_identifier_fails_the_whole_batch() {
        for reply in [
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"z"}]}"#,
            r#"{"batchItemFailures":[{"item_identifier":"a"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{}]}"#,
            r#"{"batchItemFailures":"a"}"#,
            r#"{"batch_item_failures":[]}"#,
            r#""ok""#,
            "not json",
        ] {
            assert_eq!(of(reply), BatchResult::Failed, "{reply}");
        }
    }

    #[test]
    fn only_the_listed_items_failed() {
        let reply = r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#;
        assert_eq!(of(reply), BatchResult::FailedItems(["b".to_owned()].into()));
        assert_eq!(
            batch_result(reply, false, ["a", "b"].into_iter()),
            BatchResult::Succeeded,
            "the reply is ignored"
        );
        assert_eq!(
            batch_result(reply, true, ["b"].into_iter()),
            BatchResult::Failed
        );
    }
}
