//! A store that replies to the third attempt of each call only.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use testkit::TestTable;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

/// How the SDK numbers the attempts that get no reply.
const WITHOUT_REPLY: [&str; 2] = ["attempt=1;", "attempt=2;"];
/// More than a request to the store has.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Default)]
pub(crate) struct SlowStore(Arc<AtomicBool>);

impl SlowStore {
    /// From now on it is slow, or it is not.
    pub(crate) fn set_slow(&self, is_slow: bool) {
        self.0.store(is_slow, Ordering::SeqCst);
    }

    /// Starts it before the store of a table; returns its address.
    pub(crate) async fn start(&self, table: &TestTable) -> String {
        let environment = table.environment();
        let server = environment.require("AWS_ENDPOINT_URL_DYNAMODB").unwrap();
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let proxy = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(proxy.clone().forward(client, server));
            }
        });
        url
    }

    /// Once a request is to have no reply, the connection has none any more.
    async fn forward(self, client: TcpStream, server: TcpStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let replies = tokio::spawn(async move {
            let _ = copy(&mut from_server, &mut to_client).await;
        });
        let mut bytes = vec![0; REQUEST_BYTES_MAX];
        let mut hangs = false;
        while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let is_early = WITHOUT_REPLY.iter().any(|attempt| text.contains(attempt));
            hangs |= self.0.load(Ordering::SeqCst) && is_early;
            if !hangs && to_server.write_all(&bytes[..read]).await.is_err() {
                break;
            }
        }
        replies.abort();
    }
}
