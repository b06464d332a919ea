//! Every event of an order's life is lost once, at each of its consumers, and the
//! order still comes to its right end: orders, payments and catalog with their own
//! tables, and the template's subscriptions between them. What is lost is gone for
//! good; only time passes, and the jobs of each minute run.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail the test, as its own lines do"
)]

mod provider;
mod shop;

use provider::Account;
use shop::{Loss, Shop};

/// When the jobs run that run each minute: around the ages at which reminders are
/// sent, and a few times in between.
const MINUTES: [i64; 12] = [2, 5, 7, 10, 12, 16, 20, 22, 25, 40, 42, 50];
/// Deliveries of one order, all reminders included: they do not breed.
const DELIVERIES_MAX: usize = 40;

const GOOD: &str = "pm_card_visa";
const DECLINED: &str = "pm_card_chargeDeclined";
const FAILING: &str = "pm_card_chargeCustomerFail";

/// Places an order whose events are lost as `losses` says, waits, and returns how
/// the order ended. Money and goods have to be where its end says.
async fn run(method: &str, losses: &[Loss], provider_dead_minutes: i64) -> String {
    let mut shop = Shop::start(losses).await;
    shop.provider.set_dead(provider_dead_minutes > 0);
    let order_id = shop.place(method).await;
    shop.deliver().await;
    for minute in MINUTES {
        if minute == provider_dead_minutes {
            shop.provider.set_dead(false);
        }
        shop.pass_time(minute).await;
    }
    let (order, account) = (shop.order(order_id).await, shop.provider.account());
    let status = order["status"].as_str().unwrap().to_owned();
    let goods = shop.goods_on_hand().await;
    let context = format!("{method} without {losses:?}: {status}, {account:?}, {goods} on hand");
    match status.as_str() {
        "confirmed" => {
            assert_eq!(
                account,
                Account {
                    authorized: true,
                    captures: 1,
                    voided: false
                },
                "{context}"
            );
            assert_eq!(goods, Shop::STOCK - 1, "{context}");
        }
        "cancelled" | "payment_failed" => {
            assert_eq!(account.captures, 0, "{context}");
            assert_eq!(account.authorized, account.voided, "{context}");
            assert_eq!(goods, Shop::STOCK, "{context}");
        }
        _ => panic!("{context}"),
    }
    assert_eq!(shop.open_items().await, Vec::<String>::new(), "{context}");
    assert_eq!(shop.undelivered(), 0, "{context}");
    assert!(
        shop.deliveries() <= DELIVERIES_MAX,
        "{context}: {} deliveries",
        shop.deliveries()
    );
    status
}

#[tokio::test]
async fn without_a_loss_each_card_leads_to_its_end_without_a_reminder() {
    for (method, expected) in [
        (GOOD, "confirmed"),
        (DECLINED, "payment_failed"),
        (FAILING, "payment_failed"),
    ] {
        assert_eq!(run(method, &[], 0).await, expected);
    }
}

#[tokio::test]
async fn a_paid_order_is_confirmed_whichever_of_its_events_is_lost() {
    for (event, consumer) in [
        ("payment.authorized", "advance-orders"),
        ("order.authorized", "settle-reservations"),
        ("stock.committed", "advance-orders"),
        ("order.committed", "process-payments"),
        ("payment.captured", "advance-orders"),
    ] {
        let ended = run(GOOD, &[Loss { event, consumer }], 0).await;
        assert_eq!(ended, "confirmed", "{event} lost before {consumer}");
    }
}

/// Nobody but the event itself may know the payment method, so the order may also end.
#[tokio::test]
async fn an_order_of_which_payments_was_not_told_ends() {
    let (event, consumer) = ("order.placed", "process-payments");
    let ended = run(GOOD, &[Loss { event, consumer }], 0).await;
    assert!(
        ["confirmed", "cancelled"].contains(&ended.as_str()),
        "{ended}"
    );
}

#[tokio::test]
async fn an_unpaid_order_gives_back_money_and_goods_whichever_of_its_events_is_lost() {
    for (method, event, consumer) in [
        (DECLINED, "payment.declined", "advance-orders"),
        (DECLINED, "order.payment_failed", "settle-reservations"),
        (DECLINED, "order.payment_failed", "process-payments"),
        (FAILING, "payment.authorized", "advance-orders"),
        (FAILING, "order.authorized", "settle-reservations"),
        (FAILING, "stock.committed", "advance-orders"),
        (FAILING, "order.committed", "process-payments"),
        (FAILING, "payment.capture_failed", "advance-orders"),
        (FAILING, "order.payment_failed", "settle-reservations"),
        (FAILING, "order.payment_failed", "process-payments"),
        (FAILING, "stock.released", "advance-orders"),
    ] {
        let ended = run(method, &[Loss { event, consumer }], 0).await;
        assert_eq!(
            ended, "payment_failed",
            "{method}: {event} lost before {consumer}"
        );
    }
}

/// The provider's answer comes after the goods are held no longer.
#[tokio::test]
async fn an_order_that_ended_meanwhile_is_voided_whichever_of_its_events_is_lost() {
    const ENDED: Loss = Loss {
        event: "order.cancelled",
        consumer: "process-payments",
    };
    const EXPIRED: Loss = Loss {
        event: "reservation.expired",
        consumer: "advance-orders",
    };
    const RELEASED: Loss = Loss {
        event: "order.cancelled",
        consumer: "settle-reservations",
    };
    for losses in [
        &[][..],
        &[ENDED],
        &[EXPIRED],
        &[RELEASED],
        &[ENDED, EXPIRED],
        &[ENDED, EXPIRED, RELEASED],
    ] {
        assert_eq!(run(GOOD, losses, 25).await, "cancelled", "{losses:?}");
    }
}
