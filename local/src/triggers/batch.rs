//! What a function's reply says of the batch that it was given.

use std::collections::BTreeSet;

use serde_json::Value;

/// Which items of a batch are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All.
    Done,
    /// None.
    Failed,
    /// All but these.
    Except(BTreeSet<String>),
}

/// Reads `batchItemFailures`. Nothing, `null` and an empty list mean that all
/// is done; an identifier that is empty, missing or of no item, and a reply of
/// another shape, that nothing is. Without `ReportBatchItemFailures` nobody
/// looks at the reply.
pub(crate) fn verdict<'i>(
    reply: &str,
    reports: bool,
    mut items: impl Iterator<Item = &'i str> + Clone,
) -> Verdict {
    if !reports {
        return Verdict::Done;
    }
    let Ok(reply) = serde_json::from_str::<Value>(reply) else {
        return Verdict::Failed;
    };
    let failures = match &reply {
        Value::Null => return Verdict::Done,
        Value::Object(object) if object.is_empty() => return Verdict::Done,
        Value::Object(object) => object.get("batchItemFailures"),
        _ => None,
    };
    let failures = match failures {
        Some(Value::Null) => return Verdict::Done,
        Some(Value::Array(failures)) if failures.is_empty() => return Verdict::Done,
        Some(Value::Array(failures)) => failures,
        _ => return Verdict::Failed,
    };
    let mut failed = BTreeSet::new();
    for failure in failures {
        match failure.get("itemIdentifier").and_then(Value::as_str) {
            Some(item) if items.clone().any(|known| known == item) => {
                failed.insert(item.to_owned())
            }
            _ => return Verdict::Failed,
        };
    }
    if items.all(|item| failed.contains(item)) {
        Verdict::Failed
    } else {
        Verdict::Except(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reply: &str) -> Verdict {
        verdict(reply, true, ["a", "b", "c"].into_iter())
    }

    #[test]
    fn an_empty_reply_in_any_form_means_that_all_is_done() {
        for reply in [
            "null",
            "{}",
            r#"{"batchItemFailures":null}"#,
            r#"{"batchItemFailures":[]}"#,
        ] {
            assert_eq!(of(reply), Verdict::Done, "{reply}");
        }
    }

    #[test]
    fn an_identifier_that_cannot_be_used_fails_the_whole_batch() {
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
            assert_eq!(of(reply), Verdict::Failed, "{reply}");
        }
    }

    #[test]
    fn only_the_items_named_have_failed() {
        let reply = r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#;
        assert_eq!(of(reply), Verdict::Except(["b".to_owned()].into()));
        assert_eq!(
            verdict(reply, false, ["a", "b"].into_iter()),
            Verdict::Done,
            "nobody looks"
        );
        assert_eq!(verdict(reply, true, ["b"].into_iter()), Verdict::Failed);
    }
}
