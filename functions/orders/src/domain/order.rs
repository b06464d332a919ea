//! The order: what is placed, and the state that its events add up to.

use contracts::{
    Envelope, EventData, ReadEventError,
    events::{
        CancellationReason, OrderAuthorized, OrderCancelled, OrderCommitted, OrderConfirmed,
        OrderLine, OrderPaymentFailed, OrderPlaced, Quantity,
    },
};
use kernel::{Cause, Money, MoneyError, OrderId, PaymentId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Where an order stands, as a client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Placed; the goods are held and the payment is being asked for.
    Pending,
    /// The provider promises the money; the goods are being sold, the money taken.
    Authorized,
    /// The goods are sold and the money is taken.
    Confirmed,
    /// On its way.
    Shipped,
    /// With the customer.
    Delivered,
    /// It will not be fulfilled, and nothing is charged.
    Cancelled,
    /// The money could not be had.
    PaymentFailed,
    /// The money went back.
    Refunded,
}

/// An order, as the fold of its events. Personal data (the address) is no part
/// of it, because none of it is in an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Which; also the id of the reservation that holds its goods.
    pub order_id: OrderId,
    /// Whose.
    pub user_id: UserId,
    /// Its one payment.
    pub payment_id: PaymentId,
    /// What was ordered, with names and prices of that time.
    pub lines: Vec<OrderLine>,
    /// What it comes to.
    pub total: Money,
    /// Where it stands.
    pub status: Status,
    /// Why, when it ended without being fulfilled.
    pub status_reason: Option<String>,
    /// Whether its goods are sold to it and no longer only held.
    pub committed: bool,
    /// How many events it has.
    pub version: u32,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When its last event happened.
    pub updated_at: Timestamp,
}

/// An event that moves a placed order on.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The money is promised.
    Authorized(OrderAuthorized),
    /// The goods are sold.
    Committed(OrderCommitted),
    /// The money is taken.
    Confirmed(OrderConfirmed),
    /// It is over, and nothing is charged.
    Cancelled(OrderCancelled),
    /// It is over: the money could not be had.
    PaymentFailed(OrderPaymentFailed),
}

impl Step {
    /// The step as an event that happens now.
    pub fn envelope(&self, now: Timestamp, cause: &Cause) -> Envelope {
        match self {
            Self::Authorized(data) => Envelope::new(data, now, cause),
            Self::Committed(data) => Envelope::new(data, now, cause),
            Self::Confirmed(data) => Envelope::new(data, now, cause),
            Self::Cancelled(data) => Envelope::new(data, now, cause),
            Self::PaymentFailed(data) => Envelope::new(data, now, cause),
        }
    }

    /// Why the order failed, in one of four words, if this step from `before`
    /// is the one that it fails with. The provider's own reasons are as many
    /// as it likes; these are to be counted by.
    pub const fn failure(&self, before: &Order) -> Option<&'static str> {
        match self {
            Self::Cancelled(cancelled) => Some(name_of(cancelled.reason)),
            Self::PaymentFailed(_) if before.committed => Some("capture_failed"),
            Self::PaymentFailed(_) => Some("payment_declined"),
            Self::Authorized(_) | Self::Committed(_) | Self::Confirmed(_) => None,
        }
    }

    /// The step that an event of the history is; `None` for another type.
    ///
    /// # Errors
    /// When its data does not read.
    pub fn read(event: &Envelope) -> Result<Option<Self>, ReadEventError> {
        Ok(Some(match event.event_type.as_str() {
            OrderAuthorized::TYPE => Self::Authorized(event.read()?),
            OrderCommitted::TYPE => Self::Committed(event.read()?),
            OrderConfirmed::TYPE => Self::Confirmed(event.read()?),
            OrderCancelled::TYPE => Self::Cancelled(event.read()?),
            OrderPaymentFailed::TYPE => Self::PaymentFailed(event.read()?),
            _ => return Ok(None),
        }))
    }
}

impl Status {
    /// Whether something is still to happen without anybody asking for it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Authorized)
    }
}

impl Order {
    /// The order that its first event makes.
    pub fn begin(placed: OrderPlaced, at: Timestamp) -> Self {
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

    /// The order after one more event.
    #[must_use]
    pub fn after(&self, step: &Step, at: Timestamp) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next.updated_at = at;
        match step {
            Step::Authorized(_) => next.status = Status::Authorized,
            // What the client sees does not change: it is one word, "paid
            // for", that takes two steps.
            Step::Committed(_) => next.committed = true,
            Step::Confirmed(_) => next.status = Status::Confirmed,
            Step::Cancelled(cancelled) => {
                next.status = Status::Cancelled;
                next.status_reason = Some(name_of(cancelled.reason).to_owned());
            }
            Step::PaymentFailed(failed) => {
                next.status = Status::PaymentFailed;
                next.status_reason = Some(failed.reason.clone());
            }
        }
        next
    }

    /// The order that a whole history adds up to; `None` when it does not
    /// begin with a placed order.
    ///
    /// # Errors
    /// When an event's data does not read.
    pub fn fold(history: &[Envelope]) -> Result<Option<Self>, ReadEventError> {
        let Some((first, rest)) = history.split_first().filter(|(e, _)| e.is::<OrderPlaced>())
        else {
            return Ok(None);
        };
        let mut order = Self::begin(first.read()?, first.time);
        for event in rest {
            if let Some(step) = Step::read(event)? {
                order = order.after(&step, event.time);
            }
        }
        Ok(Some(order))
    }
}

/// The reason's stable name, as in the event.
const fn name_of(reason: CancellationReason) -> &'static str {
    match reason {
        CancellationReason::ReservationExpired => "reservation_expired",
        CancellationReason::StockUnavailable => "stock_unavailable",
    }
}

/// What an order is placed from.
#[derive(Clone, Debug)]
pub struct Placing {
    /// The order's id, under which its goods are held.
    pub order_id: OrderId,
    /// Who places it.
    pub user_id: UserId,
    /// The id of the payment that is to be made for it.
    pub payment_id: PaymentId,
    /// The provider's token of the means of payment.
    pub payment_method: String,
    /// What was asked for.
    pub asked: Vec<Quantity>,
    /// What is held, with names and prices.
    pub held: Vec<OrderLine>,
    /// Until when.
    pub held_until: Timestamp,
}

/// Why goods that are held do not make an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefuseOrderError {
    /// A line's price is in another currency than the first line's.
    #[error("line {line} is in another currency")]
    MixedCurrencies {
        /// Which line, from 0.
        line: usize,
    },
    /// The total is past what an amount can be.
    #[error("the total is too large")]
    TooLarge,
    /// What is held is not what was asked for: a defect of the catalog.
    #[error("other goods are held than were asked for")]
    OtherGoods,
}

/// What a line comes to.
///
/// # Errors
/// [`MoneyError::TooLarge`]; never for the line of an order that was placed.
pub fn line_total(line: &OrderLine) -> Result<Money, MoneyError> {
    line.unit_price.checked_mul(line.quantity)
}

/// Places an order for goods that are held: its first event.
///
/// # Errors
/// [`RefuseOrderError`].
pub fn place(placing: Placing) -> Result<OrderPlaced, RefuseOrderError> {
    let same = |(asked, held): (&Quantity, &OrderLine)| {
        asked.product_id == held.product_id && asked.quantity == held.quantity
    };
    let all_held = placing.asked.len() == placing.held.len()
        && placing.asked.iter().zip(&placing.held).all(same);
    let Some(first) = placing.held.first().filter(|_| all_held) else {
        return Err(RefuseOrderError::OtherGoods);
    };
    let mut total = Money::zero(first.unit_price.currency());
    for (line, held) in placing.held.iter().enumerate() {
        let sum = line_total(held).and_then(|amount| total.checked_add(amount));
        total = sum.map_err(|error| match error {
            MoneyError::CurrencyMismatch => RefuseOrderError::MixedCurrencies { line },
            _ => RefuseOrderError::TooLarge,
        })?;
    }
    Ok(OrderPlaced {
        order_id: placing.order_id,
        user_id: placing.user_id,
        payment_id: placing.payment_id,
        payment_method: placing.payment_method,
        lines: placing.held,
        total,
        held_until: placing.held_until,
    })
}

#[cfg(test)]
mod tests {
    use kernel::{Currency, ProductId};
    use proptest::prelude::*;

    use super::*;

    fn line(minor: i64, currency: Currency, quantity: u32) -> OrderLine {
        OrderLine {
            product_id: testkit::new_id::<ProductId>(),
            name: "a thing".into(),
            quantity,
            unit_price: Money::new(minor, currency).unwrap(),
        }
    }

    fn placing(held: Vec<OrderLine>) -> Placing {
        let asked = held.iter().map(|line| Quantity {
            product_id: line.product_id,
            quantity: line.quantity,
        });
        Placing {
            order_id: testkit::new_id::<OrderId>(),
            user_id: testkit::new_id::<UserId>(),
            payment_id: testkit::new_id::<PaymentId>(),
            payment_method: "pm_card_visa".into(),
            asked: asked.collect(),
            held,
            held_until: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_total_is_the_exact_sum_of_the_lines() {
        let placed = place(placing(vec![
            line(1_999, Currency::USD, 3),
            line(1, Currency::USD, 7),
        ]));
        assert_eq!(placed.unwrap().total.minor(), 6_004);
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        let mixed = vec![line(1, Currency::USD, 1), line(1, Currency::EUR, 1)];
        assert_eq!(
            place(placing(mixed)),
            Err(RefuseOrderError::MixedCurrencies { line: 1 })
        );
        let large = vec![line(100_000_000_000, Currency::USD, 1_000)];
        assert_eq!(place(placing(large)), Err(RefuseOrderError::TooLarge));
        assert_eq!(place(placing(vec![])), Err(RefuseOrderError::OtherGoods));
    }

    #[test]
    fn goods_other_than_asked_for_are_never_sold() {
        let lines = || vec![line(5, Currency::USD, 2), line(6, Currency::USD, 1)];
        let mut fewer = placing(lines());
        fewer.held.pop();
        let mut more = placing(lines());
        more.held[1].quantity = 2;
        let mut other = placing(lines());
        other.held[0].product_id = testkit::new_id::<ProductId>();
        for placing in [fewer, more, other] {
            assert_eq!(place(placing), Err(RefuseOrderError::OtherGoods));
        }
    }

    proptest! {
        #[test]
        fn no_total_is_ever_wrong(
            prices in prop::collection::vec((0..=100_000_000_000_i64, 1..=1_000_u32), 1..=50),
        ) {
            let lines = prices.iter().map(|(minor, n)| line(*minor, Currency::USD, *n)).collect();
            let exact: i128 = prices.iter().map(|(minor, n)| i128::from(*minor) * i128::from(*n)).sum();
            match place(placing(lines)) {
                Ok(placed) => prop_assert_eq!(i128::from(placed.total.minor()), exact),
                Err(error) => {
                    prop_assert_eq!(error, RefuseOrderError::TooLarge);
                    prop_assert!(exact > 100_000_000_000);
                }
            }
        }
    }
}
