//! Serves the embedded services on loopback ports.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// How long connections may take to finish when the shop stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Tells everything that serves or polls to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A stop that has not come yet, and what makes it come.
    pub(crate) fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until it is time to stop.
    pub(crate) async fn wait(mut self) {
        // An error means that the sender is gone, which is a stop too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether it is time to stop.
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }
}

/// A listener on a free port of the loopback interface, and its address.
pub(crate) async fn listen(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves a service of the hyper kind until it is time to stop.
pub(crate) fn serve<S, B>(listener: TcpListener, service: S, stop: Stop) -> JoinHandle<()>
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
                // Out of file descriptors, say: let others finish first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Replies are small; waiting to fill a packet would cost 40 ms.
            let _ = stream.set_nodelay(true);
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone());
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that goes away is no concern of ours.
                let _ = connection.await;
            });
        }
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
    })
}
