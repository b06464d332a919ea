//! Lambda's runtime API for one execution environment, which asks for the next
//! invocation and posts its response.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use http::StatusCode;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{Error, clock};

/// The timeout of an invocation, longer than that of any function.
const DEADLINE: Duration = Duration::from_secs(20);
/// The ARN that every function receives.
const ARN: &str = "arn:aws:lambda:eu-central-1:000000000000:function:bench";
/// A trace that is not sampled, like most.
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";

/// A response and how long the function took.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) body: Bytes,
    pub(crate) wall: Duration,
}

type Outcome = Result<Reply, String>;

struct Invocation {
    payload: Bytes,
    answer: oneshot::Sender<Outcome>,
}

/// The invocation that is in progress.
struct Running {
    since: Instant,
    answer: oneshot::Sender<Outcome>,
}

struct Shared {
    queue: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    running: Mutex<Option<Running>>,
    requests: watch::Sender<u64>,
}

/// A runtime API on its own port.
pub(crate) struct RuntimeApi {
    /// `127.0.0.1:9001`.
    pub(crate) address: String,
    invocations: mpsc::Sender<Invocation>,
    requests: watch::Receiver<u64>,
    connections: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let listener = listener.tap_io(move |stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            // If this fails, responses are only slower.
            let _ = stream.set_nodelay(true);
        });
        let (invocations, queue) = mpsc::channel(1);
        let (requests_sender, requests) = watch::channel(0);
        let shared = Arc::new(Shared {
            queue: tokio::sync::Mutex::new(queue),
            running: Mutex::new(None),
            requests: requests_sender,
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(response),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(shared);
        let server = tokio::spawn(async move {
            // It runs until the task is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            invocations,
            requests,
            connections,
            server,
        })
    }

    /// Waits until the function has asked for its `nth` invocation, from 1.
    pub(crate) async fn wait_for_request(&self, nth: u64) -> Result<(), Error> {
        let mut requests = self.requests.clone();
        tokio::time::timeout(DEADLINE, requests.wait_for(|count| *count >= nth))
            .await
            .map_err(|_| format!("it did not ask for invocation {nth} in time"))??;
        Ok(())
    }

    /// How many invocations it has asked for.
    pub(crate) fn requests(&self) -> u64 {
        *self.requests.borrow()
    }

    /// Invokes the function.
    pub(crate) async fn invoke(&self, payload: Bytes) -> Result<Reply, Error> {
        let (answer, answered) = oneshot::channel();
        let invocation = Invocation { payload, answer };
        self.invocations
            .send(invocation)
            .await
            .map_err(|_| "the runtime API has ended")?;
        let outcome = tokio::time::timeout(DEADLINE, answered)
            .await
            .map_err(|_| "the invocation was not answered in time")??;
        Ok(outcome?)
    }

    /// The connections that the function has opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn finish(&self, outcome: impl FnOnce(Duration) -> Outcome) -> StatusCode {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(running) = running else {
            return StatusCode::BAD_REQUEST;
        };
        // After the timeout, which has been reported, the receiver is gone.
        let _ = running.answer.send(outcome(running.since.elapsed()));
        StatusCode::ACCEPTED
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.requests.send_modify(|count| *count += 1);
    let Some(invocation) = shared.queue.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = crate::clock::time().as_millisecond() + 20_000;
    let headers = [
        (
            "lambda-runtime-aws-request-id",
            shop_client::unique().to_string(),
        ),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        ("lambda-runtime-invoked-function-arn", ARN.to_owned()),
        ("lambda-runtime-trace-id", TRACE.to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    *shared
        .running
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(Running {
        since: clock::now(),
        answer: invocation.answer,
    });
    (headers, invocation.payload).into_response()
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(_): Path<String>,
    body: Bytes,
) -> StatusCode {
    shared.finish(|wall| Ok(Reply { body, wall }))
}

async fn error(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    shared.finish(|_| Err(String::from_utf8_lossy(&body).into_owned()))
}
