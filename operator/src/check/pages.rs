//! A table, a page at a time.

use aws_sdk_dynamodb::types::AttributeValue;
use dynamo::{Item, StoreError, Table};
use runtime::Error;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Items of one page: what the check does with them fits into a few calls.
const ROWS: i32 = 500;

/// The key of the last item of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    pub pk: String,
    pub sk: String,
}

/// An item, before it is known what it is.
pub(crate) struct Row {
    pub(crate) pk: String,
    pub(crate) sk: String,
    item: Item,
}

impl Row {
    pub(crate) fn is(&self, prefix: &str, sk: &str) -> bool {
        self.pk.starts_with(prefix) && self.sk == sk
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        Ok(serde_dynamo::from_item(self.item.clone())?)
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.item.get(name)?.as_n().ok()?.parse().ok()
    }
}

/// Reads the page after a key, and the key of its last item if there may be more.
pub(crate) async fn read(
    table: &Table,
    after: Option<&After>,
) -> Result<(Vec<Row>, Option<After>), Error> {
    let start = after.map(|after| {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        Item::from([
            ("pk".to_owned(), text(&after.pk)),
            ("sk".to_owned(), text(&after.sk)),
        ])
    });
    let page = table
        .client()
        .scan()
        .table_name(table.name())
        .limit(ROWS)
        .consistent_read(true)
        .set_exclusive_start_key(start)
        .send()
        .await?;
    let rows = page.items.unwrap_or_default().into_iter();
    let rows = rows.filter_map(|item| {
        let text = |name: &str| Some(item.get(name)?.as_s().ok()?.clone());
        Some(Row {
            pk: text("pk")?,
            sk: text("sk")?,
            item,
        })
    });
    let last = page.last_evaluated_key.and_then(|key| {
        let text = |name: &str| Some(key.get(name)?.as_s().ok()?.clone());
        Some(After {
            pk: text("pk")?,
            sk: text("sk")?,
        })
    });
    Ok((rows.collect(), last))
}
