//! The circuit breaker of calls between services.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use contracts::calls::{ReserveStock, StockReservation};
use kernel::OrderId;
use runtime::{
    Environment,
    aws::Aws,
    call::{CallClient, CallError},
};
use testkit::{StubReply, RecordedMetrics, StubServer};

/// Calls in a row that fail before the breaker opens.
const CALLS: usize = 5;
/// How often a call is tried while the circuit is open, at most.
const LOOKS_MAX: usize = 1_000;

struct Catalog {
    peer: StubServer,
    works: Arc<AtomicBool>,
}

impl Catalog {
    /// A catalog that refuses every call, in a way that the SDK does not try again.
    async fn broken() -> Self {
        let works = Arc::new(AtomicBool::new(false));
        let seen = works.clone();
        let peer = StubServer::start(move |_, _| {
            if seen.load(Ordering::SeqCst) {
                StubReply::Reply(200, serde_json::to_string(&StockReservation::Gone).unwrap())
            } else {
                StubReply::Reply(404, r#"{"Message":"no such function"}"#.into())
            }
        })
        .await;
        Self { peer, works }
    }

    fn client(&self, reset: Duration) -> CallClient {
        let variables = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &self.peer.url),
        ];
        let environment: Environment = variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        let lambda = Aws::from_environment(&environment).unwrap().lambda();
        CallClient::with_reset(lambda, "reserve-stock", "catalog", reset)
    }

    fn asked(&self) -> usize {
        self.peer.bodies().len()
    }
}

async fn call(client: &CallClient) -> Result<StockReservation, CallError> {
    let call = ReserveStock {
        order_id: testkit::new_id::<OrderId>(),
        lines: Vec::new(),
        correlation_id: "chain".into(),
    };
    client.call(&call).await
}

#[tokio::test]
async fn after_five_failures_in_a_row_nobody_is_asked_any_more() {
    let catalog = Catalog::broken().await;
    let client = catalog.client(Duration::from_secs(3_600));
    let counted = RecordedMetrics::begin();
    // A good call between makes them no row.
    for _ in 1..CALLS {
        call(&client).await.unwrap_err();
    }
    catalog.works.store(true, Ordering::SeqCst);
    call(&client).await.unwrap();
    catalog.works.store(false, Ordering::SeqCst);
    assert_eq!(counted.take()["BreakerOpen[Dependency=catalog]"], 0.0);
    for failed in 1..=CALLS {
        let error = call(&client).await.unwrap_err();
        assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
        assert_eq!(catalog.asked(), CALLS + failed);
    }
    let all = counted.take();
    assert_eq!(all["DependencyErrors[Dependency=catalog]"], 5.0);
    assert_eq!(all["BreakerOpen[Dependency=catalog]"], 1.0);

    catalog.works.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = call(&client).await.unwrap_err();
        assert!(
            matches!(error, CallError::CircuitOpen("catalog")),
            "{error}"
        );
    }
    assert_eq!(catalog.asked(), 2 * CALLS, "not asked");
    let wanted = [("BreakerOpen[Dependency=catalog]".to_owned(), 1.0)];
    assert_eq!(
        counted.take_untimed(),
        wanted,
        "not asked is no failure of it"
    );
}

#[tokio::test]
async fn after_a_while_one_call_goes_through_and_its_end_decides() {
    let catalog = Catalog::broken().await;
    let client = catalog.client(Duration::from_millis(20));
    let counted = RecordedMetrics::begin();
    for _ in 0..CALLS {
        call(&client).await.unwrap_err();
    }
    // Half open: the first that goes through fails, and it is open again.
    let asked = until_asked(&catalog, &client).await;
    assert!(asked.is_err());
    assert_eq!(counted.take()["BreakerOpen[Dependency=catalog]"], 1.0);

    // The next one succeeds, and it is closed: every call goes through.
    catalog.works.store(true, Ordering::SeqCst);
    let asked = until_asked(&catalog, &client).await;
    assert_eq!(asked.unwrap(), StockReservation::Gone);
    for _ in 0..CALLS {
        call(&client).await.unwrap();
    }
    let wanted = [("BreakerOpen[Dependency=catalog]".to_owned(), 0.0)];
    assert_eq!(counted.take_untimed(), wanted);
}

/// Calls until a call reaches the catalog; gives what came of that one.
async fn until_asked(
    catalog: &Catalog,
    client: &CallClient,
) -> Result<StockReservation, CallError> {
    let before = catalog.asked();
    let mut last = call(client).await;
    for _ in 0..LOOKS_MAX {
        if catalog.asked() > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        last = call(client).await;
    }
    assert_eq!(
        catalog.asked(),
        before + 1,
        "the first call that is let through"
    );
    last
}
