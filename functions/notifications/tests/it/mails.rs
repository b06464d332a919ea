//! What the mails say.

use contracts::events::CancellationReason;
use kernel::OrderId;
use notifications::{
    domain::{Line, Message, PaymentFailure},
    mail::{Mail, Recipient},
};

use crate::desk::{dollars, renderer, seal_key};

const ORDER: &str = "01939b6a-0000-7000-8000-000000000001";

fn order_id() -> OrderId {
    ORDER.parse().unwrap()
}

fn render(message: &Message, salutation: Option<&str>) -> Mail {
    let recipient = Recipient {
        email: "ada@example.com".into(),
        salutation: salutation.map(str::to_owned),
    };
    renderer().render(message, recipient, "chain-1").unwrap()
}

fn confirmed() -> Message {
    let line = |name: &str, quantity, minor| Line {
        name: name.into(),
        quantity,
        unit_price: dollars(minor),
    };
    Message::OrderConfirmed {
        order_id: order_id(),
        lines: vec![line("Kettle <b>& lid</b>", 2, 4950), line("Tea", 1, 100)],
        total: dollars(10_000),
    }
}

fn payment_failed(reason: PaymentFailure) -> Message {
    Message::PaymentFailed {
        order_id: order_id(),
        total: dollars(9999),
        reason,
    }
}

/// The text that a browser would show: without tags.
fn shown(html: &str) -> String {
    let body = &html[html.find("<body").unwrap()..];
    let (mut text, mut inside) = (String::new(), false);
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn verification_has_its_link_once_with_the_token_encoded() {
    let message = Message::VerifyEmail {
        email: "ada@example.com".into(),
        sealed_token: seal_key().seal("a+b/c=&\"><script>").unwrap(),
    };
    let mail = render(&message, None);
    let link = "https://shop.example/verify-email?token=a%2Bb%2Fc%3D%26%22%3E%3Cscript%3E";
    for body in [&mail.text, &mail.html] {
        assert_eq!(body.matches(link).count(), 1, "{body}");
        assert_eq!(body.matches("token=").count(), 1, "{body}");
        assert!(!body.contains("<script>"), "{body}");
    }
    assert!(mail.html.contains(&format!("href=\"{link}\"")));
    insta::assert_snapshot!(mail.text, @r#"
    Hello,

    Somebody, we hope you, opened an account at Emporium with this address.
    Please open this link to show that the address is yours:

    https://shop.example/verify-email?token=a%2Bb%2Fc%3D%26%22%3E%3Cscript%3E

    If it was not you, do nothing: the address stays unverified.

    Emporium
    "#);
}

#[test]
fn a_reset_has_its_link_once_and_says_how_long_it_works() {
    let message = Message::ResetPassword {
        email: "ada@example.com".into(),
        sealed_token: seal_key().seal("a+b\"><script>").unwrap(),
    };
    let mail = render(&message, None);
    let link = "https://shop.example/reset-password?token=a%2Bb%22%3E%3Cscript%3E";
    for body in [&mail.text, &mail.html] {
        assert_eq!(body.matches(link).count(), 1, "{body}");
        assert!(
            body.contains("30 minutes") && !body.contains("<script>"),
            "{body}"
        );
    }
    assert_eq!(mail.subject, "Set a new password for Emporium");
}

#[test]
fn a_changed_password_is_told_without_a_link_to_follow() {
    let message = Message::PasswordChanged {
        email: "ada@example.com".into(),
    };
    let mail = render(&message, None);
    assert_eq!(mail.subject, "Your Emporium password was changed");
    for body in [&mail.text, &shown(&mail.html)] {
        assert!(body.contains("If it was not you"), "{body}");
        assert!(!body.contains("http"), "{body}");
    }
}

#[test]
fn a_second_factor_is_told_when_it_comes_and_when_it_goes_without_a_link() {
    let email = || "ada@example.com".to_owned();
    for (message, subject, said) in [
        (
            Message::MfaEnabled { email: email() },
            "Two-factor authentication is on at Emporium",
            "recovery codes",
        ),
        (
            Message::MfaDisabled { email: email() },
            "Two-factor authentication is off at Emporium",
            "password alone",
        ),
    ] {
        let mail = render(&message, None);
        assert_eq!(mail.subject, subject);
        for body in [&mail.text, &shown(&mail.html)] {
            assert!(body.contains("If it was not you"), "{body}");
            assert!(body.contains(said), "{body}");
            assert!(!body.contains("http"), "{body}");
        }
    }
}

#[test]
fn a_confirmed_order_shows_what_was_bought_and_paid() {
    let mail = render(&confirmed(), Some("Ada Marsh"));
    assert_eq!(mail.to, "ada@example.com");
    assert_eq!(mail.correlation_id, "chain-1");
    insta::assert_snapshot!(mail.subject, @"Your Emporium order is confirmed");
    insta::assert_snapshot!(mail.text, @r#"
    Hello Ada Marsh,

    Thank you. Your order is confirmed and paid.

    Order 01939b6a-0000-7000-8000-000000000001

    2 x Kettle <b>& lid</b>
        49.50 USD each, 99.00 USD
    1 x Tea
        1.00 USD each, 1.00 USD

    Total 100.00 USD

    Emporium
    "#);
    insta::assert_snapshot!(
        shown(&mail.html),
        @"Emporium Your order is confirmed Hello Ada Marsh, Thank you. Your order is confirmed and paid. Order 01939b6a-0000-7000-8000-000000000001 Product Quantity Price Total Kettle &lt;b&gt;&amp; lid&lt;&#x2f;b&gt; 2 49.50 USD 99.00 USD Tea 1 1.00 USD 1.00 USD Total 100.00 USD You get this mail because this address was given to Emporium."
    );
}

#[test]
fn a_failed_payment_says_why_and_that_nothing_was_charged() {
    for (reason, why) in [
        (PaymentFailure::CardDeclined, "Your bank declined the card."),
        (PaymentFailure::InsufficientFunds, "not enough money"),
        (PaymentFailure::InvalidPaymentMethod, "could not be used"),
        (PaymentFailure::Other, "could not complete the payment"),
    ] {
        let mail = render(&payment_failed(reason), Some("Ada"));
        for body in [&mail.text, &shown(&mail.html)] {
            assert!(body.contains(why), "{body}");
            assert!(body.contains("Nothing was charged."), "{body}");
            assert!(body.contains("99.99 USD"), "{body}");
            assert!(body.contains(ORDER), "{body}");
        }
    }
    let mail = render(&payment_failed(PaymentFailure::CardDeclined), Some("Ada"));
    insta::assert_snapshot!(mail.subject, @"The payment for your Emporium order failed");
    insta::assert_snapshot!(mail.text, @r#"
    Hello Ada,

    The payment of 99.99 USD for your order failed, so the order was not completed.
    Your bank declined the card.

    Nothing was charged. You can place the order again with another means of payment.

    Order 01939b6a-0000-7000-8000-000000000001

    Emporium
    "#);
}

#[test]
fn a_providers_reason_is_one_of_ours_or_other() {
    for (reason, failure) in [
        ("card_declined", PaymentFailure::CardDeclined),
        ("insufficient_funds", PaymentFailure::InsufficientFunds),
        (
            "invalid_payment_method",
            PaymentFailure::InvalidPaymentMethod,
        ),
        ("<script>", PaymentFailure::Other),
    ] {
        assert_eq!(PaymentFailure::from_reason(reason), failure);
    }
}

#[test]
fn a_cancelled_order_says_why() {
    for (reason, why) in [
        (
            CancellationReason::ReservationExpired,
            "longer than we could hold",
        ),
        (CancellationReason::StockUnavailable, "no longer available"),
    ] {
        let message = Message::OrderCancelled {
            order_id: order_id(),
            total: dollars(500),
            reason,
        };
        let mail = render(&message, None);
        assert_eq!(mail.subject, "Your Emporium order was cancelled");
        for body in [&mail.text, &shown(&mail.html)] {
            assert!(body.contains(why), "{body}");
            assert!(body.contains("Nothing was charged."), "{body}");
            assert!(body.contains("Hello,"), "{body}");
        }
    }
}

#[test]
fn html_escapes_what_others_wrote() {
    let mail = render(&confirmed(), Some("<script>alert(1)"));
    assert!(!mail.html.contains("<script"), "{}", mail.html);
    assert!(!mail.html.contains("<b>"), "{}", mail.html);
    assert!(mail.html.contains("Hello &lt;script&gt;alert(1)"));
    assert!(mail.html.contains("Kettle &lt;b&gt;&amp; lid"));
    // Plain text needs none, and would show it.
    assert!(mail.text.contains("Kettle <b>& lid</b>"));
}

#[test]
fn html_needs_nothing_from_anywhere() {
    for message in [confirmed(), payment_failed(PaymentFailure::Other)] {
        let html = render(&message, Some("Ada")).html;
        for outside in ["http://", "https://", "<img", "<link", "url(", "@import"] {
            assert!(!html.contains(outside), "{outside} in {html}");
        }
    }
}
