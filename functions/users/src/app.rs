//! What the functions share. `start` reads the environment and the secrets;
//! a test puts the same together from parts.

use std::sync::Arc;

use dynamo::Table;
use kernel::{Clock, SessionId, Timestamp};
use runtime::{Environment, Error, SealKey, SecretVersions, aws::Aws, read_secret};

use crate::{
    domain::{AdminMfa, Password, Session, User},
    factors::Factors,
    internal_key::InternalKey,
    store::{REQUESTS_PER_IP, Store},
    tokens::{AccessTokens, KeyRing, RandomError, RefreshToken},
};

/// Who makes the tokens, when `TOKEN_ISSUER` does not say.
const ISSUER_DEFAULT: &str = "emporium";
/// How authenticator apps call the shop, when `SHOP_NAME` does not say.
const SHOP_DEFAULT: &str = "Emporium";
/// What tokens in e-mails are sealed for; the notifications service opens them.
const MAIL_PURPOSE: &str = "email-token";

/// What functions need that make and check no tokens.
pub struct App {
    /// The accounts and sessions.
    pub store: Store,
    /// The time.
    pub clock: Clock,
}

impl App {
    /// From its parts.
    pub fn new(store: impl Into<Store>, clock: Clock) -> Self {
        Self {
            store: store.into(),
            clock,
        }
    }

    /// From the environment: `TABLE`.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        let store = open(&environment).await?;
        Ok(Arc::new(Self::new(store, Clock::System)))
    }

    /// The same for functions that judge passwords.
    ///
    /// # Errors
    /// When a variable is missing.
    pub async fn start_judging_passwords(environment: Environment) -> Result<Arc<Self>, Error> {
        // Reads its word lists, which takes longer than judging a password.
        Password::warm_up();
        Self::start(environment).await
    }
}

/// What functions need that have mails sent with tokens in them.
pub struct Mails {
    /// The accounts and sessions.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Seals the tokens.
    pub mail_key: SealKey,
}

impl Mails {
    /// From its parts; `mail` is the secret that the notifications service has too.
    pub fn new(store: impl Into<Store>, clock: Clock, mail: SecretVersions) -> Self {
        Self {
            store: store.into(),
            clock,
            mail_key: SealKey::new(mail, MAIL_PURPOSE),
        }
    }

    /// From the environment: `TABLE`, `MAIL_SECRET`.
    ///
    /// # Errors
    /// When a variable is missing, or the secret cannot be read.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        let (store, mail) =
            tokio::try_join!(open(&environment), secret(&environment, "MAIL_SECRET"))?;
        Ok(Arc::new(Self::new(store, Clock::System, mail)))
    }
}

/// What functions need that sign people in.
pub struct SignIns {
    /// The accounts and sessions.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The access tokens.
    pub tokens: KeyRing,
    /// Whether an admin's session gives its rights without a second factor.
    pub admin_mfa: AdminMfa,
}

impl SignIns {
    /// From its parts.
    pub fn new(store: impl Into<Store>, clock: Clock, tokens: impl Into<KeyRing>) -> Self {
        Self {
            store: store.into(),
            clock,
            tokens: tokens.into(),
            admin_mfa: AdminMfa::default(),
        }
    }

    /// From the environment: `TABLE`, `AUTH_SECRET`, `TOKEN_ISSUER`, `ADMIN_MFA`.
    ///
    /// # Errors
    /// When a variable is missing, or the secret cannot be read.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self::read(&environment).await?))
    }

    async fn read(environment: &Environment) -> Result<Self, Error> {
        let admin_mfa = admin_mfa(environment)?;
        let (store, tokens) = tokio::try_join!(open(environment), key_ring(environment))?;
        Ok(Self {
            admin_mfa,
            ..Self::new(store, Clock::System, tokens)
        })
    }

    /// A new session of a person, with its refresh token.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new_session(
        &self,
        user: &User,
        now: Timestamp,
    ) -> Result<(Session, RefreshToken), RandomError> {
        let refresh = RefreshToken::generate(user.id, testkit::new_id::<SessionId>())?;
        let session = Session::begin(refresh.session_id, user, refresh.hash(), now);
        Ok((session, refresh))
    }
}

/// What logging in needs: also to check second factors.
pub struct LogIns {
    /// To sign the person in.
    pub sign_ins: SignIns,
    /// Checks second factors.
    pub factors: Factors,
}

impl LogIns {
    /// From the environment: that of [`SignIns`], and `MFA_SECRET`.
    ///
    /// # Errors
    /// When a variable is missing, or a secret cannot be read.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        let (sign_ins, mfa) = tokio::try_join!(
            SignIns::read(&environment),
            secret(&environment, "MFA_SECRET")
        )?;
        let factors = Factors::new(mfa);
        Ok(Arc::new(Self { sign_ins, factors }))
    }
}

/// What functions need that turn second factors on and off.
pub struct Mfa {
    /// The accounts and sessions.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Makes and checks second factors.
    pub factors: Factors,
    /// How apps call the shop.
    pub shop: String,
}

impl Mfa {
    /// From the environment: `TABLE`, `MFA_SECRET`, `SHOP_NAME`.
    ///
    /// # Errors
    /// When a variable is missing, or the secret cannot be read.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        let (store, mfa) =
            tokio::try_join!(open(&environment), secret(&environment, "MFA_SECRET"))?;
        Ok(Arc::new(Self {
            store,
            clock: Clock::System,
            factors: Factors::new(mfa),
            shop: environment.get("SHOP_NAME").unwrap_or(SHOP_DEFAULT).into(),
        }))
    }
}

/// What registering needs: also to seal what goes into the e-mail.
pub struct Registration {
    /// To sign the new person in.
    pub sign_ins: SignIns,
    /// Seals the verification token.
    pub mail_key: SealKey,
}

impl Registration {
    /// From its parts; `mail` is the secret that the notifications service has too.
    pub fn new(sign_ins: SignIns, mail: SecretVersions) -> Self {
        Self {
            sign_ins,
            mail_key: SealKey::new(mail, MAIL_PURPOSE),
        }
    }

    /// From the environment: that of [`SignIns`], and `MAIL_SECRET`.
    ///
    /// # Errors
    /// When a variable is missing, or a secret cannot be read.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        let (store, tokens, mail) = tokio::try_join!(
            open(&environment),
            key_ring(&environment),
            secret(&environment, "MAIL_SECRET"),
        )?;
        // Reads its word lists, which takes longer than judging a password.
        Password::warm_up();
        let sign_ins = SignIns::new(store, Clock::System, tokens);
        Ok(Arc::new(Self::new(sign_ins, mail)))
    }
}

/// What the authorizer needs.
pub struct Authorizer {
    /// The accounts and sessions.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// The access tokens.
    pub tokens: KeyRing,
    /// The key of machine clients.
    pub internal_key: InternalKey,
    /// Whether an admin's session gives its rights without a second factor.
    pub admin_mfa: AdminMfa,
}

impl Authorizer {
    /// From the environment: `TABLE`, `AUTH_SECRET`, `TOKEN_ISSUER`,
    /// `INTERNAL_KEY_SECRET`, `ADMIN_MFA`.
    ///
    /// # Errors
    /// When a variable is missing, or a secret cannot be read.
    pub async fn start(environment: Environment) -> Result<Self, Error> {
        let admin_mfa = admin_mfa(&environment)?;
        let (table, tokens, key) = tokio::try_join!(
            Table::open(&environment),
            key_ring(&environment),
            secret(&environment, "INTERNAL_KEY_SECRET"),
        )?;
        Ok(Self {
            store: Store::new(table),
            clock: Clock::System,
            tokens,
            internal_key: InternalKey::new(&key)?,
            admin_mfa,
        })
    }
}

/// What publishing the keys needs.
pub struct PublicKeys {
    /// The time.
    pub clock: Clock,
    /// The keys.
    pub tokens: KeyRing,
}

impl PublicKeys {
    /// From its parts; the keys were read just now.
    pub fn new(clock: Clock, tokens: impl Into<KeyRing>) -> Self {
        let tokens = tokens.into().read_at(clock.now());
        Self { clock, tokens }
    }

    /// From the environment: `AUTH_SECRET`, `TOKEN_ISSUER`.
    ///
    /// # Errors
    /// When a variable is missing, or the secret cannot be read.
    pub async fn start(environment: Environment) -> Result<Arc<Self>, Error> {
        let tokens = key_ring(&environment).await?;
        Ok(Arc::new(Self::new(Clock::System, tokens)))
    }
}

/// The access tokens of this environment.
///
/// # Errors
/// When a variable is missing, or the secret cannot be read or is too short.
async fn access_tokens(environment: &Environment) -> Result<AccessTokens, Error> {
    let issuer = environment.get("TOKEN_ISSUER").unwrap_or(ISSUER_DEFAULT);
    let secret = secret(environment, "AUTH_SECRET").await?;
    Ok(AccessTokens::new(issuer, &secret)?)
}

/// The same, with keys that are read again when the secret is changed.
async fn key_ring(environment: &Environment) -> Result<KeyRing, Error> {
    let tokens = access_tokens(environment).await?;
    let environment = environment.clone();
    Ok(KeyRing::from(tokens).rereading(Box::new(move || {
        let environment = environment.clone();
        Box::pin(async move { access_tokens(&environment).await })
    })))
}

/// The store, with the limit that the environment sets.
async fn open(environment: &Environment) -> Result<Store, Error> {
    let expected = "a whole number of requests";
    let most = environment.parse_or("AUTH_REQUESTS_PER_IP", REQUESTS_PER_IP, expected)?;
    let store = Store::new(Table::open(environment).await?);
    Ok(store.with_requests_per_ip(most))
}

/// Whether those who run the shop need a second factor for it. Nothing said is
/// `optional`; anything unknown is a mistake, and must not weaken it unseen.
fn admin_mfa(environment: &Environment) -> Result<AdminMfa, Error> {
    let expected = "required or optional";
    Ok(environment.parse_or("ADMIN_MFA", AdminMfa::default(), expected)?)
}

async fn secret(environment: &Environment, variable: &str) -> Result<SecretVersions, Error> {
    let client = Aws::from_environment(environment)?.secrets();
    Ok(read_secret(&client, environment.require(variable)?).await?)
}
