//! A proxy in front of the embedded DynamoDB: it sees the calls that functions
//! make with clients of their own, and can lose the replies.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
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
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let loses: Arc<Loses> = Arc::new(loses);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, server, loses.clone()));
        }
    });
    address
}

/// Forwards the requests of a connection until either side closes it.
async fn forward(mut client: TcpStream, server: SocketAddr, loses: Arc<Loses>) -> Option<()> {
    client.set_nodelay(true).ok()?;
    let mut server = TcpStream::connect(server).await.ok()?;
    server.set_nodelay(true).ok()?;
    let (mut requests, mut replies) = (Vec::new(), Vec::new());
    loop {
        let request = Message::read(&mut client, &mut requests).await?;
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
