//! What a newcomer does: start the shop, fill it, walk through the story, stop
//! it, start it again. Not for a deployed shop: it starts its own.

use reqwest::Method;
use tokio::process::Command;

use crate::{
    process::{INTERNAL_KEY, Process, new_folder, root, start},
    support::{Client, elsewhere},
};

/// Runs one of the tools against a shop; fails the test when it fails.
async fn run(tool: &str, arguments: &[&str], shop: &Process) {
    let output = Command::new("python3")
        .arg(root().join("tools").join(tool))
        .args(arguments)
        .env("BASE_URL", &shop.url)
        .env("INTERNAL_KEY", INTERNAL_KEY)
        .output()
        .await
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{tool}: {said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn seeded_told_stopped_and_started_again_it_has_its_data() {
    if elsewhere() {
        return;
    }
    let data = new_folder();
    let mut shop = start(&data).await;
    run("seed.py", &["--limit", "20"], &shop).await;
    run("demo.py", &[], &shop).await;
    let products = async |url: &str| {
        let page = Client::at(url)
            .get("/api/products?limit=100&sort=name", 200)
            .await;
        page.data().as_array().unwrap().len()
    };
    let before = products(&shop.url).await;
    assert!(before >= 20, "{before} products");

    // As Ctrl-C and a process manager do: it ends by itself, and cleanly.
    let pid = shop.child.id().unwrap().to_string();
    let told = Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .await
        .unwrap();
    assert!(told.success());
    assert!(shop.child.wait().await.unwrap().success());

    let again = start(&data).await;
    assert_eq!(products(&again.url).await, before);
    // A second run of the seed finds all there, and adds nothing.
    run("seed.py", &["--limit", "20"], &again).await;
    assert_eq!(products(&again.url).await, before);
    let page = Client::at(&again.url)
        .request(Method::GET, "/_local/", None)
        .await
        .unwrap();
    assert!(page.status.is_success());
    drop(again);
    let _ = std::fs::remove_dir_all(&data);
}
