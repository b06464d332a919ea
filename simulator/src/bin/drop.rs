//! `make drop`: everybody wants one product.

use std::{io::Write, path::Path, process::ExitCode, sync::Arc};

use local::template::Template;
use runtime::Environment;
use simulator::drop::{self, Drop};

fn main() -> ExitCode {
    let report = offered().and_then(|offered| Ok((offered, start()?)));
    let (line, code) = match report {
        Ok((offered, template)) => {
            let report = drop::run(&template, offered);
            let Drop {
                rate,
                buyers,
                stock,
                ..
            } = offered;
            let code = match report.wrong.is_empty() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            };
            (
                format!("{buyers} buyers, {rate} a second, of {stock} units\n{report}"),
                code,
            )
        }
        Err(reason) => (format!("cannot simulate: {reason}"), ExitCode::FAILURE),
    };
    // There is nowhere to report that nothing can be written.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
    code
}

fn offered() -> Result<Drop, String> {
    let environment = Environment::from_process();
    let number = |name, default| {
        let number = environment.parse_or(name, default, "a whole number");
        number.map_err(|error| error.to_string())
    };
    let rate: u64 = number("RATE", 1_000)?.max(1);
    Ok(Drop {
        rate,
        buyers: number("BUYERS", rate * 10)?,
        stock: number("STOCK", rate * 5)?,
        seed: number("SEED", 1)?,
    })
}

fn start() -> Result<Arc<Template>, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let template = Template::load(&path, &Environment::default());
    Ok(Arc::new(template.map_err(|error| error.to_string())?))
}
