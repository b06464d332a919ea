//! The laptop shop as a process of its own, to be killed or stopped.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use local::{Options, Source};
use runtime::Environment;
use serde_json::Value;
use tokio::process::{Child, Command};

/// How long a start may take on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks whether it is ready.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The key that these shops take.
pub(crate) const INTERNAL_KEY: &str = "the-key-of-a-shop-of-a-test";

/// Done once, by whichever test comes first.
static BEGUN: std::sync::Once = std::sync::Once::new();

/// What a shop logs from which everything is to be read: all that it says, but
/// not what the parts say of themselves that only a laptop has.
pub(crate) const EVERYTHING: &str = "debug,dynoxide=info,hyper=info,rustack_sqs_core=info,\
    rustack_sns_core=info,rustack_ses_core=info,rustack_secretsmanager_core=info,aws=info,\
    rustack_sqs_http=info,rustack_sns_http=info";

/// Begins the log of the shop in this process: everything into the file in
/// `SHOP_LOG`, to be read by tools/scan_log.py when all tests are done, or what
/// `RUST_LOG` asks for to standard error. Whoever starts a shop here calls it
/// first; the first call counts.
pub(crate) fn begin_log() {
    BEGUN.call_once(|| {
        let environment = Environment::of_process();
        if let Some(file) = environment.get("SHOP_LOG") {
            let file = std::fs::File::create(file).unwrap();
            runtime::log::write(EVERYTHING, std::sync::Mutex::new(file)).unwrap();
        } else if environment.get("RUST_LOG").is_some() {
            runtime::log::init();
        }
    });
}

/// What belongs in no reply that refuses something: what people gave, and what
/// proves who they are.
const SECRETS: [&str; 4] = ["canary", "$argon2", "\"eyJ", "sealed"];

/// Requires a reply that refuses something to say nothing of these.
pub(crate) fn assert_no_secret(path: &str, text: &str) {
    let said = text.to_lowercase();
    for secret in SECRETS {
        let found = said.contains(&secret.to_lowercase());
        assert!(!found, "{path}: {secret} is in a refusal: {text}");
    }
}

/// A running shop. It is killed when this goes.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) url: String,
}

/// A shop in this process, to which one address may send all requests of the tests.
pub(crate) fn options() -> Options {
    begin_log();
    let template = Source::File(root().join("template.yaml"));
    let mut options = Options::new(template, local::registry::functions());
    options.environment = Environment::default().with("AUTH_REQUESTS_PER_IP", "100000");
    options
}

/// A folder for one test's data, and for nothing else.
pub(crate) fn new_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("emporium-test-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Starts the shop on the data in a folder, on a free port.
pub(crate) async fn start(data: &Path) -> Process {
    start_logging(data, "error", Stdio::inherit()).await
}

/// The same, which logs from a level on to somewhere.
pub(crate) async fn start_logging(data: &Path, level: &str, log: Stdio) -> Process {
    let test = std::env::current_exe().unwrap();
    let binary = test
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("emporium-local");
    assert!(
        binary.exists(),
        "emporium-local is not built: `make test-shop` builds it first"
    );
    let ready = data.join("ready.json");
    let _ = std::fs::remove_file(&ready);
    let child = Command::new(binary)
        .args([
            "--data".as_ref(),
            data.as_os_str(),
            "--ready-file".as_ref(),
            ready.as_os_str(),
        ])
        .current_dir(root())
        .env("PORT", "0")
        .env("INTERNAL_KEY", INTERNAL_KEY)
        .env("RUST_LOG", level)
        .env_remove("EPHEMERAL")
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the laptop shop starts");
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(&ready).unwrap_or_default();
        if let Ok(written) = serde_json::from_str::<Value>(&text) {
            let url = written["url"].as_str().unwrap().to_owned();
            return Process { child, url };
        }
        assert!(
            begun.elapsed() < READY_WITHIN,
            "the laptop shop is not ready"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
