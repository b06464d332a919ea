//! The shop under test and its clients.

use std::sync::LazyLock;

use local::Shop;
use runtime::Environment;
use serde_json::{Value, json};
use shop_client::{Account, Client, Reply, eventually, new_email};
use tokio::sync::{OnceCell, Semaphore};

/// Like everything a test enters as a person, it contains the marker `canary`,
/// which tools/scan_log.py looks for in the log of the shop.
pub(crate) const PASSWORD: &str = "canary-otters-paint-the-moon";

/// The internal key of a shop that is not given another.
const INTERNAL_KEY_DEFAULT: &str = "local-internal-key";

/// More requests than any test sends at once.
const CONCURRENCY_MAX: usize = 10_000;

/// `REQUESTS_AT_ONCE` protects a shop that serves only a few requests at a
/// time, such as one in an emulated cloud.
static CONCURRENCY: LazyLock<Semaphore> = LazyLock::new(|| {
    let environment = Environment::from_process();
    let permits = environment.parse_or("REQUESTS_AT_ONCE", CONCURRENCY_MAX, "a number");
    Semaphore::new(permits.unwrap())
});

/// What no error response may contain: what people enter, and credentials.
const SECRETS: [&str; 4] = ["canary", "$argon2", "\"eyj", "sealed"];

fn assert_no_secret(reply: &Reply) {
    if reply.status.as_u16() < 400 {
        return;
    }
    let text = reply.text.to_lowercase();
    for secret in SECRETS {
        let (path, leaked) = (&reply.path, text.contains(secret));
        assert!(!leaked, "{path}: {secret} in an error response: {text}");
    }
}

/// The internal key of a shop that a test starts for itself.
pub(crate) const fn internal_key() -> &'static str {
    INTERNAL_KEY_DEFAULT
}

/// The shop that the tests run against.
struct Target {
    base_url: String,
    internal_key: String,
}

static TARGET: OnceCell<Target> = OnceCell::const_new();

async fn target() -> &'static Target {
    TARGET
        .get_or_init(|| async {
            let environment = Environment::from_process();
            let Some(url) = environment.get("BASE_URL") else {
                return Target {
                    base_url: start_in_process().await,
                    internal_key: INTERNAL_KEY_DEFAULT.into(),
                };
            };
            let key = environment.get("INTERNAL_KEY");
            Target {
                base_url: url.to_owned(),
                internal_key: key.unwrap_or(INTERNAL_KEY_DEFAULT).to_owned(),
            }
        })
        .await
}

/// Whether the tests run against a shop outside this process, so that those
/// that need to control the shop must be skipped.
pub(crate) fn is_remote() -> bool {
    Environment::from_process().get("BASE_URL").is_some()
}

/// Starts a shop on a thread with its own runtime: each test's runtime ends
/// with the test, and the shop must outlive all of them.
async fn start_in_process() -> String {
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let shop = Shop::start(crate::process::options())
                .await
                .expect("the shop starts");
            send.send(shop.url().to_owned()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receive.await.expect("the shop starts")
}

/// An anonymous client of a given shop.
pub(crate) fn client_at(base_url: &str) -> Client {
    Client::new(base_url)
        .limited_by(&CONCURRENCY)
        .checked_by(assert_no_secret)
}

/// An anonymous client.
pub(crate) async fn anonymous() -> Client {
    client_at(&target().await.base_url)
}

/// A client with the internal key.
pub(crate) async fn internal() -> Client {
    anonymous().await.as_internal(&target().await.internal_key)
}

/// Registers a new user.
pub(crate) async fn register() -> Account {
    register_at(&anonymous().await).await
}

/// Registers a new user at the shop of a client.
pub(crate) async fn register_at(client: &Client) -> Account {
    client.register(&new_email(), PASSWORD).await
}

/// The mails to an address whose subjects contain a phrase; `None` if the
/// shop's mail cannot be read. A local shop has a mailbox, and `MAILBOX_URL`
/// names that of the shop under test if it runs elsewhere.
pub(crate) async fn mails(client: &Client, to: &str, phrase: &str) -> Option<Vec<Value>> {
    let environment = Environment::from_process();
    let under_test = environment
        .get("BASE_URL")
        .is_some_and(|url| url.trim_end_matches('/') == client.base_url());
    match environment.get("MAILBOX_URL") {
        Some(url) if under_test => client_at(url).mails(to, phrase).await,
        _ => client.mails(to, phrase).await,
    }
}

/// Waits for a mail to an address whose subject contains a phrase, and returns
/// the newest; `None` if the shop's mail cannot be read.
pub(crate) async fn mail(client: &Client, to: &str, phrase: &str) -> Option<Value> {
    mails(client, to, phrase).await?;
    let what = format!("a mail about `{phrase}`");
    let mail = eventually(&what, || async {
        mails(client, to, phrase).await?.into_iter().next()
    });
    Some(mail.await)
}

/// Verifies the address of a new account in its session, which goes on; `None` if the
/// shop's mail cannot be read.
pub(crate) async fn verify(person: &Account) -> Option<()> {
    let mail = mail(&person.client, &person.email, "verify").await?;
    let body = json!({ "token": token_in(&mail["text"]) });
    let path = "/api/auth/verify-email";
    let verified = person.client.post(path, &body, 200).await;
    assert_eq!(verified.data()["sessionsEnded"], "others");
    Some(())
}

/// The token in the link of a mail.
pub(crate) fn token_in(text: &Value) -> String {
    let text = text.as_str().unwrap();
    let (_, rest) = text.split_once("token=").expect("a link with a token");
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
    rest[..end.unwrap_or(rest.len())].to_owned()
}
