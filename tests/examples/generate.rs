//! Writes what follows from the functions' declarations: `make generate`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a tool for developers, who read what it prints and why it panics"
)]

#[path = "../architecture/generated/mod.rs"]
mod generated;
#[path = "../architecture/support.rs"]
#[expect(dead_code, reason = "the tests of the architecture use all of it")]
mod support;

use std::fs;

fn main() {
    let stale = generated::outputs()
        .into_iter()
        .filter(generated::Output::is_stale);
    let mut written = 0;
    for output in stale {
        fs::write(support::root().join(&output.path), &output.text).expect("a writable tree");
        println!("wrote {}", output.path.display());
        written += 1;
    }
    if written == 0 {
        println!("everything that is generated is current");
    }
}
