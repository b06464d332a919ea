//! A stub of an AWS service for failures that the emulators do not have: an
//! HTTP server that replies as the test decides, and records its requests.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use crate::http1::Message;

/// The time between checks whether enough requests have arrived.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// What the stub does about a request.
#[derive(Clone, Debug)]
pub enum StubReply {
    /// Replies with a status and a body.
    Reply(u16, String),
    /// The same, but only once so many requests have arrived, this one included.
    ReplyAfterRequests(usize, u16, String),
    /// The same, but only after a while.
    ReplyAfter(Duration, u16, String),
    /// Accepts the request and never replies.
    Silence,
}

/// Decides by the request's body and the number of requests before it.
type Decide = dyn Fn(&str, usize) -> StubReply + Send + Sync;

/// The stub, which runs until the test ends.
pub struct StubServer {
    /// Where it listens.
    pub url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl StubServer {
    /// Starts a stub. `decide` gets a request's body and the number of
    /// requests before it.
    pub async fn start(decide: impl Fn(&str, usize) -> StubReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (seen, decide): (_, Arc<Decide>) = (bodies.clone(), Arc::new(decide));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, seen.clone(), decide.clone()));
            }
        });
        Self { url, bodies }
    }

    /// The bodies of the requests so far.
    pub fn bodies(&self) -> Vec<String> {
        self.bodies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, decide: Arc<Decide>) {
    let mut buffer = Vec::new();
    while let Some(request) = Message::read(&mut stream, &mut buffer).await {
        let body = request.body();
        let answer = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(body.clone());
            decide(&body, seen.len() - 1)
        };
        match answer {
            StubReply::Silence => std::future::pending().await,
            StubReply::Reply(status, body) => {
                if !reply(&mut stream, status, &body).await {
                    return;
                }
            }
            StubReply::ReplyAfter(latency, status, body) => {
                tokio::time::sleep(latency).await;
                if !reply(&mut stream, status, &body).await {
                    return;
                }
            }
            StubReply::ReplyAfterRequests(requests, status, body) => {
                while seen.lock().unwrap_or_else(PoisonError::into_inner).len() < requests {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                if !reply(&mut stream, status, &body).await {
                    return;
                }
            }
        }
    }
}

/// Sends the reply; whether the client received it.
async fn reply(stream: &mut TcpStream, status: u16, body: &str) -> bool {
    let length = body.len();
    let reply = format!("HTTP/1.1 {status} StubReply\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).await.is_ok()
}
