//! `emporium-local`: the whole shop on this machine.
//!
//! What a person reads goes to standard output; logs go to standard error, as
//! JSON, from `info` on or as `RUST_LOG` says.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use local::{Options, Shop, Source, StartError, template::Event};
use runtime::{Environment, log};

const HELP: &str = "\
Runs the whole shop from template.yaml, with no account and no network.

  emporium-local [--ephemeral] [--template FILE] [--data DIR] [--ready-file FILE]

  --ephemeral        keep nothing between runs (or EPHEMERAL=1)
  --template FILE    the template (template.yaml)
  --data DIR         where data is kept (.local)
  --ready-file FILE  write {\"url\":…,\"internalKey\":…} there once the shop answers

  PORT=3000          the port; 0 for any that is free
  INTERNAL_KEY=…     the internal key (local-internal-key)
  RUST_LOG=info      what is logged, as JSON, on standard error

Each parameter of the template is taken from the variable of its name, in
capitals with underscores: ShopCurrency from SHOP_CURRENCY.
";

/// What is logged when `RUST_LOG` does not say: the functions, and of the
/// embedded services only what is wrong.
const LOG_DEFAULT: &str = "info,dynoxide=error,rustack_sqs_core=warn,rustack_sns_core=warn,rustack_ses_core=warn,rustack_secretsmanager_core=warn";
/// Where the shop answers when nothing else is said.
const PORT_DEFAULT: u16 = 3000;

/// What the command line and the environment ask for.
struct Arguments {
    template: PathBuf,
    data: Option<PathBuf>,
    ready_file: Option<PathBuf>,
    port: u16,
}

fn main() -> ExitCode {
    let environment = with_room(Environment::of_process());
    let arguments = match arguments(std::env::args().skip(1), &environment) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            say(HELP);
            return ExitCode::SUCCESS;
        }
        Err(reason) => return fail(&format!("{reason}\n\n{HELP}")),
    };
    log_to_stderr();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    match runtime.block_on(run(arguments, environment)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&log::chain(error.as_ref())),
    }
}

/// The environment with a higher limit of requests from one address, when it
/// sets none: here all of them come from this machine, tests and demos included.
fn with_room(environment: Environment) -> Environment {
    const VARIABLE: &str = "AUTH_REQUESTS_PER_IP";
    const REQUESTS: &str = "100000";
    match environment.get(VARIABLE) {
        Some(_) => environment,
        None => environment.with(VARIABLE, REQUESTS),
    }
}

async fn run(arguments: Arguments, environment: Environment) -> Result<(), runtime::Error> {
    let mut stopping = Signals::listen()?;
    let options = Options {
        template: Source::File(arguments.template),
        functions: local::registry::functions(),
        port: arguments.port,
        data: arguments.data.clone(),
        environment,
        triggers: true,
    };
    let shop = match Shop::start(options).await {
        Err(error @ StartError::Port { .. }) => {
            return Err(format!("{}; choose another with PORT=…", log::chain(&error)).into());
        }
        started => started?,
    };
    if let Some(file) = &arguments.ready_file {
        write_ready_file(file, &shop)?;
    }
    say(&banner(&shop, arguments.data.as_deref()));
    stopping.wait().await;
    say("stopping\n");
    shop.stop().await;
    Ok(())
}

/// The same JSON as in Lambda, and panics as a line of it.
fn log_to_stderr() {
    // Nothing else has set one in this process.
    let _ = log::write(LOG_DEFAULT, std::io::stderr);
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

/// Ctrl-C, and what a process manager sends.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

fn arguments(
    mut given: impl Iterator<Item = String>,
    environment: &Environment,
) -> Result<Option<Arguments>, String> {
    let mut template = PathBuf::from("template.yaml");
    let mut data = PathBuf::from(".local");
    let mut ready_file = None;
    let mut ephemeral = environment
        .get("EPHEMERAL")
        .is_some_and(|value| value == "1" || value == "true");
    while let Some(argument) = given.next() {
        let mut value = || {
            given
                .next()
                .map(PathBuf::from)
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--ephemeral" => ephemeral = true,
            "--template" => template = value()?,
            "--data" => data = value()?,
            "--ready-file" => ready_file = Some(value()?),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("{other} is not an option")),
        }
    }
    let port = environment
        .parse_or("PORT", PORT_DEFAULT, "a port")
        .map_err(|error| error.to_string())?;
    Ok(Some(Arguments {
        template,
        data: (!ephemeral).then_some(data),
        ready_file,
        port,
    }))
}

/// What a person needs to know to go on.
fn banner(shop: &Shop, data: Option<&Path>) -> String {
    let url = shop.url();
    let routes = shop
        .template()
        .functions
        .iter()
        .flat_map(|function| &function.events);
    let has_docs = routes
        .into_iter()
        .any(|event| matches!(event, Event::Http(route) if route.path == "/docs"));
    let docs = if has_docs {
        format!("{url}/docs")
    } else {
        "docs/api.md".to_owned()
    };
    let data = match data {
        Some(data) => format!("kept in {}", data.display()),
        None => "not kept".to_owned(),
    };
    let key = shop
        .internal_key()
        .map(|key| format!("  internal   X-Internal-Key: {key}\n"))
        .unwrap_or_default();
    format!(
        "\nEmporium is open, with {functions} functions from template.yaml.\n\n\
         \x20 shop       {url}\n\
         \x20 docs       {docs}\n\
         \x20 at work    {url}/_local/\n\
         \x20 mailbox    {url}/_local/mailbox\n\
         \x20 metrics    {url}/metrics\n\
         {key}\
         \x20 data       {data}\n\n\
         Buy something: make demo BASE_URL={url}\n\n",
        functions = shop.template().functions.len(),
    )
}

/// Tells a script that the shop answers; the file is there whole or not at all.
fn write_ready_file(file: &Path, shop: &Shop) -> std::io::Result<()> {
    let ready = serde_json::json!({"url": shop.url(), "internalKey": shop.internal_key()});
    let unfinished = file.with_extension("unfinished");
    std::fs::write(&unfinished, ready.to_string())?;
    std::fs::rename(&unfinished, file)
}

fn say(text: &str) {
    // Nobody reads any more: the shop goes on.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn fail(reason: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "emporium-local: {reason}");
    ExitCode::FAILURE
}
