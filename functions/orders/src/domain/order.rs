//! The order: how it is placed, and the state that its events add up to.

use contracts::{
    Envelope, OrderTotalError, ReadEventError, Stamp,
    events::{OrderLine, OrderPlaced, Quantity},
    order_total,
};
use kernel::{Money, OrderId, PaymentId, SignedDuration, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{PlaceOrder, Transition, transition::cancellation_code};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The goods are reserved; the payment is not authorised yet.
    Pending,
    /// The payment is authorised; the goods are being sold and the payment captured.
    Authorized,
    /// The goods are sold and the payment is captured.
    Confirmed,
    Shipped,
    Delivered,
    /// The order ended before its goods were sold; nothing is charged.
    Cancelled,
    /// The payment was declined, or its capture failed.
    PaymentFailed,
    Refunded,
}

impl Status {
    /// Whether the order still awaits events of payments and catalog.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Authorized)
    }
}

/// The state of an order: the fold of its events. It has no personal data, such
/// as the address, because no event has any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Also the id of the reservation of its goods.
    pub order_id: OrderId,
    pub user_id: UserId,
    pub payment_id: PaymentId,
    /// With the names and prices at the time of the order.
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub status: Status,
    /// Why the order was cancelled, or its payment failed.
    pub status_reason: Option<String>,
    /// Whether the goods are sold to the order rather than only reserved.
    pub committed: bool,
    /// The number of events so far.
    pub version: u32,
    pub placed_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The goods that catalog has reserved under the future order's id.
#[derive(Clone, Debug)]
pub struct Reservation {
    pub order_id: OrderId,
    pub lines: Vec<OrderLine>,
    pub held_until: Timestamp,
}

/// Why reserved goods cannot become an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrderError {
    /// Only of goods that an older version of catalog reserved: a newer one
    /// refuses them.
    #[error(transparent)]
    Total(#[from] OrderTotalError),
    /// A defect of catalog.
    #[error("the reserved goods are not the requested ones")]
    ReservationMismatch,
}

/// How long the goods have to be held still when an order is written: the time in
/// which the transaction ends, and what payments needs to authorise and catalog to
/// sell. A hold that ends sooner would end the order that was just confirmed to its
/// customer, or before it.
const PLACE_MARGIN: SignedDuration = SignedDuration::from_secs(60);

impl Reservation {
    /// Whether the goods are held for too short a time to order them.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let latest = self.held_until.saturating_sub(PLACE_MARGIN);
        latest.is_ok_and(|latest| latest <= now)
    }
}

impl Order {
    /// Places an order for reserved goods; returns it with its first event.
    pub fn place(
        user_id: UserId,
        payment_id: PaymentId,
        request: &PlaceOrder,
        reservation: Reservation,
        stamp: Stamp,
    ) -> Result<(Self, Envelope), InvalidOrderError> {
        if !are_reserved(&request.items, &reservation.lines) {
            return Err(InvalidOrderError::ReservationMismatch);
        }
        let total = order_total(&reservation.lines)?;
        let placed = OrderPlaced {
            order_id: reservation.order_id,
            user_id,
            payment_id,
            payment_method: request.payment_method.as_str().to_owned(),
            total: total.ok_or(InvalidOrderError::ReservationMismatch)?,
            lines: reservation.lines,
            held_until: reservation.held_until,
        };
        let event = Envelope::new(&placed, stamp);
        Ok((Self::from_placed(placed, event.time), event))
    }

    pub(super) fn from_placed(placed: OrderPlaced, at: Timestamp) -> Self {
        Self {
            order_id: placed.order_id,
            user_id: placed.user_id,
            payment_id: placed.payment_id,
            lines: placed.lines,
            total: placed.total,
            status: Status::Pending,
            status_reason: None,
            committed: false,
            version: 1,
            placed_at: at,
            updated_at: at,
        }
    }

    #[must_use]
    pub fn apply(&self, transition: &Transition, at: Timestamp) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next.updated_at = at;
        match transition {
            Transition::Authorized(_) => next.status = Status::Authorized,
            // A client sees one status from the authorisation to the capture.
            Transition::Committed(_) => next.committed = true,
            Transition::Confirmed(_) => next.status = Status::Confirmed,
            Transition::Cancelled(cancelled) => {
                next.status = Status::Cancelled;
                next.status_reason = Some(cancellation_code(cancelled.reason).to_owned());
            }
            Transition::PaymentFailed(failed) => {
                next.status = Status::PaymentFailed;
                next.status_reason = Some(failed.reason.clone());
            }
        }
        next
    }

    /// Whether the order has ended after its goods were sold to it: it is not over
    /// before catalog reports that they are back in stock.
    pub const fn awaits_release(&self) -> bool {
        self.committed && matches!(self.status, Status::Cancelled | Status::PaymentFailed)
    }

    /// The order that a whole history adds up to; `None` if the history does
    /// not begin with `order.placed`.
    pub fn fold(history: &[Envelope]) -> Result<Option<Self>, ReadEventError> {
        let Some((first, rest)) = history.split_first().filter(|(e, _)| e.is::<OrderPlaced>())
        else {
            return Ok(None);
        };
        let mut order = Self::from_placed(first.read()?, first.time);
        for event in rest {
            if let Some(transition) = Transition::read(event)? {
                order = order.apply(&transition, event.time);
            }
        }
        Ok(Some(order))
    }
}

fn are_reserved(requested: &[Quantity], reserved: &[OrderLine]) -> bool {
    requested.len() == reserved.len()
        && requested.iter().zip(reserved).all(|(item, line)| {
            (item.product_id, item.quantity) == (line.product_id, line.quantity)
        })
}

#[cfg(test)]
mod tests {
    use kernel::{
        Actor, Cause, Currency,
        input::{FromInput, Value},
    };
    use proptest::prelude::*;
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn line(minor: i64, currency: Currency, quantity: u32) -> OrderLine {
        OrderLine {
            product_id: testkit::new_id(),
            name: "Lamp".into(),
            quantity,
            unit_price: Money::new(minor, currency).unwrap(),
        }
    }

    fn request(items: Vec<Quantity>) -> PlaceOrder {
        let body = json!({
            "items": [{"productId": "01890a5d-ac96-774b-bcce-b302099a8057", "quantity": 1}],
            "shippingAddress": {
                "name": "Ada Lovelace", "line1": "12 St James's Square", "city": "London",
                "postalCode": "SW1Y 4JH", "country": "GB"
            },
            "paymentMethod": "pm_card_visa"
        });
        let body = to_raw_value(&body).unwrap();
        PlaceOrder {
            items,
            ..PlaceOrder::from_input(Value::Json(&body)).unwrap()
        }
    }

    fn quantities(lines: &[OrderLine]) -> Vec<Quantity> {
        let quantities = lines.iter().map(|line| Quantity {
            product_id: line.product_id,
            quantity: line.quantity,
        });
        quantities.collect()
    }

    /// Places an order for some items, of which `lines` are reserved.
    fn place_items(
        items: Vec<Quantity>,
        lines: Vec<OrderLine>,
    ) -> Result<Order, InvalidOrderError> {
        let reservation = Reservation {
            order_id: testkit::new_id(),
            lines,
            held_until: Timestamp::UNIX_EPOCH,
        };
        let stamp = Stamp {
            id: testkit::new_id(),
            time: Timestamp::UNIX_EPOCH,
            cause: Cause::new("correlation", "request", Actor::Anonymous),
        };
        let (user_id, payment_id) = (testkit::new_id(), testkit::new_id());
        let placed = Order::place(user_id, payment_id, &request(items), reservation, stamp);
        placed.map(|(order, _)| order)
    }

    fn place(lines: Vec<OrderLine>) -> Result<Order, InvalidOrderError> {
        place_items(quantities(&lines), lines)
    }

    #[test]
    fn the_total_is_the_exact_sum_of_the_lines() {
        let order = place(vec![
            line(1_999, Currency::USD, 3),
            line(1, Currency::USD, 7),
        ]);
        assert_eq!(order.unwrap().total.minor(), 6_004);
    }

    #[test]
    fn mixed_currencies_excessive_totals_and_no_lines_are_rejected() {
        let mixed = vec![line(1, Currency::USD, 1), line(1, Currency::EUR, 1)];
        assert_eq!(
            place(mixed),
            Err(OrderTotalError::MixedCurrencies { line: 1 }.into())
        );
        let large = vec![line(100_000_000_000, Currency::USD, 1_000)];
        assert_eq!(place(large), Err(OrderTotalError::TooLarge.into()));
        assert_eq!(place(vec![]), Err(InvalidOrderError::ReservationMismatch));
    }

    #[test]
    fn a_reservation_of_other_goods_is_rejected() {
        let lines = vec![line(5, Currency::USD, 2), line(6, Currency::USD, 1)];
        let mut fewer = lines.clone();
        fewer.pop();
        let mut more = lines.clone();
        more[1].quantity = 2;
        let mut others = lines.clone();
        others[0].product_id = testkit::new_id();
        for reserved in [fewer, more, others] {
            assert_eq!(
                place_items(quantities(&lines), reserved),
                Err(InvalidOrderError::ReservationMismatch)
            );
        }
    }

    proptest! {
        #[test]
        fn a_total_is_exact_or_rejected(
            prices in prop::collection::vec((0..=100_000_000_000_i64, 1..=1_000_u32), 1..=50),
        ) {
            let lines = prices.iter().map(|(minor, n)| line(*minor, Currency::USD, *n)).collect();
            let exact: i128 = prices.iter().map(|(minor, n)| i128::from(*minor) * i128::from(*n)).sum();
            match place(lines) {
                Ok(order) => prop_assert_eq!(i128::from(order.total.minor()), exact),
                Err(error) => {
                    prop_assert_eq!(error, OrderTotalError::TooLarge.into());
                    prop_assert!(exact > 100_000_000_000);
                }
            }
        }
    }
}
