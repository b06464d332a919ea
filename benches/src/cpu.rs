//! Processor time in nanoseconds, from `/proc`. (The clock that the system has
//! for it is in crates that would change features of libc, and with them
//! everything would be built anew.)

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::Failure;

/// How long a thread sleeps so that its time is counted.
const COUNTED_AFTER: Duration = Duration::from_millis(1);

/// The processor time of a process, all of its threads.
pub(crate) struct CpuClock {
    tasks: PathBuf,
    /// What each thread had used when it was last seen. One that has ended
    /// since counts with that; pools keep idle threads for seconds, and the
    /// clock is read more often.
    seen: Mutex<BTreeMap<String, Duration>>,
}

impl CpuClock {
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            tasks: format!("/proc/{pid}/task").into(),
            seen: Mutex::default(),
        }
    }

    /// What has been used so far.
    pub(crate) fn read(&self) -> Result<Duration, Failure> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for task in fs::read_dir(&self.tasks)? {
            let task = task?;
            // It may end between the two.
            if let Ok(text) = fs::read_to_string(task.path().join("schedstat")) {
                let name = task.file_name().to_string_lossy().into_owned();
                seen.insert(name, parse(&text)?);
            }
        }
        Ok(seen.values().sum())
    }
}

/// What the calling thread has used so far.
pub(crate) fn of_this_thread() -> Result<Duration, Failure> {
    // While a thread works without a pause the scheduler counts at its ticks
    // only, 4 ms apart; when it sleeps, everything is counted.
    std::thread::sleep(COUNTED_AFTER);
    parse(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

/// The first of three numbers is the nanoseconds on a processor.
fn parse(schedstat: &str) -> Result<Duration, Failure> {
    let first = schedstat.split_whitespace().next();
    let nanos = first.ok_or("schedstat is empty; the kernel lacks CONFIG_SCHED_INFO")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_on_both_clocks() {
        let clock = CpuClock::of(std::process::id());
        let (process, thread) = (clock.read().unwrap(), of_this_thread().unwrap());
        let started = std::time::Instant::now();
        while of_this_thread().unwrap() < thread + Duration::from_millis(5) {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "the clock stands"
            );
        }
        assert!(clock.read().unwrap() >= process + Duration::from_millis(5));
    }
}
