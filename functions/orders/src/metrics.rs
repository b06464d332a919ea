//! The business metrics of orders.
//!
//! Each is recorded right after its transaction commits, so a repeated event
//! counts once. If the function dies in between, the event is not counted: the
//! table, not a metric, is the record.

use kernel::Money;
use runtime::metrics::{Counter, Gauge, Histogram, Metric, Unit};

use crate::domain::{Order, Transition};

pub const METRICS: &[Metric] = &[
    ORDERS_PLACED.0,
    ORDERS_CONFIRMED.0,
    ORDERS_FAILED.0,
    ORDERS_REFUSED.0,
    REVENUE.0,
    STUCK_ORDERS.0,
];

const ORDERS_PLACED: Counter = Counter(Metric {
    name: "OrdersPlaced",
    unit: Some(Unit::Count),
    labels: &[],
    help: "Orders placed, with their goods reserved",
});

const ORDERS_CONFIRMED: Counter = Counter(Metric {
    name: "OrdersConfirmed",
    unit: Some(Unit::Count),
    labels: &[],
    help: "Orders with their goods sold and their payment captured",
});

const ORDERS_FAILED: Counter = Counter(Metric {
    name: "OrdersFailed",
    unit: Some(Unit::Count),
    labels: &["Reason"],
    help: "Orders that ended unpaid, by reason",
});

const ORDERS_REFUSED: Counter = Counter(Metric {
    name: "OrdersRefused",
    unit: Some(Unit::Count),
    labels: &["Limit"],
    help: "Orders refused by the limits on holding goods without paying, by limit",
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
    help: "Orders still open long after they should have been confirmed or failed",
});

pub(crate) fn record_placed() {
    ORDERS_PLACED.increment(&[]);
}

pub(crate) fn record_transition(before: &Order, transition: &Transition) {
    if let Some(reason) = transition.failure_reason(before) {
        ORDERS_FAILED.increment(&[reason]);
    }
    if let Transition::Confirmed(confirmed) = transition {
        ORDERS_CONFIRMED.increment(&[]);
        let total = confirmed.total;
        REVENUE.record(&[total.currency().code()], whole_units(total));
    }
}

pub(crate) fn record_refused(limit: &'static str) {
    ORDERS_REFUSED.increment(&[limit]);
}

pub(crate) fn set_stuck(orders: u32) {
    STUCK_ORDERS.set(&[], f64::from(orders));
}

/// The amount as the nearest float, which is precise enough for a metric.
fn whole_units(amount: Money) -> f64 {
    amount.amount().as_str().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_recorded_in_whole_units_of_its_currency() {
        let amount = |minor, code: &str| {
            let currency = serde_json::from_value(code.into()).unwrap();
            whole_units(Money::new(minor, currency).unwrap())
        };
        assert_eq!(amount(1999, "USD").to_bits(), 19.99_f64.to_bits());
        assert_eq!(amount(1999, "JPY").to_bits(), 1999_f64.to_bits());
        assert_eq!(amount(1, "KWD").to_bits(), 0.001_f64.to_bits());
    }
}
