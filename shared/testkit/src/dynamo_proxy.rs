//! A proxy in front of the embedded DynamoDB: it sees the calls that functions
//! make with clients of their own, and can refuse them or lose the replies.

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

/// A call, before it takes effect.
pub(crate) struct DynamoCall {
    /// Its name in the API, such as `GetItem`.
    pub(crate) operation: String,
    pub(crate) body: String,
    /// Whether the SDK makes it for the first time.
    pub(crate) is_first_attempt: bool,
}

/// What becomes of a call.
pub(crate) enum Fate {
    Answered,
    /// It takes effect, and its caller gets an error.
    ReplyLost,
    /// It has no effect; its caller gets this reply, with status 400.
    Refused(String),
    /// Somebody else updates an item right before it.
    Overtaken(String),
}

/// Decides what becomes of a call.
type Decides = dyn Fn(&DynamoCall) -> Fate + Send + Sync;

/// Starts a proxy of a server; returns its address.
pub(crate) async fn start(
    server: SocketAddr,
    decides: impl Fn(&DynamoCall) -> Fate + Send + Sync + 'static,
) -> SocketAddr {
    listen(server, Arc::new(decides), None).await
}

/// Starts a proxy that makes each call take `latency`.
pub(crate) async fn start_slow(
    server: SocketAddr,
    latency: Duration,
    calls: CallsInFlight,
) -> SocketAddr {
    listen(server, Arc::new(|_| Fate::Answered), Some((latency, calls))).await
}

async fn listen(server: SocketAddr, decides: Arc<Decides>, slow: Slow) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, server, decides.clone(), slow.clone()));
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
    decides: Arc<Decides>,
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
        let fate = decides(&call(&request));
        if let Fate::Refused(reply) = &fate {
            client
                .write_all(&http_reply("400 Refused", reply))
                .await
                .ok()?;
            continue;
        }
        if let Fate::Overtaken(update) = &fate {
            server.write_all(&update_request(update)).await.ok()?;
            Message::read(&mut server, &mut replies).await?;
        }
        server.write_all(&request.bytes).await.ok()?;
        let reply = Message::read(&mut server, &mut replies).await?;
        let reply = match fate {
            Fate::ReplyLost => http_reply("500 Lost", FAILED),
            Fate::Answered | Fate::Refused(_) | Fate::Overtaken(_) => reply.bytes,
        };
        client.write_all(&reply).await.ok()?;
    }
}

fn http_reply(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn update_request(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-target: DynamoDB_20120810.UpdateItem\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/dynamodb/aws4_request, \
         SignedHeaders=host, Signature=00\r\nx-amz-date: 20260101T000000Z\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
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
