//! Bounded waiting for what happens asynchronously.

use std::time::Duration;

/// How long an asynchronous effect may take. It is far above the promised 5 s
/// because a stalled CI machine can make a message fail once, and the queue
/// delivers it again only after its visibility timeout of a minute.
const DEADLINE: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Polls until `done` returns a value, and panics if that takes too long.
pub async fn eventually<T, F, Fut>(what: &str, mut done: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let poll = async {
        loop {
            if let Some(value) = done().await {
                return value;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let outcome = tokio::time::timeout(DEADLINE, poll).await;
    outcome.unwrap_or_else(|_| panic!("not within {} s: {what}", DEADLINE.as_secs()))
}
