//! `make cost`: measures and prices what the shop consumes, and fails if an
//! order has become more expensive or a promised limit is exceeded.
//!
//! `UPDATE=1` writes docs/cost.md, docs/cost.json and the README; `FIGURES=<file>`
//! compares with a file other than docs/cost.json; `PRODUCTS=<n>` sets the size
//! of the large catalogue; `PART=pages` only reads pages.
#![expect(
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "it prints a report, and no payment depends on its figures"
)]

use std::process::ExitCode;

use cost::{
    Error, assumed,
    bill::{self, Measurement, Specs},
    counts::Counts,
    gate::{self, Figures},
    idle, pages,
    prices::Prices,
    report::{self, Report, Section},
    shop::MeteredShop,
    tree::{self, root},
};
use local::template::Template;
use runtime::Environment;

/// How often each action is repeated. Units do not vary, but durations do.
const TIMES: u32 = 20;
/// Orders that are declined: all come from one address, which has to wait after
/// its twentieth.
const DECLINED_TIMES: u32 = 15;
/// The same for reads, which are short.
const READ_TIMES: u32 = 100;
/// The mails of a customer with one order: that which verifies the address, and
/// that about the order.
const MAILS: usize = 2;
const THOUSAND: f64 = 1_000.0;
const MILLION: f64 = 1_000_000.0;
const CARD_PAID: &str = "pm_card_visa";
const CARD_DECLINED: &str = "pm_card_chargeDeclined";

struct Measurements {
    register: Measurement,
    log_in: Measurement,
    product: Measurement,
    page: Measurement,
    order: Measurement,
    declined: Measurement,
    scheduled: Counts,
}

async fn measure() -> Result<Measurements, Error> {
    let shop = MeteredShop::start().await?;
    let products = shop.seed().await?;
    let product = products.first().ok_or("the sample catalogue is empty")?;
    let product_path = format!("/api/products/{product}");
    let page_path = "/api/products?limit=20";
    let customer = shop.register().await;
    // Everything runs once unmeasured, to open connections and read secrets.
    shop.log_in(&customer).await;
    shop.client.get(&product_path, 200).await;
    shop.client.get(page_path, 200).await;
    let order = shop.order(&customer, product, CARD_PAID, MAILS).await;
    let settled = customer.client.settled_order(&order).await;
    expect_status(&settled, "confirmed")?;
    shop.end_warm_up().await;

    let register = shop.measure(TIMES, |_| async {
        shop.register().await;
    });
    let register = register.await;
    // A different account: its 21st session would end the customer's first.
    let other = shop.register().await;
    let log_in = shop.measure(TIMES, |_| shop.log_in(&other)).await;
    let read = async |path: &str| {
        let get = |_| async { drop(shop.client.get(path, 200).await) };
        shop.measure(READ_TIMES, get).await
    };
    let (product_read, page) = (read(&product_path).await, read(page_path).await);
    let mut orders = Vec::new();
    for (card, status, times) in [
        (CARD_PAID, "confirmed", TIMES),
        (CARD_DECLINED, "payment_failed", DECLINED_TIMES),
    ] {
        // A customer each: that is the usual case, and no limit is reached.
        let customers = shop.verified_customers(times + 1).await;
        let place = |index: usize| {
            let order = shop.order(&customers[index], product, card, MAILS);
            async { drop(order.await) }
        };
        orders.push(shop.measure(times, place).await);
        let customer = customers.last().ok_or("no customers")?;
        let order = shop.order(customer, product, card, MAILS).await;
        let settled = customer.client.settled_order(&order).await;
        expect_status(&settled, status)?;
    }
    let [order, declined] = orders.try_into().map_err(|_| "not two kinds of orders")?;
    let scheduled = shop.scheduled().await;
    shop.stop().await;
    Ok(Measurements {
        register,
        log_in,
        product: product_read,
        page,
        order,
        declined,
        scheduled,
    })
}

fn expect_status(order: &serde_json::Value, expected: &str) -> Result<(), Error> {
    match &order["status"] {
        status if status == expected => Ok(()),
        status => Err(format!("the order is {status}, not {expected}").into()),
    }
}

/// Reads pages of both catalogues; returns the size of the large one as well.
async fn read_pages(
    environment: &Environment,
    template: &Template,
) -> Result<(Vec<pages::Page>, usize), Error> {
    let large = environment.parse_or("PRODUCTS", pages::LARGE, "a number of products")?;
    println!(
        "reading catalogues of {} and {large} products …",
        pages::SMALL
    );
    let mut tables = template.tables.iter();
    let catalog = tables.find(|table| table.logical_id == "CatalogTable");
    let pages = pages::compare(catalog.ok_or("no CatalogTable")?, large).await?;
    Ok((pages, large))
}

/// Returns whether the run passes the gate.
async fn run() -> Result<bool, Error> {
    let environment = Environment::from_process();
    let (prices, template) = (Prices::read()?, tree::template()?);
    let specs = tree::specs(&template);
    if environment.get("PART") == Some("pages") {
        let (pages, _) = read_pages(&environment, &template).await?;
        println!("{pages:#?}");
        return Ok(passes(&gate::page_violations(&pages)));
    }
    println!("measuring registrations, log-ins, reads and orders …");
    let measured = measure().await?;
    let bill = |of: &Measurement| bill::of(of, &specs, &prices);
    let (order, declined) = (bill(&measured.order)?, bill(&measured.declined)?);
    let frequent = Specs {
        per_second: assumed::FREQUENT_A_SECOND,
        ..specs.clone()
    };
    let read = |of: &Measurement| bill::of(of, &frequent, &prices);
    let (product, page) = (read(&measured.product)?, read(&measured.page)?);
    let (register, log_in) = (bill(&measured.register)?, bill(&measured.log_in)?);
    let idle = idle::month(&measured.scheduled, &template, &specs, &prices)?;
    let (pages, large) = read_pages(&environment, &template).await?;

    let rounded = |usd: f64| (usd * MILLION).round() / MILLION;
    let (order_units, product_units, page_units) = (
        measured.order.units(),
        measured.product.units(),
        measured.page.units(),
    );
    let figures = Figures {
        usd_per_1000_orders: rounded(order.usd() * THOUSAND),
        usd_per_1000_declined_orders: rounded(declined.usd() * THOUSAND),
        usd_per_1000000_product_reads: rounded(product.usd() * MILLION),
        usd_per_1000000_product_pages: rounded(page.usd() * MILLION),
        usd_per_1000_registrations: rounded(register.usd() * THOUSAND),
        usd_per_1000_log_ins: rounded(log_in.usd() * THOUSAND),
        usd_per_idle_month: rounded(idle.bill.usd()),
        order_write_units: order_units.write,
        order_read_units: order_units.read,
        product_read_units: product_units.read,
        product_page_read_units: page_units.read,
    };
    let report = Report {
        figures: &figures,
        bills: vec![
            Section::new("1,000 orders", THOUSAND, &order),
            Section::new("1,000 orders whose card is declined", THOUSAND, &declined),
            Section::new("1,000,000 reads of a product", MILLION, &product),
            Section::new("1,000,000 pages of 20 products", MILLION, &page),
            Section::new("1,000 registrations", THOUSAND, &register),
            Section::new("1,000 log-ins", THOUSAND, &log_in),
        ],
        idle: &idle,
        order: &measured.order,
        pages: &pages,
        large,
        specs: &specs,
        prices: &prices,
    };
    let text = report.render()?;
    println!("{text}");
    if environment.get("UPDATE").is_some() {
        update(&text, &figures)?;
    }
    let committed = environment.get("FIGURES").map(Into::into);
    let committed = committed.unwrap_or_else(|| root().join("docs/cost.json"));
    let committed = Figures::parse(&std::fs::read_to_string(committed)?)?;
    Ok(passes(&gate::violations(&committed, &figures, &pages)))
}

/// Writes the figures into the documents.
fn update(report: &str, figures: &Figures) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(figures)? + "\n";
    std::fs::write(root().join("docs/cost.json"), json)?;
    let document = root().join("docs/cost.md");
    let text = std::fs::read_to_string(&document)?;
    std::fs::write(&document, report::update_document(&text, report)?)?;
    let readme = root().join("README.md");
    let text = std::fs::read_to_string(&readme)?;
    std::fs::write(&readme, report::update_readme(&text, figures)?)?;
    println!("updated: docs/cost.json, docs/cost.md, README.md");
    Ok(())
}

/// Prints the violations; returns whether there are none.
fn passes(violations: &[String]) -> bool {
    for violation in violations {
        println!("VIOLATION: {violation}");
    }
    violations.is_empty()
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAILED: {}", runtime::log::error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
