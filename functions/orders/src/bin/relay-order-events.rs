//! The function `relay-order-events`.

fn main() -> Result<(), runtime::Error> {
    runtime::serve(orders::events::relay_order_events::function())
}
