//! A TLS proxy in front of the emulated services. Each process gets its own, so
//! that its connections can be counted. All programs pass through the same hop.

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

use crate::Error;

/// The roots that the functions trust in AWS. The certificate file contains them
/// in addition to the harness's own, so that reading it costs at least as much.
const ROOTS: &str = include_str!("../../shared/runtime/src/amazon-trust-services.pem");
/// The name in the certificate.
const HOST: &str = "localhost";

/// A certificate authority for one run.
pub(crate) struct CertificateAuthority {
    acceptor: TlsAcceptor,
    /// The file with all roots.
    pub(crate) file: PathBuf,
}

impl CertificateAuthority {
    /// Creates an authority and writes its certificate to `directory`.
    pub(crate) fn create(directory: &Path) -> Result<Self, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        // With the leaf's name, the leaf would look self-signed.
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

/// A proxy in front of one service for one process.
pub(crate) struct TlsProxy {
    /// `https://localhost:9002`.
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl TlsProxy {
    /// Starts a proxy for the service at `upstream` (`http://127.0.0.1:9000`).
    pub(crate) async fn start(
        authority: &CertificateAuthority,
        upstream: &str,
    ) -> Result<Self, Error> {
        let upstream = upstream
            .strip_prefix("http://")
            .ok_or("the service has no http:// URL")?
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
                    // A killed process breaks its connection, which is expected.
                    let _ = forward(acceptor, stream, &upstream).await;
                });
            }
        });
        Ok(Self {
            url,
            connections,
            server,
        })
    }

    /// The connections that the process has opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(acceptor: TlsAcceptor, stream: TcpStream, upstream: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut service = TcpStream::connect(upstream).await?;
    service.set_nodelay(true)?;
    let mut client = acceptor.accept(stream).await?;
    tokio::io::copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}
