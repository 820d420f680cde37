//! The pace kept beforehand is slow enough for a tenant that throttles as documented, on a smaller scale.

use std::time::Duration;

use domain::payload::Payload;
use graph::{FamilyLimits, Outcome, PacingLimits, Rate, Settings};
use graph_emulator::{Emulator, Limits};
use serde_json::json;

use super::{TARGET, World, contract, fast};

#[tokio::test]
async fn writes_are_spaced_so_that_none_is_refused() {
    let limits = Limits { writes: 6, requests: 60, window_s: 1, conditional_access_per_s: 1 };
    let world = World::of(Emulator::builder().limits(limits)).await;
    // As the defaults do: a little fewer in a little longer than the tenant allows.
    let rate = |count, ms| Rate { count, per: Duration::from_millis(ms) };
    let intune = FamilyLimits { writes: rate(5, 1_100), all: rate(50, 1_100) };
    let settings = Settings { pacing: PacingLimits { intune, ..PacingLimits::default() }, ..fast() };
    let connection = world.connection(TARGET);
    let provider = world.provider(settings);
    let creates = (0..12).map(|i| {
        // Whoever opens the connection again shares its pace.
        let client = provider.client(&connection).expect("opens");
        async move {
            let content = json!({"displayName": format!("Category {i}")});
            let payload = Payload { policy_type: "deviceCategory".into(), content, assignments: None };
            graph::create(&client, contract("deviceCategory"), &payload).await
        }
    });
    for outcome in futures::future::join_all(creates).await {
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
    let log = world.emulator.log();
    assert_eq!(log.iter().filter(|entry| entry.status == 429).count(), 0);
    assert_eq!(log.iter().filter(|entry| entry.committed).count(), 12);
}
