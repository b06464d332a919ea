//! Tests the harness with the bootstraps of this crate: runtime API, TLS and table.

use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn the_floors_open_one_connection_to_each_service() {
    let binaries = Path::new(env!("CARGO_BIN_EXE_floor")).parent().unwrap();
    let work = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let connections = benches::smoke(binaries, work).await.unwrap();
    assert_eq!(connections, [("floor", 1, 0), ("raw-get-item", 1, 1)]);
}
