//! `make timing`; see [`benches::timing`].

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::main(async |environment| benches::timing::run(environment).await)
}
