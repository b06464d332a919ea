//! `make bench`; see [`benches::run`].

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::main(async |environment| benches::run(environment).await)
}
