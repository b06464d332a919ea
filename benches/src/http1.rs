//! Hand-written HTTP/1.1 over one connection, for the bootstraps that are the
//! lower bounds: they must not include the cost of a library.

use std::io::{self, BufRead, BufReader, Read, Write};

/// The longest body that is read; Lambda's own limit.
const BODY_BYTES_MAX: usize = 6 * 1024 * 1024;

/// A response: its head and its body.
#[derive(Debug)]
pub(crate) struct Response {
    head: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// A persistent connection.
#[derive(Debug)]
pub(crate) struct Connection<S: Read + Write>(BufReader<S>);

impl<S: Read + Write> Connection<S> {
    /// Wraps an open stream.
    pub(crate) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// Sends a request and reads its response. `head` is the request line and
    /// the headers, each terminated by CRLF, without `Content-Length`.
    ///
    /// # Errors
    /// If the connection breaks or the response is malformed.
    pub(crate) fn request(&mut self, head: &str, body: &[u8]) -> io::Result<Response> {
        let mut request = format!("{head}content-length: {}\r\n\r\n", body.len()).into_bytes();
        request.extend_from_slice(body);
        let stream = self.0.get_mut();
        stream.write_all(&request)?;
        stream.flush()?;

        let mut head = String::new();
        while self.0.read_line(&mut head)? > 2 {}
        let mut response = Response {
            head,
            body: Vec::new(),
        };
        let length = response
            .header("content-length")
            .and_then(|length| length.parse().ok())
            .filter(|length| *length <= BODY_BYTES_MAX)
            .ok_or(io::ErrorKind::InvalidData)?;
        response.body.resize(length, 0);
        self.0.read_exact(&mut response.body)?;
        Ok(response)
    }
}

/// Answers invocations with the result of `answer` until the runtime API closes.
///
/// # Errors
/// If the runtime API cannot be reached, or `answer` fails.
pub(crate) fn serve(
    runtime_api: &str,
    mut answer: impl FnMut(&[u8]) -> io::Result<Vec<u8>>,
) -> io::Result<()> {
    let stream = std::net::TcpStream::connect(runtime_api)?;
    stream.set_nodelay(true)?;
    let mut connection = Connection::over(stream);
    loop {
        let next =
            format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {runtime_api}\r\n");
        let invocation = connection.request(&next, b"")?;
        let id = invocation
            .header("lambda-runtime-aws-request-id")
            .ok_or(io::ErrorKind::InvalidData)?;
        let head = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: {runtime_api}\r\n"
        );
        connection.request(&head, &answer(&invocation.body)?)?;
    }
}
