//! What the functions of the service share.

use dynamo::Table;
use kernel::SignedDuration;
use runtime::{Environment, Error, Host};

use crate::{
    credentials::Credentials,
    domain::{AdminMfa, GRACE_DAYS, Password, Registration, days},
    store::Store,
};

/// How authenticator apps name the shop, unless `SHOP_NAME` is set.
const SHOP_NAME_DEFAULT: &str = "Emporium";
/// Requests that one client may send to the public endpoints in fifteen
/// minutes, unless `AUTH_REQUESTS_PER_IP` is set.
const REQUESTS_PER_IP_DEFAULT: u32 = 100;

/// The store, the host and the settings of a function, and the credentials that
/// it works with: each kind is read from a secret, which the role of the
/// function has to grant.
pub struct App<C = ()> {
    pub store: Store,
    pub host: Host,
    pub settings: Settings,
    pub credentials: C,
}

/// What an operator configures.
pub struct Settings {
    pub admin_mfa: AdminMfa,
    pub shop_name: String,
    /// How long the owner of a closed account can reopen it.
    pub account_grace: SignedDuration,
    pub requests_per_ip: u32,
    pub registration: Registration,
}

impl<C: Credentials> App<C> {
    /// From `TABLE`, the variables of [`Settings`] and the secrets of `C`.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or a secret cannot be read.
    pub async fn start(environment: Environment) -> Result<Self, Error> {
        let settings = Settings::from_environment(&environment)?;
        let (table, credentials) =
            tokio::try_join!(Table::open(&environment), C::read(&environment))?;
        Ok(Self {
            store: Store::new(table),
            host: environment.host().clone(),
            settings,
            credentials,
        })
    }

    /// The same for a function that takes new passwords: the word lists are
    /// read now, which takes longer than checking a password.
    pub async fn start_with_password_rules(environment: Environment) -> Result<Self, Error> {
        Password::warm_up();
        Self::start(environment).await
    }
}

impl Settings {
    /// An invalid value is an error and never the default: a typo in
    /// `ADMIN_MFA` must not turn the requirement off, nor one in `REGISTRATION` reveal
    /// who has an account.
    fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let grace_days =
            environment.parse_or("ACCOUNT_GRACE_DAYS", GRACE_DAYS, "a whole number of days")?;
        Ok(Self {
            admin_mfa: environment.parse_or(
                "ADMIN_MFA",
                AdminMfa::default(),
                "required or optional",
            )?,
            shop_name: environment
                .get("SHOP_NAME")
                .unwrap_or(SHOP_NAME_DEFAULT)
                .to_owned(),
            account_grace: days(grace_days),
            requests_per_ip: environment.parse_or(
                "AUTH_REQUESTS_PER_IP",
                REQUESTS_PER_IP_DEFAULT,
                "a whole number of requests",
            )?,
            registration: environment.parse_or(
                "REGISTRATION",
                Registration::default(),
                "open or private",
            )?,
        })
    }
}
