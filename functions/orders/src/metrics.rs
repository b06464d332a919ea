//! What is counted of orders. Each is counted where a transaction has just
//! been made, never where it is found made already: so an event that comes
//! twice counts once. If the function dies between the two, it is not counted
//! at all; the table, not a metric, is the shop's books.

use kernel::Money;
use runtime::metrics::{Counter, Gauge, Histogram, Metric, Unit};

use crate::domain::{Order, Step};

/// All of them.
pub const METRICS: &[Metric] = &[
    ORDERS_PLACED.0,
    ORDERS_CONFIRMED.0,
    ORDERS_FAILED.0,
    REVENUE.0,
    STUCK_ORDERS.0,
];

const ORDERS_PLACED: Counter = Counter(Metric {
    name: "OrdersPlaced",
    unit: Some(Unit::Count),
    labels: &[],
    help: "Orders that were taken: their goods are held",
});

const ORDERS_CONFIRMED: Counter = Counter(Metric {
    name: "OrdersConfirmed",
    unit: Some(Unit::Count),
    labels: &[],
    help: "Orders whose goods are sold and whose money is taken",
});

const ORDERS_FAILED: Counter = Counter(Metric {
    name: "OrdersFailed",
    unit: Some(Unit::Count),
    labels: &["Reason"],
    help: "Orders that ended without money, by reason",
});

const REVENUE: Histogram = Histogram(Metric {
    name: "Revenue",
    unit: None,
    labels: &["Currency"],
    help: "Totals of confirmed orders, in whole units of the currency",
});

const STUCK_ORDERS: Gauge = Gauge(Metric {
    name: "StuckOrders",
    unit: Some(Unit::Count),
    labels: &[],
    help: "Orders that are neither confirmed nor over long after they should be",
});

/// An order was taken.
pub(crate) fn placed() {
    ORDERS_PLACED.increment(&[]);
}

/// An order has made a step from `before`.
pub(crate) fn stepped(before: &Order, step: &Step) {
    if let Some(reason) = step.failure(before) {
        ORDERS_FAILED.increment(&[reason]);
    }
    if let Step::Confirmed(confirmed) = step {
        ORDERS_CONFIRMED.increment(&[]);
        let total = confirmed.total;
        REVENUE.record(&[total.currency().code()], whole_units(total));
    }
}

/// So many orders are stuck.
pub(crate) fn stuck(orders: u32) {
    STUCK_ORDERS.set(&[], f64::from(orders));
}

/// An amount as the float nearest to it, which is as good as a metric gets.
fn whole_units(amount: Money) -> f64 {
    // What Money writes as a decimal number reads as one.
    amount.amount().as_str().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_counted_in_whole_units_of_its_currency() {
        let amount = |minor, code: &str| {
            let currency = serde_json::from_value(code.into()).unwrap();
            whole_units(Money::new(minor, currency).unwrap())
        };
        assert_eq!(amount(1999, "USD").to_bits(), 19.99_f64.to_bits());
        assert_eq!(amount(1999, "JPY").to_bits(), 1999_f64.to_bits());
        assert_eq!(amount(1, "KWD").to_bits(), 0.001_f64.to_bits());
    }
}
