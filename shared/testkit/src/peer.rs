//! A stand-in for an AWS service that has no embedded one: it speaks HTTP,
//! answers as the test says, and remembers what it was asked.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Between looks whether enough requests have come.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What a peer does about a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Replies with a status and a body.
    Reply(u16, String),
    /// The same, but not before so many requests have come, this one with them.
    ReplyWhenAsked(usize, u16, String),
    /// Takes the request and never replies.
    Silence,
}

/// Decides by the request's body, and how many came before it.
type Decide = dyn Fn(&str, usize) -> Answer + Send + Sync;

/// The stand-in, which runs until the test ends.
pub struct Peer {
    /// Where it listens.
    pub url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// Starts a peer. `decide` gets a request's body and the number of
    /// requests before it.
    pub async fn start(decide: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
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
            Answer::Silence => std::future::pending().await,
            Answer::Reply(status, body) => {
                if !reply(&mut stream, status, &body).await {
                    return;
                }
            }
            Answer::ReplyWhenAsked(requests, status, body) => {
                while seen.lock().unwrap_or_else(PoisonError::into_inner).len() < requests {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                if !reply(&mut stream, status, &body).await {
                    return;
                }
            }
        }
    }
}

/// Whether the client took it.
async fn reply(stream: &mut TcpStream, status: u16, body: &str) -> bool {
    let length = body.len();
    let reply = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {length}\r\n\r\n{body}");
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
