//! `make cost`: measures, prices, writes docs/cost.md and docs/cost.json with
//! `UPDATE=1`, and fails when an order has become dearer.
//!
//! `FIGURES=<file>` compares with another file than docs/cost.json;
//! `PRODUCTS=<n>` makes the large catalogue of another size; `PART=pages` reads
//! pages and does nothing else.
#![expect(
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a report is printed, of figures that nobody pays"
)]

use std::process::ExitCode;

use cost::{
    Error,
    bill::{self, Measurement},
    gate::{self, Figures},
    idle, pages,
    prices::Prices,
    report::{self, Section},
    story::Story,
    tree::{self, root},
};
use runtime::Environment;

/// How often each step is done: units are the same each time, milliseconds are not.
const TIMES: u32 = 20;
/// Read steps: shorter, so more often.
const READS: u32 = 100;
/// A thousand, and a million: what is priced.
const THOUSAND: f64 = 1_000.0;
const MILLION: f64 = 1_000_000.0;
/// A test card that pays, and one that does not.
const CARD: &str = "pm_card_visa";
const CARD_DECLINED: &str = "pm_card_chargeDeclined";

/// Everything that was measured.
struct Measured {
    register: Measurement,
    log_in: Measurement,
    read: Measurement,
    page: Measurement,
    order: Measurement,
    declined: Measurement,
    clock: cost::counts::Counts,
}

async fn measure() -> Result<Measured, Error> {
    let story = Story::begin().await?;
    let products = story.fill().await?;
    let (email, token) = story.register().await?;
    let customer = (email.as_str(), token.as_str());
    // Everything once before it counts: connections open, secrets are read.
    let mut mails = 2;
    let product = products[0].as_str();
    story.log_in(&email).await?;
    story.get(&format!("/api/products/{product}")).await?;
    story.get("/api/products?limit=20").await?;
    let order = story.order(customer, product, CARD, mails).await?;
    let status = story.status(&token, &order).await?;
    if status != "confirmed" {
        return Err(format!("the order is {status}").into());
    }
    let register = story
        .measure(TIMES, |_| async { story.register().await.map(drop) })
        .await?;
    // Somebody else: the twenty-first session ends the customer's first.
    let (other, _) = story.register().await?;
    let log_in = story.measure(TIMES, |_| story.log_in(&other)).await?;
    let path = format!("/api/products/{product}");
    let read = story
        .measure(READS, |_| async { story.get(&path).await.map(drop) })
        .await?;
    let page = story
        .measure(READS, |_| async {
            story.get("/api/products?limit=20").await.map(drop)
        })
        .await?;
    let mut confirmed = Vec::new();
    let mut all = Vec::new();
    for card in [CARD, CARD_DECLINED] {
        let before = mails;
        let measured = story
            .measure(TIMES, |time| {
                let mail = before + 1 + usize::try_from(time).unwrap_or_default();
                story_order(&story, customer, product, card, mail)
            })
            .await?;
        mails += usize::try_from(TIMES)?;
        all.push(measured);
        let order = story.order(customer, product, card, mails + 1).await?;
        mails += 1;
        confirmed.push(story.status(&token, &order).await?);
    }
    if confirmed != ["confirmed", "payment_failed"] {
        return Err(format!("the orders are {confirmed:?}").into());
    }
    // A whole round of what runs by the clock.
    tokio::time::sleep(std::time::Duration::from_secs(65)).await;
    story.settle().await?;
    let clock = story.by_the_clock();
    story.end().await;
    let (declined, order) = (all.pop(), all.pop());
    Ok(Measured {
        register,
        log_in,
        read,
        page,
        order: order.ok_or("no order")?,
        declined: declined.ok_or("no order")?,
        clock,
    })
}

async fn story_order(
    story: &Story,
    customer: (&str, &str),
    product: &str,
    card: &str,
    mail: usize,
) -> Result<(), Error> {
    story.order(customer, product, card, mail).await.map(drop)
}

async fn run() -> Result<bool, Error> {
    let environment = Environment::of_process();
    let (prices, template) = (Prices::read()?, tree::template()?);
    let specs = tree::specs(&template);
    if environment.get("PART") == Some("pages") {
        let (text, compared) = read_pages(&environment).await?;
        println!("{text}");
        return Ok(passes(&gate::page_faults(&compared)));
    }
    println!("the story, step by step …");
    let measured = measure().await?;
    let bill = |of: &Measurement| bill::of(of, &specs, &prices);
    let (order, declined) = (bill(&measured.order)?, bill(&measured.declined)?);
    let (read, page) = (bill(&measured.read)?, bill(&measured.page)?);
    let (register, log_in) = (bill(&measured.register)?, bill(&measured.log_in)?);
    let queues = template.functions.iter().flat_map(|one| &one.events);
    let queues = queues.filter(|event| matches!(event, local::template::Event::Queue(_)));
    let month = idle::month(
        &measured.clock,
        &root().join("template.yaml"),
        queues.count(),
        &specs,
        &prices,
    )?;
    let (pages_text, compared) = read_pages(&environment).await?;

    let per = |of: &Measurement| {
        let units = of.counts.total();
        (units.write / of.times, units.read / of.times)
    };
    let cents = |usd: f64| (usd * MILLION).round() / MILLION;
    let figures = Figures {
        usd_per_1000_orders: cents(order.usd() * THOUSAND),
        usd_per_1000_declined_orders: cents(declined.usd() * THOUSAND),
        usd_per_1000000_product_reads: cents(read.usd() * MILLION),
        usd_per_1000000_product_pages: cents(page.usd() * MILLION),
        usd_per_1000_registrations: cents(register.usd() * THOUSAND),
        usd_per_1000_log_ins: cents(log_in.usd() * THOUSAND),
        usd_per_idle_month: cents(month.bill.usd()),
        order_write_units: per(&measured.order).0,
        order_read_units: per(&measured.order).1,
        product_read_units: per(&measured.read).1,
        product_page_read_units: per(&measured.page).1,
    };
    let section = |title, scale, bill| Section { title, scale, bill };
    let mut text = report::headline(&figures)?;
    text += &report::bills(
        &[
            section("1,000 orders", THOUSAND, &order),
            section("1,000 orders whose card is declined", THOUSAND, &declined),
            section("1,000,000 reads of a product", MILLION, &read),
            section("1,000,000 pages of 20 products", MILLION, &page),
            section("1,000 registrations", THOUSAND, &register),
            section("1,000 log-ins", THOUSAND, &log_in),
        ],
        &prices,
    )?;
    text += &report::month(&month, &prices)?;
    text += &report::units("an order", &measured.order)?;
    text += &report::milliseconds(
        "an order",
        &measured.order.counts,
        measured.order.times,
        &specs,
    )?;
    text += &pages_text;
    text += &report::price_list(&prices)?;
    println!("{text}");

    let tree = root().join("docs/cost.json");
    if environment.get("UPDATE").is_some() {
        std::fs::write(&tree, serde_json::to_string_pretty(&figures)? + "\n")?;
        let document = root().join("docs/cost.md");
        let old = std::fs::read_to_string(&document)?;
        std::fs::write(&document, report::replace(&old, text.trim())?)?;
        let readme = root().join("README.md");
        let old = std::fs::read_to_string(&readme)?;
        std::fs::write(&readme, report::readme(&old, &figures)?)?;
        println!("written: docs/cost.json, docs/cost.md, README.md");
    }
    let compared_with = environment.get("FIGURES").map_or(tree, Into::into);
    let tree = Figures::parse(&std::fs::read_to_string(compared_with)?)?;
    Ok(passes(&gate::faults(&tree, &figures, &compared)))
}

/// Reads pages of both catalogues.
async fn read_pages(environment: &Environment) -> Result<(String, Vec<pages::Page>), Error> {
    let template = tree::template()?;
    let large = environment.parse_or("PRODUCTS", pages::LARGE, "a number of products")?;
    println!("catalogues of {} and {large} products …", pages::SMALL);
    let mut tables = template.tables.iter();
    let catalog = tables.find(|one| one.logical_id == "CatalogTable");
    let compared = pages::compare(catalog.ok_or("no CatalogTable")?, large).await?;
    let text = report::pages(&compared, pages::SMALL, large)?;
    Ok((text, compared))
}

/// Says what is not as it must be; gives whether nothing is.
fn passes(faults: &[String]) -> bool {
    for fault in faults {
        println!("FAULT: {fault}");
    }
    faults.is_empty()
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
            println!("FAILED: {}", runtime::log::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
