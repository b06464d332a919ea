//! The lower bound: a bootstrap of nothing but the standard library, which answers
//! every invocation with the same few bytes.

#![expect(
    clippy::disallowed_methods,
    reason = "it must contain nothing of the shop, not even its reader of the environment"
)]

// Included directly, because the library would be linked completely.
#[path = "../http1.rs"]
mod http1;

fn main() -> std::io::Result<()> {
    let runtime_api = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(std::io::Error::other)?;
    http1::serve(&runtime_api, |_| {
        Ok(br#"{"statusCode":200,"headers":{},"body":"{}","isBase64Encoded":false}"#.to_vec())
    })
}
