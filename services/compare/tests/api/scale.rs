//! Figures for 10,000 subjects a side, from the database. Meaningful in release only:
//! `cargo test --release -p compare-service --test api scale -- --ignored --nocapture --test-threads 1`

use std::time::{Duration, Instant};

use pb::compare::{GeneratePromotionPreflightRequest, PreviewCompareRequest};

use crate::compare::Pair;
use crate::world::World;

const SUBJECTS: i32 = 10_000;
const ROUNDS: usize = 15;

/// Median and slowest of some rounds after a first one that warms up.
async fn measure(what: &str, mut round: impl AsyncFnMut()) -> Duration {
    round().await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round().await;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    #[expect(clippy::print_stdout, reason = "the figure is what this is for")]
    {
        println!("{what}, {SUBJECTS} subjects a side: median {:?}, slowest {:?}", times[ROUNDS / 2], times[ROUNDS - 1]);
    }
    times[ROUNDS / 2]
}

async fn pair(world: &World, differing: i32) -> Pair {
    let pair = Pair::new(world).await;
    pair.source(world).has_many(SUBJECTS, differing).await;
    pair.target(world).has_many(SUBJECTS, differing).await;
    pair.target(world).connected().await;
    pair
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_compare_answers_well_under_a_second() {
    let world = World::start().await;
    let pair = pair(&world, 500).await;
    let request = PreviewCompareRequest { selection: Some(pair.selection()), ..Default::default() };
    let median = measure("compare", async || {
        let page = world.user("ada").compare().preview_compare(request.clone()).await.unwrap().into_inner();
        let counts = page.counts.unwrap();
        assert_eq!((counts.total, counts.different), (Some(SUBJECTS), Some(500)));
    })
    .await;
    assert!(median < Duration::from_secs(1), "{median:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_preflight_of_all_different_subjects_answers_within_seconds() {
    let world = World::start().await;
    let pair = pair(&world, SUBJECTS).await;
    let request = GeneratePromotionPreflightRequest { selection: Some(pair.selection()), ..Default::default() };
    let median = measure("preflight of as many differences", async || {
        let request = request.clone();
        let page = world.user("ada").compare().generate_promotion_preflight(request).await.unwrap().into_inner();
        assert_eq!(page.counts.unwrap().ready_update, Some(SUBJECTS));
    })
    .await;
    assert!(median < Duration::from_secs(3), "{median:?}");
}
