//! `make timing`; see `benches::timing`.

use std::{io::Write, process::ExitCode};

use benches::Failure;
use runtime::{Environment, log};

fn main() -> ExitCode {
    let environment = Environment::of_process();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(benches::timing::run(&environment)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when nobody can be told.
            let _ = writeln!(std::io::stderr(), "failed: {}", log::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
