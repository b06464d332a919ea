//! The real values behind the states: one order's ids, lines and events. All orders
//! of the model are alike, so one set serves them all.

use catalog::domain::{OrderEvent as CatalogEvent, Reservation, Status as GoodsStatus};
use contracts::{
    Envelope, EventData, ReadEventError, Stamp,
    events::{
        CancellationReason, OrderAuthorized, OrderCancelled, OrderCommitted, OrderConfirmed,
        OrderLine, OrderPaymentFailed, OrderPlaced, PaymentAuthorized, PaymentCaptureFailed,
        PaymentCaptured, PaymentDeclined, PaymentVoided, Quantity, RejectionReason,
        ReservationExpired, StockCommitRejected, StockCommitted, StockReleased,
    },
};
use kernel::{Actor, Cause, Currency, Money, Timestamp};
use orders::domain::{ExternalEvent, Order, Status as OrderStatus};
use payments::domain::{OrderEvent as PaymentEvent, Payment, ProviderReference};
use uuid::Uuid;

use crate::{
    deal::{Deal, Goods, Stage},
    kind::{Kind, Kinds},
    provider::Money as Standing,
};

pub(crate) struct Facts {
    placed: OrderPlaced,
    /// As it was placed.
    order: Order,
    /// As it was made.
    reservation: Reservation,
    /// By their kinds.
    events: Vec<Event>,
}

/// An event as each of its consumers reads it.
pub(crate) struct Event {
    dedup_key: String,
    pub(crate) for_orders: Option<ExternalEvent>,
    pub(crate) for_catalog: Option<CatalogEvent>,
    pub(crate) for_payments: Option<PaymentEvent>,
}

#[expect(
    clippy::expect_used,
    reason = "constants that are valid, checked by the first test that runs"
)]
impl Facts {
    pub(crate) fn new() -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let order_id = Uuid::from_u128(1).into();
        let payment_id = Uuid::from_u128(2).into();
        let user_id = Uuid::from_u128(3).into();
        let product_id = Uuid::from_u128(4).into();
        let total = Money::new(500, Currency::EUR).expect("an amount");
        let line = OrderLine {
            product_id,
            name: "Lamp".into(),
            quantity: 1,
            unit_price: total,
        };
        let reservation = Reservation::hold(order_id, vec![line.clone()], "chain".into(), now);
        let placed = OrderPlaced {
            order_id,
            user_id,
            payment_id,
            payment_method: "pm_card".into(),
            lines: vec![line.clone()],
            total,
            held_until: reservation.held_until,
        };
        let event = |kind: Kind| {
            match kind {
                Kind::OrderPlaced => Event::new(kind, &placed),
                Kind::OrderAuthorized => Event::new(
                    kind,
                    &OrderAuthorized {
                        order_id,
                        payment_id,
                    },
                ),
                Kind::OrderCommitted => Event::new(
                    kind,
                    &OrderCommitted {
                        order_id,
                        payment_id,
                        total,
                    },
                ),
                Kind::OrderConfirmed => Event::new(
                    kind,
                    &OrderConfirmed {
                        order_id,
                        user_id,
                        payment_id,
                        lines: vec![line.clone()],
                        total,
                    },
                ),
                Kind::OrderCancelled => Event::new(
                    kind,
                    &OrderCancelled {
                        order_id,
                        user_id,
                        payment_id,
                        total,
                        reason: CancellationReason::ReservationExpired,
                    },
                ),
                Kind::OrderPaymentFailed => Event::new(
                    kind,
                    &OrderPaymentFailed {
                        order_id,
                        user_id,
                        payment_id,
                        total,
                        reason: "card_declined".into(),
                    },
                ),
                Kind::PaymentAuthorized => Event::new(
                    kind,
                    &PaymentAuthorized {
                        payment_id,
                        order_id,
                        amount: total,
                    },
                ),
                Kind::PaymentDeclined => Event::new(
                    kind,
                    &PaymentDeclined {
                        payment_id,
                        order_id,
                        reason: "card_declined".into(),
                    },
                ),
                Kind::PaymentCaptured => Event::new(
                    kind,
                    &PaymentCaptured {
                        payment_id,
                        order_id,
                        amount: total,
                    },
                ),
                Kind::PaymentCaptureFailed => Event::new(
                    kind,
                    &PaymentCaptureFailed {
                        payment_id,
                        order_id,
                        reason: "card_declined".into(),
                    },
                ),
                Kind::PaymentVoided => Event::new(
                    kind,
                    &PaymentVoided {
                        payment_id,
                        order_id,
                    },
                ),
                Kind::StockCommitted => Event::new(kind, &StockCommitted { order_id }),
                Kind::StockCommitRejected => Event::new(
                    kind,
                    &StockCommitRejected {
                        order_id,
                        reason: RejectionReason::ReservationExpired,
                    },
                ),
                Kind::StockReleased => Event::new(
                    kind,
                    &StockReleased {
                        order_id,
                        lines: Vec::new(),
                    },
                ),
                Kind::ReservationExpired => Event::new(kind, &ReservationExpired { order_id }),
            }
            .expect("an event of its type")
        };
        let envelope = Envelope::new(&placed, stamp(Kind::OrderPlaced));
        Self {
            events: Kind::ALL.into_iter().map(event).collect(),
            order: Order::fold(&[envelope])
                .expect("a history")
                .expect("an order"),
            reservation,
            placed,
        }
    }
}

impl Facts {
    pub(crate) fn event(&self, kind: Kind) -> &Event {
        &self.events[kind as usize]
    }

    /// Before the end of the hold period, or at it.
    pub(crate) const fn now(&self, deal: &Deal) -> Timestamp {
        if deal.overdue {
            self.reservation.held_until
        } else {
            Timestamp::UNIX_EPOCH
        }
    }

    pub(crate) fn quantities(&self) -> Vec<Quantity> {
        let lines = self.reservation.lines.iter();
        let quantity = |line: &OrderLine| Quantity {
            product_id: line.product_id,
            quantity: line.quantity,
        };
        lines.map(quantity).collect()
    }

    pub(crate) fn order(&self, stage: Stage) -> Order {
        let (status, committed) = match stage {
            Stage::Pending => (OrderStatus::Pending, false),
            Stage::Authorized => (OrderStatus::Authorized, false),
            Stage::Committed => (OrderStatus::Authorized, true),
            Stage::Confirmed => (OrderStatus::Confirmed, true),
            Stage::Cancelled => (OrderStatus::Cancelled, false),
            Stage::PaymentFailed => (OrderStatus::PaymentFailed, false),
        };
        Order {
            status,
            committed,
            ..self.order.clone()
        }
    }

    /// The reservation, with the events that it remembers.
    pub(crate) fn reservation(&self, goods: Goods, seen: Kinds) -> Reservation {
        let seen = seen.iter().map(|kind| self.event(kind).dedup_key.clone());
        Reservation {
            status: match goods {
                Goods::Held => GoodsStatus::Held,
                Goods::Sold => GoodsStatus::Sold,
                Goods::Released => GoodsStatus::Released,
                Goods::Expired => GoodsStatus::Expired,
                Goods::Missing => GoodsStatus::Missing,
            },
            seen: seen.collect(),
            ..self.reservation.clone()
        }
    }

    pub(crate) fn payment(&self, money: Standing) -> Payment {
        use payments::domain::{Intent, Status};

        let now = Timestamp::UNIX_EPOCH;
        let pending = Payment::pending(&self.placed, now);
        let authorized = || pending.authorized(self.reference(), now);
        let with = |intent| Payment {
            intent: Some(intent),
            ..authorized()
        };
        match money {
            Standing::Pending => pending,
            Standing::Declined => pending.declined("card_declined".into(), now),
            Standing::Authorized => authorized(),
            Standing::Capturing => with(Intent::Capture),
            Standing::Voiding => with(Intent::Void),
            Standing::Captured => with(Intent::Capture).settled(Status::Captured, None, now),
            Standing::CaptureFailed => {
                let reason = Some("card_declined".into());
                with(Intent::Capture).settled(Status::CaptureFailed, reason, now)
            }
            Standing::Voided => with(Intent::Void).settled(Status::Voided, None, now),
            Standing::NeverAsked => Payment {
                status: Status::Voided,
                payment_method: None,
                ..pending
            },
        }
    }

    pub(crate) fn reference(&self) -> ProviderReference {
        ProviderReference("reference".into())
    }
}

impl Event {
    fn new<T: EventData>(kind: Kind, data: &T) -> Result<Self, ReadEventError> {
        let envelope = Envelope::new(data, stamp(kind));
        Ok(Self {
            dedup_key: envelope.dedup_key(),
            for_orders: ExternalEvent::read(&envelope)?,
            for_catalog: CatalogEvent::read(&envelope)?,
            for_payments: PaymentEvent::read(&envelope)?,
        })
    }
}

fn stamp(kind: Kind) -> Stamp {
    Stamp {
        id: Uuid::from_u128(100 + kind as u128).into(),
        time: Timestamp::UNIX_EPOCH,
        cause: Cause::new("chain", "request", Actor::Anonymous),
    }
}
