//! `process-payments`: authorises, captures and voids payments when orders are
//! placed, committed and cancelled. What it does is in [`crate::processor`].

use runtime::{Function, Grant, grant, queue};

use crate::processor::{FUNCTION, Processor};

const GRANTS: &[Grant] = &[
    grant("dynamodb:GetItem", "PaymentsTable"),
    grant("dynamodb:PutItem", "PaymentsTable"),
    grant("dynamodb:UpdateItem", "PaymentsTable"),
];

pub fn function() -> Function {
    queue::consumer(
        FUNCTION,
        GRANTS,
        Processor::start,
        |processor, event| async move { Ok(processor.process(&event).await?) },
    )
}
