//! Serves embedded services on loopback ports.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// How long open connections may take to finish when the shop stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause after a connection could not be accepted.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Tells servers and pollers to stop.
#[derive(Debug, Clone)]
pub(crate) struct StopSignal(watch::Receiver<bool>);

impl StopSignal {
    /// A signal that has not been given, and the sender that gives it.
    pub(crate) fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits for the signal.
    pub(crate) async fn wait(mut self) {
        // An error means that the sender is gone, which counts as the signal.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether the signal has been given.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }
}

/// Listens on a port of the loopback interface; 0 picks a free one.
pub(crate) async fn listen(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves a hyper service until it is told to stop.
pub(crate) fn serve<S, B>(listener: TcpListener, service: S, stop: StopSignal) -> JoinHandle<()>
where
    S: hyper::service::Service<
            http::Request<hyper::body::Incoming>,
            Response = http::Response<B>,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    tokio::spawn(async move {
        let graceful = GracefulShutdown::new();
        let mut stopping = std::pin::pin!(stop.wait());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stopping => break,
            };
            let Ok((stream, _)) = accepted else {
                // Probably out of file descriptors: let other connections finish.
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            };
            // Nagle's algorithm would delay small replies by 40 ms.
            let _ = stream.set_nodelay(true);
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone());
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that disconnects is not an error of the service.
                let _ = connection.await;
            });
        }
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
    })
}
