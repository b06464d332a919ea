//! The lower bound of a function that reads DynamoDB: TLS and one hand-written
//! GetItem whose response is passed on unparsed, without SDK, signature, router
//! or log.

#![expect(
    clippy::disallowed_methods,
    reason = "it must contain nothing of the shop, not even its reader of the environment"
)]

// Included directly, because the library would be linked completely.
#[path = "../http1.rs"]
mod http1;

use std::{
    io::{Error, Result},
    net::TcpStream,
    sync::Arc,
};

use http1::Connection;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(Error::other)
}

fn main() -> Result<()> {
    let endpoint = variable("AWS_ENDPOINT_URL_DYNAMODB")?;
    let host = endpoint
        .strip_prefix("https://")
        .ok_or_else(|| Error::other("the endpoint is not https://"))?
        .trim_end_matches('/')
        .to_owned();
    let mut roots = RootCertStore::empty();
    let file = variable("SSL_CERT_FILE")?;
    for certificate in CertificateDer::pem_file_iter(file).map_err(Error::other)? {
        let certificate = certificate.map_err(Error::other)?;
        roots.add(certificate).map_err(Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = host.split(':').next().unwrap_or_default().to_owned();
    let name = ServerName::try_from(name).map_err(Error::other)?;
    let tls = ClientConnection::new(Arc::new(config), name).map_err(Error::other)?;
    let stream = TcpStream::connect(&host)?;
    stream.set_nodelay(true)?;
    let mut dynamodb = Connection::over(StreamOwned::new(tls, stream));

    let table = variable("TABLE")?;
    let get = |pk: &str, sk: &str| {
        format!(r#"{{"TableName":"{table}","Key":{{"pk":{{"S":"{pk}"}},"sk":{{"S":"{sk}"}}}}}}"#)
    };
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\n\
         content-type: application/x-amz-json-1.0\r\n\
         x-amz-target: DynamoDB_20120810.GetItem\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n\
         x-amz-date: 20260101T000000Z\r\n"
    );
    // The handshake is part of the start, as in the functions.
    dynamodb.request(&head, get("-", "-").as_bytes())?;
    let item = get(&variable("BENCH_PK")?, "PRODUCT");
    http1::serve(&variable("AWS_LAMBDA_RUNTIME_API")?, |_| {
        let item = dynamodb.request(&head, item.as_bytes())?;
        let body = serde_json::to_string(&String::from_utf8_lossy(&item.body))?;
        Ok(
            format!(r#"{{"statusCode":200,"headers":{{}},"body":{body},"isBase64Encoded":false}}"#)
                .into_bytes(),
        )
    })
}
