//! Embedded DynamoDB: dynoxide on a SQLite file.
//!
//! A second connection to the same file does what the emulator leaves out. It
//! detects changes (`PRAGMA data_version` costs microseconds, so it can be
//! polled every few milliseconds), adds an index to the table of stream records,
//! and deletes those older than a day. Without the latter two, each write reads the
//! whole stream, and the shop becomes slower the longer it is used.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use dynoxide::{
    Database as Engine, DynoxideError,
    actions::{
        describe_table::DescribeTableRequest, get_records::GetRecordsRequest,
        get_shard_iterator::GetShardIteratorRequest,
    },
};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{CloudError, StopSignal, ephemeral};
use crate::{
    clock,
    template::{Table, names},
};

/// The file in the data directory.
const FILE: &str = "dynamodb.sqlite";
/// How often to poll for changes while there are some, and while there are none.
/// The latter bounds the latency of a stream record.
const POLL_BUSY: Duration = Duration::from_millis(2);
const POLL_IDLE: Duration = Duration::from_millis(15);
/// How many polls without a change make the database idle.
const IDLE_AFTER_POLLS: u32 = 100;
/// How far back streams are replayed after a restart: longer than a message may
/// take until its last attempt (five, a minute apart).
const REPLAY_SECONDS: i64 = 600;
/// dynoxide's public sequence numbers are the stored ones plus this, which gives
/// them as many digits as DynamoDB's.
const SEQUENCE_OFFSET: u128 = 100_000_000_000_000_000_000;
/// How long DynamoDB retains stream records.
const STREAM_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
/// How often expired items and old stream records are deleted. DynamoDB may take
/// two days for the former.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long the second connection waits for a write lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The most records that one read of a stream returns.
const RECORDS_MAX: usize = 1000;

/// Changes its value whenever the database changes.
pub(crate) type Changes = watch::Receiver<u64>;

/// The database.
pub(crate) struct Database {
    engine: Engine,
    side: Mutex<Connection>,
    changes: watch::Sender<u64>,
    /// Deletes the temporary data directory when it is dropped.
    _ephemeral: Option<tempfile::TempDir>,
}

/// A record of a table's stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamRecord {
    /// As in Lambda's event, without `eventSourceARN`.
    pub(crate) json: Value,
    pub(crate) sequence_number: String,
    /// Seconds since the Unix epoch.
    pub(crate) created_at: i64,
}

impl Database {
    /// Opens the file in `directory`, or a temporary one, and creates missing
    /// tables.
    pub(crate) fn open(tables: &[Table], directory: Option<PathBuf>) -> Result<Self, CloudError> {
        let (ephemeral, directory) = match directory {
            Some(directory) => (None, directory),
            None => {
                let temporary = ephemeral::directory().map_err(CloudError::io(
                    "cannot create a directory for temporary data",
                ))?;
                let path = temporary.path().to_owned();
                (Some(temporary), path)
            }
        };
        std::fs::create_dir_all(&directory).map_err(CloudError::io(format!(
            "cannot create {}",
            directory.display()
        )))?;
        let file = directory.join(FILE);
        let engine = Engine::new(&file.to_string_lossy()).map_err(failed)?;
        // Turns off waiting for the disk with each write. Killing the process loses
        // nothing, a power failure the last moments.
        engine.disable_bulk_loading().map_err(failed)?;
        for table in tables {
            ensure_table(&engine, table, &directory)?;
        }
        let side =
            side_connection(&file).map_err(|error| CloudError::Database(error.to_string()))?;
        Ok(Self {
            engine,
            side: Mutex::new(side),
            changes: watch::Sender::new(0),
            _ephemeral: ephemeral,
        })
    }

    /// Serves DynamoDB's API.
    pub(crate) fn serve(&self, listener: TcpListener, stop: StopSignal) -> JoinHandle<()> {
        let engine = self.engine.clone();
        tokio::spawn(async move {
            if let Err(error) =
                dynoxide::server::serve_with_shutdown(listener, engine, stop.wait()).await
            {
                tracing::error!(error, "the embedded DynamoDB failed");
            }
        })
    }

    /// Polls for changes, and deletes what has expired from time to time.
    pub(crate) fn watch(self: &Arc<Self>, stop: StopSignal) -> JoinHandle<()> {
        let database = self.clone();
        tokio::spawn(async move {
            let (mut version, mut unchanged) = (0, 0_u32);
            let mut swept = tokio::time::Instant::now();
            while !stop.is_set() {
                let now = database.version();
                unchanged = if now == version {
                    unchanged.saturating_add(1)
                } else {
                    0
                };
                if now != version {
                    version = now;
                    database
                        .changes
                        .send_modify(|count| *count = count.wrapping_add(1));
                }
                if swept.elapsed() >= SWEEP_EVERY {
                    swept = tokio::time::Instant::now();
                    let database = database.clone();
                    // Failures are logged, and the next sweep catches up.
                    let _ = tokio::task::spawn_blocking(move || database.sweep()).await;
                }
                tokio::time::sleep(if unchanged < IDLE_AFTER_POLLS {
                    POLL_BUSY
                } else {
                    POLL_IDLE
                })
                .await;
            }
        })
    }

    pub(crate) fn changes(&self) -> Changes {
        self.changes.subscribe()
    }

    /// The engine, for tests that bypass the API.
    #[cfg(test)]
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A number that differs after every change.
    pub(crate) fn version(&self) -> i64 {
        let side = self.side.lock().unwrap_or_else(PoisonError::into_inner);
        let version = side
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        version.unwrap_or_default()
    }

    /// Merges the write-ahead log into the file. SQLite would otherwise do so when
    /// the file is next opened.
    pub(crate) fn close(&self) {
        let side = self.side.lock().unwrap_or_else(PoisonError::into_inner);
        let merged = side.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = merged {
            tracing::warn!(%error, "cannot merge the database's write-ahead log");
        }
    }

    fn sweep(&self) {
        if let Err(error) = self.engine.sweep_ttl() {
            tracing::warn!(%error, "cannot delete expired items");
        }
        let oldest = clock::now()
            .as_second()
            .saturating_sub(STREAM_RETENTION.as_secs().cast_signed());
        let side = self.side.lock().unwrap_or_else(PoisonError::into_inner);
        // The latest of each table is kept, because sequence numbers continue from it.
        let deleted = side.execute(
            "DELETE FROM _stream_records WHERE created_at < ?1
             AND id NOT IN (SELECT MAX(id) FROM _stream_records GROUP BY table_name)",
            [oldest],
        );
        if let Err(error) = deleted {
            tracing::warn!(%error, "cannot delete old stream records");
        }
    }

    /// The record after which to resume a stream that had been read up to
    /// `reached`, some minutes earlier. Queues live in memory, so events on their
    /// way to a consumer are lost with the process; replaying delivers them again,
    /// and consumers apply each event once. `None` if no record is old enough.
    pub(crate) fn replay_position(&self, table: &str, reached: &str) -> Option<String> {
        let reached: u128 = reached.parse().ok()?;
        let reached = i64::try_from(reached.checked_sub(SEQUENCE_OFFSET)?).ok()?;
        let side = self.side.lock().unwrap_or_else(PoisonError::into_inner);
        let stored: i64 = side
            .query_row(
                "SELECT CAST(sequence_number AS INTEGER) FROM _stream_records
                 WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2
                 AND created_at < ?3 + (
                    SELECT MAX(created_at) FROM _stream_records
                    WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2)
                 ORDER BY CAST(sequence_number AS INTEGER) DESC LIMIT 1",
                (table, reached, -REPLAY_SECONDS),
                |row| row.get(0),
            )
            .ok()?;
        Some((SEQUENCE_OFFSET + u128::try_from(stored).ok()?).to_string())
    }

    /// A position in a table's stream: after the given record, before the oldest,
    /// or after the latest.
    pub(crate) fn stream_position(
        &self,
        table: &str,
        after: Option<&str>,
        from_oldest: bool,
    ) -> Result<String, DynoxideError> {
        let kind = match (after, from_oldest) {
            (Some(_), _) => "AFTER_SEQUENCE_NUMBER",
            (None, true) => "TRIM_HORIZON",
            (None, false) => "LATEST",
        };
        let reply = self.engine.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: names::stream_arn(table),
            shard_id: dynoxide::streams::shard_id(table),
            shard_iterator_type: kind.to_owned(),
            sequence_number: after.map(str::to_owned),
        })?;
        Ok(reply.shard_iterator.unwrap_or_default())
    }

    /// The records at a position, and the position after them.
    pub(crate) fn stream_records(
        &self,
        position: &str,
    ) -> Result<(Vec<StreamRecord>, String), DynoxideError> {
        let reply = self.engine.get_records(GetRecordsRequest {
            shard_iterator: position.to_owned(),
            limit: Some(RECORDS_MAX),
        })?;
        let mut records = Vec::with_capacity(reply.records.len());
        for record in reply.records {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "dynoxide represents whole seconds as a float"
            )]
            let created_at = record.dynamodb.approximate_creation_date_time as i64;
            let sequence_number = record.dynamodb.sequence_number.clone();
            let mut json = serde_json::to_value(&record)
                .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
            json["awsRegion"] = names::REGION.into();
            json["dynamodb"]["ApproximateCreationDateTime"] = created_at.into();
            records.push(StreamRecord {
                json,
                sequence_number,
                created_at,
            });
        }
        Ok((
            records,
            reply
                .next_shard_iterator
                .unwrap_or_else(|| position.to_owned()),
        ))
    }
}

fn failed(error: DynoxideError) -> CloudError {
    CloudError::Database(error.to_string())
}

fn side_connection(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(
        "CREATE INDEX IF NOT EXISTS _stream_records_by_sequence
         ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )?;
    Ok(connection)
}

fn ensure_table(engine: &Engine, table: &Table, directory: &Path) -> Result<(), CloudError> {
    let described = engine.describe_table(DescribeTableRequest {
        table_name: table.name.clone(),
    });
    match described {
        Err(DynoxideError::ResourceNotFoundException(_)) => {
            let rejected = |reason: String| CloudError::rejected(&table.logical_id, reason);
            let request = serde_json::from_value(table.definition.clone())
                .map_err(|error| rejected(error.to_string().replace("VALIDATION:", "")))?;
            engine
                .create_table(request)
                .map_err(|error| rejected(error.to_string()))?;
            if let Some(attribute) = &table.ttl_attribute {
                let request = serde_json::from_value(json!({
                    "TableName": table.name,
                    "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": true},
                }))
                .map_err(|error| rejected(error.to_string()))?;
                engine
                    .update_time_to_live(request)
                    .map_err(|error| rejected(error.to_string()))?;
            }
            Ok(())
        }
        Err(error) => Err(failed(error)),
        Ok(description) => {
            let existing = serde_json::to_value(description)
                .map_err(|error| CloudError::Database(error.to_string()))?;
            match difference(&table.definition, &existing["Table"]) {
                None => Ok(()),
                Some(what) => Err(CloudError::IncompatibleData {
                    table: table.name.clone(),
                    what,
                    directory: directory.to_owned(),
                }),
            }
        }
    }
}

/// What differs between the template's table and the existing one.
fn difference(wanted: &Value, existing: &Value) -> Option<&'static str> {
    let attributes = |table: &Value| sorted(table["AttributeDefinitions"].as_array(), Clone::clone);
    let indexes = |table: &Value, kind: &str| {
        sorted(table[kind].as_array(), |index| {
            json!({
                "name": index["IndexName"],
                "keys": index["KeySchema"],
                "projection": index["Projection"]["ProjectionType"],
                "attributes": sorted(index["Projection"]["NonKeyAttributes"].as_array(), Clone::clone),
            })
        })
    };
    if wanted["KeySchema"] != existing["KeySchema"] {
        Some("the key schema")
    } else if ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"]
        .iter()
        .any(|kind| indexes(wanted, kind) != indexes(existing, kind))
    {
        Some("an index")
    } else if attributes(wanted) != attributes(existing) {
        Some("a key attribute's type")
    } else if wanted["StreamSpecification"]["StreamViewType"]
        != existing["StreamSpecification"]["StreamViewType"]
    {
        Some("the stream")
    } else {
        None
    }
}

/// A list in a canonical order, so that two can be compared.
fn sorted(list: Option<&Vec<Value>>, project: impl Fn(&Value) -> Value) -> Vec<String> {
    let mut texts: Vec<String> = list
        .into_iter()
        .flatten()
        .map(|item| project(item).to_string())
        .collect();
    texts.sort();
    texts
}
