//! The rendered emails.

use contracts::events::CancellationReason;
use kernel::OrderId;
use notifications::{
    domain::{Line, Message, PaymentFailure},
    mail::{Mail, Recipient},
};

use crate::{
    events::dollars,
    fixture::{renderer, seal_key},
};

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

/// The text that a browser shows.
fn visible_text(html: &str) -> String {
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
fn a_verification_contains_its_link_once_with_the_token_encoded() {
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

    Please confirm that this is the email address of your Emporium account:

    https://shop.example/verify-email?token=a%2Bb%2Fc%3D%26%22%3E%3Cscript%3E

    The link works once and expires after 24 hours. It signs you out on every other
    device.

    If you did not expect this email, you can ignore it: the address will remain
    unverified.

    Emporium
    "#);
}

#[test]
fn a_password_reset_contains_its_link_once_and_when_it_expires() {
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
    assert_eq!(mail.subject, "Reset your Emporium password");
}

#[test]
fn a_notice_of_a_changed_password_contains_no_link() {
    let message = Message::PasswordChanged {
        email: "ada@example.com".into(),
    };
    let mail = render(&message, None);
    assert_eq!(mail.subject, "Your Emporium password was changed");
    for body in [&mail.text, &visible_text(&mail.html)] {
        assert!(body.contains("If this wasn't you"), "{body}");
        assert!(!body.contains("http"), "{body}");
    }
}

#[test]
fn a_notice_of_a_changed_address_contains_neither_link_nor_address() {
    let message = Message::EmailChanged {
        email: "ada@example.com".into(),
    };
    let mail = render(&message, None);
    assert_eq!(mail.subject, "Your Emporium email address was changed");
    for body in [&mail.text, &visible_text(&mail.html)] {
        assert!(body.contains("If this wasn't you, contact us"), "{body}");
        assert!(!body.contains("http") && !body.contains('@'), "{body}");
    }
}

#[test]
fn a_notice_of_a_registration_attempt_says_how_to_log_in_and_contains_no_token() {
    let message = Message::RegistrationAttempted {
        email: "ada@example.com".into(),
    };
    let mail = render(&message, None);
    assert_eq!(
        mail.subject,
        "Somebody tried to register with your Emporium account's address"
    );
    for body in [&mail.text, &mail.html] {
        assert_eq!(body.matches("https://shop.example").count(), 1, "{body}");
        assert!(!body.contains("token="), "{body}");
    }
    for body in [&mail.text, &visible_text(&mail.html)] {
        let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(body.contains("Nothing has changed."), "{body}");
        assert!(body.contains("log in with your existing account"), "{body}");
        assert!(body.contains("reset it from the sign-in page"), "{body}");
        assert!(!body.contains("ada@example.com"), "{body}");
    }
}

#[test]
fn a_notice_of_a_changed_second_factor_contains_no_link() {
    let email = || "ada@example.com".to_owned();
    for (message, subject, phrase) in [
        (
            Message::MfaEnabled { email: email() },
            "Two-factor authentication is on for your Emporium account",
            "recovery codes",
        ),
        (
            Message::MfaDisabled { email: email() },
            "Two-factor authentication is off for your Emporium account",
            "password alone",
        ),
    ] {
        let mail = render(&message, None);
        assert_eq!(mail.subject, subject);
        for body in [&mail.text, &visible_text(&mail.html)] {
            assert!(body.contains("If this wasn't you"), "{body}");
            assert!(body.contains(phrase), "{body}");
            assert!(!body.contains("http"), "{body}");
        }
    }
}

#[test]
fn an_order_confirmation_shows_lines_and_total() {
    let mail = render(&confirmed(), Some("Ada Marsh"));
    assert_eq!(mail.to, "ada@example.com");
    assert_eq!(mail.correlation_id, "chain-1");
    insta::assert_snapshot!(mail.subject, @"Your Emporium order is confirmed");
    insta::assert_snapshot!(mail.text, @r#"
    Hello Ada Marsh,

    Thank you for your order. We have received your payment, and your order is
    confirmed.

    Order number: 01939b6a-0000-7000-8000-000000000001

    2 x Kettle <b>& lid</b>
        49.50 USD each, 99.00 USD
    1 x Tea
        1.00 USD each, 1.00 USD

    Total: 100.00 USD

    Emporium
    "#);
    insta::assert_snapshot!(
        visible_text(&mail.html),
        @"Emporium Your order is confirmed Hello Ada Marsh, Thank you for your order. We have received your payment, and your order is confirmed. Order number: 01939b6a-0000-7000-8000-000000000001 Product Quantity Price Total Kettle &lt;b&gt;&amp; lid&lt;&#x2f;b&gt; 2 49.50 USD 99.00 USD Tea 1 1.00 USD 1.00 USD Total 100.00 USD You are receiving this email because this address was given to Emporium."
    );
}

#[test]
fn a_failed_payment_says_why_and_that_nothing_is_charged() {
    for (reason, why) in [
        (PaymentFailure::CardDeclined, "Your bank declined the card."),
        (PaymentFailure::InsufficientFunds, "insufficient funds"),
        (PaymentFailure::InvalidPaymentMethod, "could not be used"),
        (PaymentFailure::Other, "could not complete the payment"),
    ] {
        let mail = render(&payment_failed(reason), Some("Ada"));
        for body in [&mail.text, &visible_text(&mail.html)] {
            assert!(body.contains(why), "{body}");
            assert!(body.contains("You have not been charged."), "{body}");
            assert!(body.contains("99.99 USD"), "{body}");
            assert!(body.contains(ORDER), "{body}");
        }
    }
    let mail = render(&payment_failed(PaymentFailure::CardDeclined), Some("Ada"));
    insta::assert_snapshot!(mail.subject, @"The payment for your Emporium order failed");
    insta::assert_snapshot!(mail.text, @r#"
    Hello Ada,

    We could not process your payment of 99.99 USD, so your order was not completed.
    Your bank declined the card.

    You have not been charged. You are welcome to place the order again with another
    payment method.

    Order number: 01939b6a-0000-7000-8000-000000000001

    Emporium
    "#);
}

#[test]
fn an_unknown_reason_of_a_provider_is_other() {
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
fn a_cancellation_says_why() {
    for (reason, why) in [
        (
            CancellationReason::ReservationExpired,
            "longer than we could reserve",
        ),
        (CancellationReason::StockUnavailable, "no longer available"),
        (CancellationReason::CancelledByShop, "The shop cancelled it"),
    ] {
        let message = Message::OrderCancelled {
            order_id: order_id(),
            total: dollars(500),
            reason,
        };
        let mail = render(&message, None);
        assert_eq!(mail.subject, "Your Emporium order was cancelled");
        for body in [&mail.text, &visible_text(&mail.html)] {
            assert!(body.contains(why), "{body}");
            assert!(body.contains("You have not been charged."), "{body}");
            assert!(body.contains("Hello,"), "{body}");
        }
    }
}

#[test]
fn html_escapes_names() {
    let mail = render(&confirmed(), Some("<script>alert(1)"));
    assert!(!mail.html.contains("<script"), "{}", mail.html);
    assert!(!mail.html.contains("<b>"), "{}", mail.html);
    assert!(mail.html.contains("Hello &lt;script&gt;alert(1)"));
    assert!(mail.html.contains("Kettle &lt;b&gt;&amp; lid"));
    // Plain text needs no escaping.
    assert!(mail.text.contains("Kettle <b>& lid</b>"));
}

#[test]
fn html_loads_nothing_from_elsewhere() {
    for message in [confirmed(), payment_failed(PaymentFailure::Other)] {
        let html = render(&message, Some("Ada")).html;
        for external in ["http://", "https://", "<img", "<link", "url(", "@import"] {
            assert!(!html.contains(external), "{external} in {html}");
        }
    }
}
