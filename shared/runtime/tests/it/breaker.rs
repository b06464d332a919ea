//! The circuit breaker of calls between services.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use contracts::calls::{ReserveStock, StockReservation};
use kernel::{SignedDuration, Timestamp};
use runtime::{
    Environment,
    aws::Aws,
    call::{CallClient, CallError},
};
use testkit::{Clock, RecordedMetrics, StubReply, StubServer, new_id};

/// Calls in a row that fail before the breaker opens.
const CALLS: usize = 5;
/// How long it stays open.
const RESET: SignedDuration = SignedDuration::from_secs(30);

struct Catalog {
    server: StubServer,
    works: Arc<AtomicBool>,
    clock: Clock,
}

impl Catalog {
    /// A catalog that fails every call, in a way that the SDK does not retry.
    async fn broken() -> Self {
        let works = Arc::new(AtomicBool::new(false));
        let seen = works.clone();
        let server = StubServer::start(move |_, _| {
            if seen.load(Ordering::SeqCst) {
                StubReply::Reply(200, serde_json::to_string(&StockReservation::Gone).unwrap())
            } else {
                StubReply::Reply(404, r#"{"Message":"no such function"}"#.into())
            }
        })
        .await;
        let clock = Clock::at(Timestamp::UNIX_EPOCH);
        Self {
            server,
            works,
            clock,
        }
    }

    fn client(&self) -> CallClient {
        let environment = Environment::from_iter([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &self.server.url),
        ]);
        let lambda = Aws::from_environment(&environment).unwrap().lambda();
        CallClient::new(lambda, "reserve-stock", "catalog", self.clock.source())
    }

    fn set_works(&self, works: bool) {
        self.works.store(works, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.server.bodies().len()
    }
}

async fn call(client: &CallClient) -> Result<StockReservation, CallError> {
    let call = ReserveStock {
        order_id: new_id(),
        lines: Vec::new(),
        unverified: false,
        knows_invalid_total: true,
        knows_contended: true,
        correlation_id: "chain".into(),
    };
    client.call(&call).await
}

fn is_rejected(error: &CallError) -> bool {
    matches!(error, CallError::CircuitOpen("catalog"))
}

#[tokio::test]
async fn five_failures_in_a_row_open_the_circuit() {
    let catalog = Catalog::broken().await;
    let client = catalog.client();
    let metrics = RecordedMetrics::begin();
    // A success in between resets the count.
    for _ in 1..CALLS {
        call(&client).await.unwrap_err();
    }
    catalog.set_works(true);
    call(&client).await.unwrap();
    catalog.set_works(false);
    assert_eq!(metrics.take()["BreakerOpen[Dependency=catalog]"], 0.0);
    for failed in 1..=CALLS {
        let error = call(&client).await.unwrap_err();
        assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
        assert_eq!(catalog.calls(), CALLS + failed);
    }
    let all = metrics.take();
    assert_eq!(all["DependencyErrors[Dependency=catalog]"], 5.0);
    assert_eq!(all["BreakerOpen[Dependency=catalog]"], 1.0);

    catalog.set_works(true);
    for _ in 0..3 {
        let error = call(&client).await.unwrap_err();
        assert!(is_rejected(&error), "{error}");
    }
    assert_eq!(catalog.calls(), 2 * CALLS, "rejected calls are not made");
    let expected = [("BreakerOpen[Dependency=catalog]".to_owned(), 1.0)];
    assert_eq!(
        metrics.take_untimed(),
        expected,
        "a rejected call is no dependency error"
    );
}

#[tokio::test]
async fn after_the_reset_time_one_call_decides_whether_the_circuit_closes() {
    let catalog = Catalog::broken().await;
    let client = catalog.client();
    let metrics = RecordedMetrics::begin();
    for _ in 0..CALLS {
        call(&client).await.unwrap_err();
    }
    catalog
        .clock
        .advance(RESET - SignedDuration::from_millis(1));
    assert!(is_rejected(&call(&client).await.unwrap_err()));

    // Half open: the first call is made and fails, and the circuit is open again.
    catalog.clock.advance(SignedDuration::from_millis(1));
    let error = call(&client).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
    assert!(is_rejected(&call(&client).await.unwrap_err()));
    assert_eq!(catalog.calls(), CALLS + 1);
    assert_eq!(metrics.take()["BreakerOpen[Dependency=catalog]"], 1.0);

    // The next one succeeds, and the circuit is closed: all calls are made.
    catalog.set_works(true);
    catalog.clock.advance(RESET);
    for _ in 0..=CALLS {
        assert_eq!(call(&client).await.unwrap(), StockReservation::Gone);
    }
    let expected = [("BreakerOpen[Dependency=catalog]".to_owned(), 0.0)];
    assert_eq!(metrics.take_untimed(), expected);
}
