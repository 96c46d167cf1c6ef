//! The steps of the story on a runtime of one thread: none of them stops it, and none of them panics there.

use crate::support::service::Site;
use std::{
    iter,
    sync::atomic::{AtomicU64, Ordering},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use telltale::{
    app,
    config::load::load,
    flow::{check, plan, plan::Aim, plant, progress::Progress, rotate, verify, withdraw},
};

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";

async fn house() -> (Site, app::App) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    let config = load(&site.path("telltale.toml"), iter::empty()).expect("a configuration");
    let house = app::build(&config, app::wall(), false).expect("a house");
    app::fill_index(&house.context).expect("an index");
    (site, house)
}

#[tokio::test(flavor = "current_thread")]
async fn every_step_runs_on_one_thread() {
    let (site, house) = house().await;
    let (context, progress) = (house.context.clone(), Progress::default());
    plan::plan(&context, &[], Aim::default(), &progress).await.expect("planned");
    let planted = plant::plant(&context, &[], Some(3), &progress).await.expect("planted");
    assert_eq!(planted.stores.iter().map(|store| store.planted).collect::<Vec<_>>(), [3, 3]);
    rotate::rotate(&context, &[], Some(2), &progress).await.expect("rotated");
    let verified = verify::verify(&context, &[], &progress).await.expect("verified");
    assert!(verified.stores.iter().all(|store| store.planted == 5 && store.is_clean()));
    assert!(!check::check(&context, &progress).await.expect("checked").items.is_empty());
    let old = withdraw::withdraw(&context, &[], Some(1), &progress).await.expect("withdrawn");
    assert!(old.stores.iter().all(|store| store.withdrawn == 3));
    let rest = withdraw::withdraw(&context, &[], None, &progress).await.expect("withdrawn");
    assert!(rest.stores.iter().all(|store| store.withdrawn == 2 && store.left.is_empty()));
    context.close().await;
    drop(site);
}

/// On one worker, what blocks it stops everything else: the longest pause of another task tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_tasks_go_on_while_many_are_minted_planted_and_withdrawn() {
    let (site, house) = house().await;
    let context = house.context.clone();
    let ticks = Arc::new(AtomicU64::new(0));
    let longest = Arc::new(Mutex::new(Duration::ZERO));
    let (seen, paused) = (ticks.clone(), longest.clone());
    let ticker = tokio::spawn(async move {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let pause = last.elapsed();
            last = Instant::now();
            seen.fetch_add(1, Ordering::Relaxed);
            let mut longest = paused.lock().expect("no panic");
            *longest = (*longest).max(pause);
        }
    });
    let started = Instant::now();
    let story = tokio::spawn(async move {
        let (stores, progress) = (["export".to_owned()], Progress::default());
        plant::plant(&context, &stores, Some(2_000), &progress).await.expect("planted");
        verify::verify(&context, &stores, &progress).await.expect("verified");
        withdraw::withdraw(&context, &stores, None, &progress).await.expect("withdrawn");
        context.close().await;
    });
    story.await.expect("no panic");
    let (took, longest) = (started.elapsed(), *longest.lock().expect("no panic"));
    ticker.abort();
    assert!(
        longest * 4 < took,
        "of {took:?} nothing else ran for {longest:?}; {} ticks",
        ticks.load(Ordering::Relaxed)
    );
    drop(site);
}
