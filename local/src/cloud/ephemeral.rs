//! Temporary data directories.

use std::path::Path;

use tempfile::TempDir;

/// Directory names are this, the process id, and a random suffix.
const PREFIX: &str = "emporium-";
/// Where Linux lists its processes.
const PROCESSES: &str = "/proc";

/// A directory that is deleted, with its contents, when it is dropped. A process
/// that was killed could not do so; its directory is deleted here.
pub(super) fn directory() -> std::io::Result<TempDir> {
    remove_orphans(&std::env::temp_dir(), Path::new(PROCESSES));
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .tempdir()
}

/// Deletes the directories of processes that no longer run; none if the system
/// does not tell.
fn remove_orphans(directories: &Path, processes: &Path) {
    if !processes.join("self").exists() {
        return;
    }
    for entry in std::fs::read_dir(directories)
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'))
            .map(|(process, _)| process);
        let has_exited =
            |process: &str| process.parse::<u32>().is_ok() && !processes.join(process).exists();
        if process.is_some_and(has_exited) {
            // Another process may be deleting it, or it may belong to another user.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_exited_processes_are_deleted() {
        let root = tempfile::tempdir().unwrap();
        for directory in [
            "proc/self",
            "proc/7",
            "tmp/emporium-7-a",
            "tmp/emporium-8-b",
            "tmp/emporium-x-c",
            "tmp/other-8-d",
        ] {
            std::fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        remove_orphans(&root.path().join("tmp"), &root.path().join("proc"));
        let mut left: Vec<String> = std::fs::read_dir(root.path().join("tmp"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["emporium-7-a", "emporium-x-c", "other-8-d"]);
    }
}
