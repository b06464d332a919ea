//! Processor time in nanoseconds, from `/proc`. The crates that provide the
//! system's clock for it would change features of libc, and rebuild everything.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::Error;

/// How long a thread sleeps so that the scheduler accounts its time.
const ACCOUNTED_AFTER: Duration = Duration::from_millis(1);

/// The processor time of all threads of a process.
pub(crate) struct CpuClock {
    tasks: PathBuf,
    /// The time of each thread when it was last seen, which also counts after
    /// the thread has ended. Pools keep idle threads for seconds, and this is
    /// read more often than that.
    seen: Mutex<BTreeMap<String, Duration>>,
}

impl CpuClock {
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            tasks: format!("/proc/{pid}/task").into(),
            seen: Mutex::default(),
        }
    }

    /// The time used so far.
    pub(crate) fn read(&self) -> Result<Duration, Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for task in fs::read_dir(&self.tasks)? {
            let task = task?;
            // The thread may have ended since the directory was read.
            if let Ok(text) = fs::read_to_string(task.path().join("schedstat")) {
                let name = task.file_name().to_string_lossy().into_owned();
                seen.insert(name, parse(&text)?);
            }
        }
        Ok(seen.values().sum())
    }
}

/// The time that the calling thread has used so far.
pub(crate) fn of_this_thread() -> Result<Duration, Error> {
    // The scheduler accounts a running thread only at its ticks, 4 ms apart, and
    // a sleeping one completely.
    std::thread::sleep(ACCOUNTED_AFTER);
    parse(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

/// The first of three numbers is the time on a processor in nanoseconds.
fn parse(schedstat: &str) -> Result<Duration, Error> {
    let first = schedstat.split_whitespace().next();
    let nanos = first.ok_or("schedstat is empty; the kernel lacks CONFIG_SCHED_INFO")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_advances_both_clocks() {
        let clock = CpuClock::of(std::process::id());
        let (process, thread) = (clock.read().unwrap(), of_this_thread().unwrap());
        // Each read takes over a millisecond, so these are 20 s at least.
        let mut reads = 0;
        while of_this_thread().unwrap() < thread + Duration::from_millis(5) {
            reads += 1;
            assert!(reads < 20_000, "the clock does not advance");
        }
        assert!(clock.read().unwrap() >= process + Duration::from_millis(5));
    }
}
