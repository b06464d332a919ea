//! A directory for data that is not kept.

use std::path::Path;

use tempfile::TempDir;

/// What the directories' names start with; the process's id follows.
const PREFIX: &str = "emporium-";
/// Where Linux lists its processes.
const PROCESSES: &str = "/proc";

/// A directory that is removed with all that is in it when it is dropped. A
/// process that was killed could not; what it left is removed here.
pub(super) fn directory() -> std::io::Result<TempDir> {
    remove_left_behind(&std::env::temp_dir(), Path::new(PROCESSES));
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .tempdir()
}

/// Removes the directories of processes that are gone; none where it cannot be
/// told which those are.
fn remove_left_behind(directories: &Path, processes: &Path) {
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
        let gone =
            |process: &str| process.parse::<u32>().is_ok() && !processes.join(process).exists();
        if process.is_some_and(gone) {
            // Another process may be at it, or it belongs to somebody else.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_processes_that_are_gone_are_removed() {
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
        remove_left_behind(&root.path().join("tmp"), &root.path().join("proc"));
        let mut left: Vec<String> = std::fs::read_dir(root.path().join("tmp"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["emporium-7-a", "emporium-x-c", "other-8-d"]);
    }
}
