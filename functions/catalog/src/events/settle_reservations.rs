//! `settle-reservations`: sells or releases reserved goods, as the events of
//! their orders require.
//!
//! A repeated event is recognised by its id, which is written with the
//! transition that it led to. If another event, or `expire-reservations`,
//! changes the reservation at the same time, its version has changed, and the
//! decision is made again. A function that dies leaves nothing half done: the
//! transition, the stock and the events are one transaction.

use contracts::{Envelope, ReadEventError};
use dynamo::{Attempts, StoreError};
use kernel::OrderId;
use runtime::{Function, Grant, grant, queue};

use crate::{
    App,
    domain::{OrderEvent, settle},
    store::{ApplyTransitionError, Settled},
};

const NAME: &str = "settle-reservations";

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "CatalogTable"),
    grant("dynamodb:BatchGetItem", "CatalogTable"),
    grant("dynamodb:PutItem", "CatalogTable"),
    grant("dynamodb:UpdateItem", "CatalogTable"),
    grant("dynamodb:Query", "CatalogTable"),
];

pub fn function() -> Function {
    queue::consumer(NAME, GRANTS, App::start, |app, event| async move {
        Ok(settle_reservation(&app, &event).await?)
    })
}

/// Why an event has to be delivered again.
#[derive(Debug, thiserror::Error)]
enum SettleReservationError {
    /// Repeating does not help, and the shell finds that among the sources.
    #[error("the event cannot be read")]
    Read(#[from] ReadEventError),
    #[error("a product of reservation {0} does not exist, so its goods cannot be restocked")]
    ProductMissing(OrderId),
    #[error("reservation {0} changed during every attempt")]
    Contended(OrderId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn settle_reservation(app: &App, trigger: &Envelope) -> Result<(), SettleReservationError> {
    let Some(event) = OrderEvent::read(trigger)? else {
        return Ok(());
    };
    let cause = trigger.cause(NAME);
    let mut attempts = Attempts::new(app.host.random());
    while attempts.next().await {
        let reservation = app.catalog.reservation(event.order_id).await?;
        let now = app.host.now();
        let Some(transition) = settle(reservation.as_ref(), &event, now) else {
            if trigger.reminder {
                app.catalog
                    .answer_again(event.order_id, event.outcome, now)
                    .await?;
            }
            return Ok(());
        };
        let events = transition.envelopes(|| app.host.stamp(now, &cause));
        let settled = Settled {
            current: reservation.as_ref(),
            transition: &transition,
            events: &events,
        };
        match app.catalog.apply(&[settled]).await {
            Ok(()) => return Ok(()),
            Err(ApplyTransitionError::Changed) => {}
            Err(ApplyTransitionError::ProductMissing) => {
                return Err(SettleReservationError::ProductMissing(event.order_id));
            }
            Err(ApplyTransitionError::Store(error)) => return Err(error.into()),
        }
    }
    Err(SettleReservationError::Contended(event.order_id))
}
