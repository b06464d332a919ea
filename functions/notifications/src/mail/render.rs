//! Renders messages as emails. Each has two templates in `src/templates`: plain
//! text, and HTML with automatic escaping.

use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig};
use runtime::{SealKey, SealedError};

use super::{Mail, PublicUrl};
use crate::domain::{Line, Message, format_date};

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../templates/", $name)))),+]
    };
}

const TEMPLATES: [(&str, &str); 26] = templates![
    "layout.html",
    "layout.txt",
    "verify-email.html",
    "verify-email.txt",
    "registration-attempted.html",
    "registration-attempted.txt",
    "reset-password.html",
    "reset-password.txt",
    "password-changed.html",
    "password-changed.txt",
    "email-changed.html",
    "email-changed.txt",
    "mfa-enabled.html",
    "mfa-enabled.txt",
    "mfa-disabled.html",
    "mfa-disabled.txt",
    "account-closed.html",
    "account-closed.txt",
    "account-reopened.html",
    "account-reopened.txt",
    "order-confirmed.html",
    "order-confirmed.txt",
    "payment-failed.html",
    "payment-failed.txt",
    "order-cancelled.html",
    "order-cancelled.txt",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub email: String,
    /// The name to greet the recipient with.
    pub salutation: Option<String>,
}

pub struct Renderer {
    templates: Environment<'static>,
    shop: String,
    url: PublicUrl,
    tokens: SealKey,
}

#[derive(Debug, thiserror::Error)]
pub enum RenderMailError {
    #[error("unseal the token")]
    Token(#[from] SealedError),
    #[error("render the template")]
    Template(#[from] minijinja::Error),
    #[error("calculate the total of a line")]
    Money(#[from] kernel::MoneyError),
}

impl Renderer {
    /// `shop` is the shop's name, `url` its address; `tokens` unseals what the
    /// users service sealed.
    ///
    /// # Errors
    /// When a template cannot be parsed, which a test would have shown.
    pub fn new(shop: &str, url: PublicUrl, tokens: SealKey) -> Result<Self, RenderMailError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line with nothing but a statement leaves no empty line.
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
            ..self.message_context(message)?
        };
        let render = |kind: &str| {
            let template = format!("{}.{kind}", message.template());
            self.templates.get_template(&template)?.render(&context)
        };
        Ok(Mail {
            to: recipient.email,
            text: render("txt")?,
            html: render("html")?,
            subject,
            correlation_id: correlation_id.to_owned(),
        })
    }

    /// The variables of the message's own template.
    fn message_context(&self, message: &Message) -> Result<Value, RenderMailError> {
        Ok(match message {
            Message::VerifyEmail { sealed_token, .. } => {
                // Needs no escaping: see `PublicUrl`.
                let link = self.url.verify_email(&self.tokens.open(sealed_token)?);
                context! { link => Value::from_safe_string(link) }
            }
            Message::ResetPassword { sealed_token, .. } => {
                let link = self.url.reset_password(&self.tokens.open(sealed_token)?);
                context! { link => Value::from_safe_string(link) }
            }
            Message::RegistrationAttempted { .. } => {
                let link = self.url.as_str().to_owned();
                context! { link => Value::from_safe_string(link) }
            }
            Message::PasswordChanged { .. }
            | Message::EmailChanged { .. }
            | Message::MfaEnabled { .. }
            | Message::MfaDisabled { .. }
            | Message::AccountReopened => context! {},
            Message::AccountClosed { erase_at } => context! { date => format_date(*erase_at) },
            Message::OrderConfirmed {
                order_id,
                lines,
                total,
            } => {
                let lines: Result<Vec<Value>, _> = lines.iter().map(line_context).collect();
                context! { order_id => order_id.to_string(), lines => lines?, total => total.to_string() }
            }
            Message::PaymentFailed {
                order_id, total, ..
            }
            | Message::OrderCancelled {
                order_id, total, ..
            } => context! { order_id => order_id.to_string(), total => total.to_string() },
        })
    }
}

fn line_context(line: &Line) -> Result<Value, kernel::MoneyError> {
    let total = line.unit_price.checked_mul(line.quantity)?;
    Ok(context! {
        name => line.name.as_str(),
        quantity => line.quantity,
        unit_price => line.unit_price.to_string(),
        total => total.to_string(),
    })
}
