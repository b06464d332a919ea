//! Writes mails from messages. The templates stand in `src/templates`, two for
//! each message: plain text, and HTML that is escaped by itself.

use kernel::Money;
use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig};
use runtime::{SealKey, SealedError};

use super::{Mail, PublicUrl};
use crate::domain::{Line, Message};

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../templates/", $name)))),+]
    };
}

const TEMPLATES: [(&str, &str); 18] = templates![
    "layout.html",
    "layout.txt",
    "verify-email.html",
    "verify-email.txt",
    "reset-password.html",
    "reset-password.txt",
    "password-changed.html",
    "password-changed.txt",
    "mfa-enabled.html",
    "mfa-enabled.txt",
    "mfa-disabled.html",
    "mfa-disabled.txt",
    "order-confirmed.html",
    "order-confirmed.txt",
    "payment-failed.html",
    "payment-failed.txt",
    "order-cancelled.html",
    "order-cancelled.txt",
];

/// Who a mail goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub email: String,
    /// The name to begin with, when there is one that may be used.
    pub salutation: Option<String>,
}

/// Writes mails.
pub struct Renderer {
    templates: Environment<'static>,
    shop: String,
    url: PublicUrl,
    tokens: SealKey,
}

/// A mail could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderMailError {
    /// The token in it cannot be opened.
    #[error("open the token")]
    Token(#[from] SealedError),
    /// A template is at fault.
    #[error("write the mail")]
    Template(#[from] minijinja::Error),
    /// A line comes to more money than there is.
    #[error("add up a line")]
    Money(#[from] kernel::MoneyError),
}

impl Renderer {
    /// A renderer for a shop of that name at that address; `tokens` opens what
    /// the users service sealed.
    ///
    /// # Errors
    /// When a template does not parse, which a test would have found.
    pub fn new(shop: &str, url: PublicUrl, tokens: SealKey) -> Result<Self, RenderMailError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line that has only a statement leaves no line.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?;
        templates.set_syntax(syntax);
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        Ok(Self {
            templates,
            shop: shop.to_owned(),
            url,
            tokens,
        })
    }

    /// Writes the mail that tells a recipient a message.
    ///
    /// # Errors
    /// See [`RenderMailError`].
    pub fn render(
        &self,
        message: &Message,
        recipient: Recipient,
        correlation_id: &str,
    ) -> Result<Mail, RenderMailError> {
        let subject = message.subject(&self.shop);
        let context = context! {
            shop => self.shop.as_str(),
            name => recipient.salutation,
            title => message.title(),
            reason => message.reason(),
            ..self.about(message)?
        };
        let write = |kind: &str| {
            let template = format!("{}.{kind}", message.template());
            self.templates.get_template(&template)?.render(&context)
        };
        Ok(Mail {
            to: recipient.email,
            text: write("txt")?,
            html: write("html")?,
            subject,
            correlation_id: correlation_id.to_owned(),
        })
    }

    /// What the message's own template shows.
    fn about(&self, message: &Message) -> Result<Value, RenderMailError> {
        Ok(match message {
            Message::VerifyEmail { sealed_token, .. } => {
                // Safe as it is: see `PublicUrl`.
                let link = self.url.verify_email(&self.tokens.open(sealed_token)?);
                context! { link => Value::from_safe_string(link) }
            }
            Message::ResetPassword { sealed_token, .. } => {
                let link = self.url.reset_password(&self.tokens.open(sealed_token)?);
                context! { link => Value::from_safe_string(link) }
            }
            Message::PasswordChanged { .. }
            | Message::MfaEnabled { .. }
            | Message::MfaDisabled { .. } => context! {},
            Message::OrderConfirmed {
                order_id,
                lines,
                total,
            } => {
                let lines: Result<Vec<Value>, _> = lines.iter().map(line).collect();
                context! { order_id => order_id.to_string(), lines => lines?, total => money(*total) }
            }
            Message::PaymentFailed {
                order_id, total, ..
            }
            | Message::OrderCancelled {
                order_id, total, ..
            } => context! { order_id => order_id.to_string(), total => money(*total) },
        })
    }
}

fn line(line: &Line) -> Result<Value, kernel::MoneyError> {
    let total = line.unit_price.checked_mul(line.quantity)?;
    Ok(context! {
        name => line.name.as_str(),
        quantity => line.quantity,
        unit_price => money(line.unit_price),
        total => money(total),
    })
}

fn money(amount: Money) -> String {
    amount.to_string()
}
