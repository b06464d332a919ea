//! TLS in front of the embedded services, on a name and a port of its own for
//! each process, so that its connections can be counted. It is the same hop
//! for everybody who is measured.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::Failure;

/// The roots that the functions trust in AWS. They are in the file beside the
/// harness's own, so that reading the file costs what it costs there, and more.
const ROOTS: &str = include_str!("../../shared/runtime/src/amazon-trust-services.pem");
/// The name that the certificate is for.
const HOST: &str = "localhost";

/// An authority of one's own.
pub(crate) struct Authority {
    acceptor: TlsAcceptor,
    /// A bundle of all roots.
    pub(crate) file: PathBuf,
}

impl Authority {
    /// Makes an authority, and writes its certificate into `directory`.
    pub(crate) fn create(directory: &Path) -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new())?;
        // Another name than the leaf's, which would be taken for self-signed.
        params
            .distinguished_name
            .push(DnType::CommonName, "Emporium benchmarks");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &issuer)?;

        let file = directory.join("roots.pem");
        std::fs::write(&file, format!("{ROOTS}{}", issuer.pem()))?;
        let certificate = CertificateDer::from_pem_slice(leaf.pem().as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            file,
        })
    }
}

/// TLS in front of one service, for one process.
pub(crate) struct Front {
    /// `https://localhost:9002`.
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Front {
    /// A front of the service at `upstream` (`http://127.0.0.1:9000`).
    pub(crate) async fn start(authority: &Authority, upstream: &str) -> Result<Self, Failure> {
        let upstream = upstream
            .strip_prefix("http://")
            .ok_or("the service is not at http://")?
            .to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("https://{HOST}:{}", listener.local_addr()?.port());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let acceptor = authority.acceptor.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    // A process that is killed breaks its connection: no matter.
                    let _ = pass(acceptor, stream, &upstream).await;
                });
            }
        });
        Ok(Self {
            url,
            connections,
            server,
        })
    }

    /// Connections that the process has opened to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(acceptor: TlsAcceptor, stream: TcpStream, upstream: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut behind = TcpStream::connect(upstream).await?;
    behind.set_nodelay(true)?;
    let mut before = acceptor.accept(stream).await?;
    tokio::io::copy_bidirectional(&mut before, &mut behind).await?;
    Ok(())
}
