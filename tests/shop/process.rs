//! Shops that a test starts for itself, in this process or as one of their own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Once,
};

use local::{Options, Source};
use runtime::Environment;
use serde_json::Value;
use shop_client::eventually;
use tokio::process::{Child, Command};

/// The internal key of the shops that are processes of their own.
pub(crate) const INTERNAL_KEY: &str = "the-key-of-a-shop-of-a-test";

static LOG: Once = Once::new();

/// Everything a shop logs, except for the internals of the emulators that only
/// a local shop has.
pub(crate) const EVERYTHING: &str = "debug,dynoxide=info,hyper=info,rustack_sqs_core=info,\
    rustack_sns_core=info,rustack_ses_core=info,rustack_secretsmanager_core=info,aws=info,\
    rustack_sqs_http=info,rustack_sns_http=info";

/// Directs the log of the shops in this process: everything goes to the file
/// in `SHOP_LOG`, which tools/scan_log.py reads after the tests, or whatever
/// `RUST_LOG` selects goes to standard error. Only the first call has an effect.
pub(crate) fn init_log() {
    LOG.call_once(|| {
        let environment = Environment::from_process();
        if let Some(file) = environment.get("SHOP_LOG") {
            let file = std::fs::File::create(file).unwrap();
            runtime::log::write(EVERYTHING, std::sync::Mutex::new(file)).unwrap();
        } else if environment.get("RUST_LOG").is_some() {
            runtime::log::init();
        }
    });
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn template() -> PathBuf {
    root().join("template.yaml")
}

/// A shop in this process, with the template's own settings.
pub(crate) fn default_options() -> Options {
    init_log();
    Options::new(Source::File(template()), local::registry::functions())
}

/// A shop in this process, whose limits let all tests pass: their accounts share
/// one IP address, and most do not verify theirs.
pub(crate) fn options() -> Options {
    let mut options = default_options();
    options.environment = Environment::default()
        .with("AUTH_REQUESTS_PER_IP", "100000")
        .with("OPEN_ORDERS_PER_PERSON", "1000")
        .with("ORDERS_PER_MINUTE", "100000")
        .with("UNVERIFIED_SHELF_PERCENT", "100");
    options
}

/// An empty directory for the data of one test.
pub(crate) fn new_directory() -> PathBuf {
    let directory = std::env::temp_dir().join(format!("emporium-test-{}", shop_client::unique()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// A running shop, which is killed when this is dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) url: String,
}

/// Starts the shop with its data in a directory, on a free port.
pub(crate) async fn start(data: &Path) -> Process {
    start_with_log(data, "error", Stdio::inherit()).await
}

/// Starts the shop with a log level and a destination for the log.
pub(crate) async fn start_with_log(data: &Path, level: &str, log: Stdio) -> Process {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let binary = profile.join("emporium-local");
    let hint = "emporium-local has not been built: `make test-shop` builds it first";
    assert!(binary.exists(), "{hint}");
    let ready = data.join("ready.json");
    let _ = std::fs::remove_file(&ready);
    let child = Command::new(binary)
        .args(["--data".as_ref(), data.as_os_str()])
        .args(["--ready-file".as_ref(), ready.as_os_str()])
        .current_dir(root())
        .env("PORT", "0")
        .env("INTERNAL_KEY", INTERNAL_KEY)
        // A test asks again more often than a client that heeds Retry-After.
        .env("ORDERS_PER_MINUTE", "100000")
        .env("RUST_LOG", level)
        .env_remove("EPHEMERAL")
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the shop starts");
    let url = eventually("the shop is ready", || async {
        let text = std::fs::read_to_string(&ready).ok()?;
        let ready: Value = serde_json::from_str(&text).ok()?;
        Some(ready["url"].as_str()?.to_owned())
    });
    let url = url.await;
    Process { child, url }
}
