//! `emporium`: see `emporium --help`.

use std::{io::Write, process::ExitCode};

use operator::{
    Outcome, Shop,
    command::{Arguments, HELP, run},
    place,
};
use runtime::{Environment, Error, log};

const PORT_DEFAULT: u16 = 3000;
/// A check found something.
const FOUND: u8 = 1;
const WRONG_COMMAND_LINE: u8 = 2;
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print(HELP);
            return ExitCode::SUCCESS;
        }
        Err(reason) => {
            complain(&format!("{reason}; see emporium --help"));
            return ExitCode::from(WRONG_COMMAND_LINE);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(carry_out(&arguments)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(Outcome { text, found }) => {
            print(&text);
            ExitCode::from(if found { FOUND } else { 0 })
        }
        Err(error) => {
            complain(&log::error_chain(error.as_ref()));
            ExitCode::from(FAILED)
        }
    }
}

async fn carry_out(arguments: &Arguments) -> Result<Outcome, Error> {
    let process = Environment::from_process();
    let stack = arguments.stack.as_deref().or_else(|| process.get("STACK"));
    let environment = match (&arguments.shop, stack) {
        (Some(url), _) => place::local(url).await?,
        (None, Some(stack)) => place::stack(stack, &process).await?,
        (None, None) => {
            let port = process.parse_or("PORT", PORT_DEFAULT, "a port")?;
            place::local(&format!("http://127.0.0.1:{port}")).await?
        }
    };
    let shop = Shop::open(&environment)?;
    run(&shop, &arguments.command, arguments.json).await
}

fn print(text: &str) {
    // A closed pipe is the reader's business.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn complain(reason: &str) {
    let _ = writeln!(std::io::stderr(), "emporium: {reason}");
}
