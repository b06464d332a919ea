//! A stub of an AWS service for failures that the emulators do not have: an
//! HTTP server that replies as the test decides, and records its requests.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The time between checks whether enough requests have arrived.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// What the stub does about a request.
#[derive(Clone, Debug)]
pub enum StubReply {
    /// Replies with a status and a body.
    Reply(u16, String),
    /// The same, but only once so many requests have arrived, this one included.
    ReplyAfterRequests(usize, u16, String),
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
    while let Some(body) = read_request(&mut stream, &mut buffer).await {
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

/// Reads one request with a `content-length`; gives its body.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |text| text.trim().parse().expect("a length"));
            let total = end + 4 + length;
            if buffer.len() >= total {
                let body = String::from_utf8_lossy(&buffer[end + 4..total]).into_owned();
                buffer.drain(..total);
                return Some(body);
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
