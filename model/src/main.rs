//! `make model ORDERS=3`: searches the checkout of some orders completely.

use std::{io::Write, process::ExitCode};

use model::{ORDERS_MAX, Shop};
use runtime::{Environment, Stopwatch};

fn main() -> ExitCode {
    let environment = Environment::from_process();
    let orders = environment.parse_or("ORDERS", 2, "a number of orders");
    let units = environment.parse_or("UNITS", 1, "a number of units");
    let mut out = std::io::stdout();
    match (orders, units) {
        (Ok(orders @ 1..=ORDERS_MAX), Ok(units)) => {
            let watch = Stopwatch::start();
            let report = Shop::new(orders, units).check();
            let seconds = watch.elapsed().as_secs();
            let _ = writeln!(
                out,
                "{orders} orders, {units} units: {report}in {seconds} s"
            );
            if report.violations.is_empty() {
                return ExitCode::SUCCESS;
            }
        }
        (Ok(_), Ok(_)) => {
            let _ = writeln!(out, "ORDERS is at least 1 and at most {ORDERS_MAX}");
        }
        (Err(error), _) | (_, Err(error)) => {
            let _ = writeln!(out, "{error}");
        }
    }
    ExitCode::FAILURE
}
