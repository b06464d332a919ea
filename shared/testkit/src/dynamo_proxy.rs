//! A proxy in front of the embedded DynamoDB: it sees the calls that functions
//! make with clients of their own, and can lose the replies.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use crate::http1::Message;

/// The header with which the SDK numbers its attempts.
const ATTEMPT_HEADER: &str = "amz-sdk-request";
const FIRST_ATTEMPT: &str = "attempt=1;";
/// DynamoDB's reply when the outcome is unknown.
const FAILED: &str =
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"lost"}"#;

/// A call, when its reply is there.
pub(crate) struct DynamoCall {
    /// Its name in the API, such as `GetItem`.
    pub(crate) operation: String,
    pub(crate) body: String,
    /// Whether the SDK makes it for the first time.
    pub(crate) is_first_attempt: bool,
}

/// Decides whether the reply to a call gets lost.
type Loses = dyn Fn(&DynamoCall) -> bool + Send + Sync;

/// Starts a proxy of a server; returns its address.
pub(crate) async fn start(
    server: SocketAddr,
    loses: impl Fn(&DynamoCall) -> bool + Send + Sync + 'static,
) -> SocketAddr {
    listen(server, Arc::new(loses), None).await
}

/// Starts a proxy that makes each call take `latency`.
pub(crate) async fn start_slow(
    server: SocketAddr,
    latency: Duration,
    calls: CallsInFlight,
) -> SocketAddr {
    listen(server, Arc::new(|_| false), Some((latency, calls))).await
}

async fn listen(server: SocketAddr, loses: Arc<Loses>, slow: Slow) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, server, loses.clone(), slow.clone()));
        }
    });
    address
}

/// How long calls take, and where they are counted.
type Slow = Option<(Duration, CallsInFlight)>;

/// The calls that are under way at the same time, by operation.
#[derive(Clone, Debug, Default)]
pub struct CallsInFlight(Arc<Mutex<BTreeMap<String, InFlight>>>);

#[derive(Debug, Default)]
struct InFlight {
    now: usize,
    most: usize,
    all: usize,
}

impl CallsInFlight {
    fn change(&self, operation: &str, change: impl FnOnce(&mut InFlight)) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(calls.entry(operation.to_owned()).or_default());
    }

    fn read(&self, operation: &str, read: impl FnOnce(&InFlight) -> usize) -> usize {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(operation).map_or(0, read)
    }

    /// How many calls of an operation, such as `UpdateItem`, were under way at
    /// the same time, at most.
    pub fn most(&self, operation: &str) -> usize {
        self.read(operation, |calls| calls.most)
    }

    /// How many there were.
    pub fn all(&self, operation: &str) -> usize {
        self.read(operation, |calls| calls.all)
    }
}

/// Forwards the requests of a connection until either side closes it.
async fn forward(
    mut client: TcpStream,
    server: SocketAddr,
    loses: Arc<Loses>,
    slow: Slow,
) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let mut server = TcpStream::connect(server).await.ok()?;
    server.set_nodelay(true).ok()?;
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    loop {
        let request = Message::read(&mut client, &mut requests).await?;
        if let Some((latency, calls)) = &slow {
            let operation = call(&request).operation;
            calls.change(&operation, |calls| {
                calls.all += 1;
                calls.now += 1;
                calls.most = calls.most.max(calls.now);
            });
            tokio::time::sleep(*latency).await;
            calls.change(&operation, |calls| calls.now -= 1);
        }
        server.write_all(&request.bytes).await.ok()?;
        let reply = Message::read(&mut server, &mut replies).await?;
        let reply = if loses(&call(&request)) {
            let length = FAILED.len();
            format!("HTTP/1.1 500 Lost\r\ncontent-length: {length}\r\n\r\n{FAILED}").into_bytes()
        } else {
            reply.bytes
        };
        client.write_all(&reply).await.ok()?;
    }
}

fn call(request: &Message) -> DynamoCall {
    let target = request.header("x-amz-target").unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let attempt = request.header(ATTEMPT_HEADER).unwrap_or_default();
    DynamoCall {
        operation: operation.to_owned(),
        body: request.body(),
        is_first_attempt: attempt.starts_with(FIRST_ATTEMPT),
    }
}

/// The calls that functions make to their table.
#[derive(Clone, Debug, Default)]
pub struct RecordedCalls(Arc<Mutex<Vec<String>>>);

impl RecordedCalls {
    pub(crate) fn record(&self, call: &DynamoCall) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call.operation.clone());
    }

    /// The names of the calls since the last time, in their order, such as `GetItem`.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
