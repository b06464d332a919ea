//! As much of HTTP/1.1 as stubs and proxies on loopback need: messages with a
//! `content-length`.

use tokio::{io::AsyncReadExt, net::TcpStream};

/// A request or a response, as it was sent.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    body_start: usize,
}

impl Message {
    /// Reads the next message; `buffer` keeps what was read beyond it. `None`
    /// when the connection is closed.
    pub(crate) async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Self> {
        loop {
            if let Some(message) = Self::split_off(buffer) {
                return Some(message);
            }
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        }
    }

    fn split_off(buffer: &mut Vec<u8>) -> Option<Self> {
        let head_end = buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let body_start = head_end + 4;
        let length = header(&buffer[..head_end], "content-length");
        let length: usize = length.map_or(0, |text| text.parse().expect("a length"));
        let end = body_start + length;
        (buffer.len() >= end).then(|| Self {
            bytes: buffer.drain(..end).collect(),
            body_start,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.bytes[..self.body_start], name)
    }

    pub(crate) fn body(&self) -> String {
        String::from_utf8_lossy(&self.bytes[self.body_start..]).into_owned()
    }
}

fn header<'a>(head: &'a [u8], wanted: &str) -> Option<&'a str> {
    let head = std::str::from_utf8(head).expect("a head in ASCII");
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
    Some(value.trim())
}
