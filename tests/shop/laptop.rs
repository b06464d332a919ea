//! What a newcomer does: starts the shop, seeds it, runs the demo, stops the
//! shop and starts it again. Only for local shops: this starts its own.

use tokio::process::Command;

use crate::{
    process::{INTERNAL_KEY, Process, new_directory, root, start},
    support::{client_at, is_remote},
};

/// Runs one of the tools against a shop, which must succeed.
async fn run(tool: &str, arguments: &[&str], shop: &Process) {
    let output = Command::new("python3")
        .arg(root().join("tools").join(tool))
        .args(arguments)
        .env("BASE_URL", &shop.url)
        .env("INTERNAL_KEY", INTERNAL_KEY)
        .output()
        .await
        .expect("python3 runs");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{tool}: {stdout}{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeded_shop_runs_the_demo_and_keeps_its_data_across_a_restart() {
    if is_remote() {
        return;
    }
    let data = new_directory();
    let mut shop = start(&data).await;
    run("seed.py", &["--limit", "20"], &shop).await;
    run("demo.py", &[], &shop).await;
    let products = async |url: &str| {
        let page = client_at(url).get("/api/products?limit=100&sort=name", 200);
        page.await.items().len()
    };
    let before = products(&shop.url).await;
    assert!(before >= 20, "{before} products");

    // SIGTERM, as from a process manager: it shuts down cleanly by itself.
    let pid = shop.child.id().unwrap().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status().await;
    assert!(kill.unwrap().success());
    assert!(shop.child.wait().await.unwrap().success());

    let restarted = start(&data).await;
    assert_eq!(products(&restarted.url).await, before);
    // Seeding again finds everything in place and adds nothing.
    run("seed.py", &["--limit", "20"], &restarted).await;
    assert_eq!(products(&restarted.url).await, before);
    client_at(&restarted.url).get("/_local/", 200).await;
    drop(restarted);
    let _ = std::fs::remove_dir_all(&data);
}
