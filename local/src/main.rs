//! `emporium-local`: the whole shop on this machine.
//!
//! Messages for people go to standard output, logs to standard error.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use local::{Options, Shop, Source, StartError, template::Event};
use runtime::{Environment, log};

const HELP: &str = "\
Runs the whole shop from template.yaml, without an AWS account or a network.

  emporium-local [--ephemeral] [--template FILE] [--data DIR] [--ready-file FILE]

  --ephemeral        keep nothing between runs (or EPHEMERAL=1)
  --template FILE    the template (template.yaml)
  --data DIR         the data directory (.local)
  --ready-file FILE  write {\"url\":…,\"internalKey\":…} there once the shop is ready

  PORT=3000          the port; 0 picks a free one
  INTERNAL_KEY=…     the internal key (local-internal-key)
  RUST_LOG=info      the log filter; logs are JSON, on standard error

Parameters of the template are set by environment variables in upper snake
case: ShopCurrency by SHOP_CURRENCY.
";

/// The log filter without `RUST_LOG`: the functions, and problems of the embedded
/// services.
const LOG_DEFAULT: &str = "info,dynoxide=error,rustack_sqs_core=warn,rustack_sns_core=warn,rustack_ses_core=warn,rustack_secretsmanager_core=warn";
const PORT_DEFAULT: u16 = 3000;

/// The settings of the command line and the environment.
struct Arguments {
    template: PathBuf,
    data: Option<PathBuf>,
    ready_file: Option<PathBuf>,
    port: u16,
}

fn main() -> ExitCode {
    let environment = with_raised_rate_limit(Environment::from_process());
    let arguments = match arguments(std::env::args().skip(1), &environment) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print(HELP);
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
        Err(error) => fail(&log::error_chain(error.as_ref())),
    }
}

/// Raises the rate limit per IP address unless the environment sets it: locally,
/// all requests come from one address, including those of tests and demos.
fn with_raised_rate_limit(environment: Environment) -> Environment {
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
            return Err(format!("{}; set PORT to another one", log::error_chain(&error)).into());
        }
        started => started?,
    };
    if let Some(file) = &arguments.ready_file {
        write_ready_file(file, &shop)?;
    }
    print(&banner(&shop, arguments.data.as_deref()));
    stopping.wait().await;
    print("stopping\n");
    shop.stop().await;
    Ok(())
}

/// Logs the same JSON as in Lambda, including panics.
fn log_to_stderr() {
    // Fails only if a subscriber is set already, which this process never does before.
    let _ = log::write(LOG_DEFAULT, std::io::stderr);
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

/// Ctrl-C, and the signal of process managers.
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
            other => return Err(format!("unknown option {other}")),
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
        "\nEmporium is running, with {functions} functions from template.yaml.\n\n\
         \x20 API        {url}\n\
         \x20 docs       {docs}\n\
         \x20 dashboard  {url}/_local/\n\
         \x20 mailbox    {url}/_local/mailbox\n\
         \x20 metrics    {url}/metrics\n\
         {key}\
         \x20 data       {data}\n\n\
         Try it: make demo BASE_URL={url}\n\n",
        functions = shop.template().functions.len(),
    )
}

/// Tells a script that the shop is ready. The file is written atomically.
fn write_ready_file(file: &Path, shop: &Shop) -> std::io::Result<()> {
    let ready = serde_json::json!({"url": shop.url(), "internalKey": shop.internal_key()});
    let temporary = file.with_extension("tmp");
    std::fs::write(&temporary, ready.to_string())?;
    std::fs::rename(&temporary, file)
}

fn print(text: &str) {
    // A closed standard output must not stop the shop.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn fail(reason: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "emporium-local: {reason}");
    ExitCode::FAILURE
}
