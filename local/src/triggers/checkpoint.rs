//! The position of each stream mapping, from which a restart resumes. It is
//! written at most every second, so the latest records may be delivered again,
//! which consumers of a stream must expect.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::cloud::StopSignal;

/// The file in the data directory.
const FILE: &str = "streams.json";
/// The time between writes.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// The sequence number of the last record that each mapping has processed.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    file: Option<PathBuf>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    sequence_numbers: BTreeMap<String, String>,
    written: bool,
}

impl Checkpoints {
    /// Reads the checkpoints of an earlier run. An invalid file counts as none:
    /// streams then start where the template says that new mappings do.
    pub(crate) fn open(directory: Option<&Path>) -> Self {
        let file = directory.map(|directory| directory.join(FILE));
        let bytes = file.as_ref().and_then(|file| std::fs::read(file).ok());
        let sequence_numbers = bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            file,
            inner: Mutex::new(Inner {
                sequence_numbers,
                written: true,
            }),
        }
    }

    pub(crate) fn get(&self, mapping: &str) -> Option<String> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sequence_numbers
            .get(mapping)
            .cloned()
    }

    pub(crate) fn set(&self, mapping: &str, sequence_number: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .sequence_numbers
            .insert(mapping.to_owned(), sequence_number.to_owned());
        inner.written = false;
    }

    /// Writes periodically, and finally when told to stop.
    pub(crate) fn write_periodically(self: &Arc<Self>, stop: StopSignal) -> JoinHandle<()> {
        let checkpoints = self.clone();
        tokio::spawn(async move {
            let mut stopping = std::pin::pin!(stop.wait());
            loop {
                let stop_now = tokio::select! {
                    () = tokio::time::sleep(WRITE_INTERVAL) => false,
                    () = &mut stopping => true,
                };
                checkpoints.write();
                if stop_now {
                    return;
                }
            }
        })
    }

    pub(crate) fn write(&self) {
        let Some(file) = &self.file else { return };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.written {
            return;
        }
        let attempt = || -> std::io::Result<()> {
            let mut temporary =
                tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
            temporary.write_all(&serde_json::to_vec_pretty(&inner.sequence_numbers)?)?;
            temporary.persist(file)?;
            Ok(())
        };
        match attempt() {
            Ok(()) => inner.written = true,
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "cannot write the stream checkpoints")
            }
        }
    }
}
