//! Failing disks: what is acknowledged is there afterwards, what is not acknowledged is said so.

use crate::{
    journal::{
        records::{ORIGIN, acted},
        works::{SEGMENT, Works, opened},
    },
    support::{
        campaign::{long, say, seed},
        layer::{BROKEN, FULL, Fault, Layer},
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::sync::Arc;
use telltale::journal::{
    keyring::Keyring,
    log::{Journal, NotDurable},
};

const STEPS: u32 = 40;

/// A house that works while one call fails, or all from one on; then the disk is whole again.
async fn faulty(fault: Option<Fault>, seed: u64) -> (tempfile::TempDir, Layer, Result<Works, String>) {
    let folder = tempfile::tempdir().unwrap();
    let layer = Layer::over(folder.path());
    layer.fail(fault);
    let data = folder.path().join("data");
    let mut works = Works::found(&layer, &data, StdRng::seed_from_u64(seed));
    if let Ok(works) = &mut works {
        for _ in 0..STEPS {
            works.step().await;
        }
    }
    layer.fail(None);
    (folder, layer, works)
}

/// Reliability test T11: every call with TELLTALE_LONG.
#[tokio::test]
async fn a_fault_at_any_call_loses_nothing_that_was_acknowledged() {
    let seed = seed();
    let (_folder, layer, works) = faulty(None, seed).await;
    assert!(works.is_ok_and(|works| works.told.refused.is_empty()), "nothing fails on a sound disk");
    let calls = layer.calls();
    let step = if long() { 1 } else { 17 };
    let mut dice = StdRng::seed_from_u64(seed);
    let (mut felt, mut stopped, mut full) = (0, 0, 0);
    for errno in [BROKEN, FULL] {
        for lasting in [false, true] {
            for at in (1 + dice.random_range(0..step)..=calls).step_by(step as usize) {
                let fault = Fault { at, errno, lasting };
                let (folder, layer, works) = faulty(Some(fault), seed).await;
                let what = layer.failed().unwrap_or_default();
                let case = format!("TELLTALE_SEED={seed}, {fault:?} of {calls}, {what}");
                felt += u32::from(layer.failed().is_some());
                let works = match works {
                    Ok(works) => works,
                    // It says so when it cannot begin; begun anew it stands, but for a keyring that was made already.
                    Err(_) => match Works::found(&layer, &folder.path().join("data"), StdRng::seed_from_u64(seed)) {
                        Ok(works) => works,
                        Err(error) if error.contains("there is a keyring") => continue,
                        Err(error) => panic!("{case}: {error}"),
                    },
                };
                let (works, was) = after(&case, errno, works).await;
                stopped += u32::from(was == Some(NotDurable::Stopped));
                full += u32::from(was == Some(NotDurable::Full));
                restarted(&case, works, &mut dice).await;
            }
        }
    }
    say(&format!(
        "{felt} faults of {calls} calls were felt: {stopped} stopped the journal, {full} found it full (seed {seed})"
    ));
    assert!(stopped > 0 && full > 0, "{felt} faults were felt: {stopped} stopped it, {full} found it full");
}

/// What is documented: a full disk is waited for, and after any other failure of the journal nothing is acknowledged
/// until it is opened again.
async fn after(case: &str, errno: i32, mut works: Works) -> (Works, Option<NotDurable>) {
    let first = works.told.refused.iter().find(|error| !matches!(error, NotDurable::NoKey(_))).copied();
    match first {
        Some(NotDurable::Stopped) => {
            assert!(errno != FULL && works.journal.stopped(), "{case}");
            let later = works.journal.append(&acted("later")).await;
            assert_eq!(later, Err(NotDurable::Stopped), "a failed sync is never tried again: {case}");
            let later = works.journal.count("portal", None, 600).await;
            assert_eq!(later, Err(NotDurable::Stopped), "{case}");
        }
        Some(error) => {
            assert!(errno == FULL && error == NotDurable::Full && !works.journal.stopped(), "{case}: {error}")
        }
        None => assert!(!works.journal.stopped(), "{case}: it stopped and told nobody"),
    }
    for (_, done, key) in works.told.erased.iter_mut().filter(|(_, done, _)| done.is_none()) {
        works.keyring.erase(*key).unwrap_or_else(|error| panic!("{case}: {error}"));
        *done = Some(works.layer.moment());
    }
    if !works.journal.stopped() {
        let refused = works.told.refused.len();
        for _ in 0..4 {
            works.step().await;
        }
        assert_eq!(works.told.refused.len(), refused, "with room it goes on by itself: {case}");
    }
    (works, first)
}

/// The process ends and starts again, works on, and then the power fails.
async fn restarted(case: &str, works: Works, dice: &mut StdRng) {
    let mut works = works.again().unwrap_or_else(|error| panic!("{case}: {error}"));
    let refused = works.told.refused.len();
    works.told.check(case, &works.data, &works.keyring, &works.journal, usize::MAX).await;
    for _ in 0..6 {
        works.step().await;
    }
    assert_eq!(works.told.refused.len(), refused, "opened again it acknowledges: {case}");
    let moment = works.layer.moment();
    let crashed = tempfile::tempdir().unwrap();
    works.layer.cut(moment, dice, crashed.path());
    let data = crashed.path().join("data");
    let case = format!("{case}, started again, and a power cut");
    let (keyring, journal) = opened(&case, &Layer::over(crashed.path()), &data, &works.master);
    let due = works.told.check(&case, &data, &keyring, &journal, moment).await;
    works.told.outbox(&case, &data, &journal, moment, &due);
}

/// Calls that opening makes, and closing again, with some to spare.
const CALLS: u64 = 16;

/// What a power cut has left is opened on a disk that fails, and then on a sound one.
#[tokio::test]
async fn a_fault_at_any_call_of_opening_loses_nothing_that_was_acknowledged() {
    let seed = seed();
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let layer = Layer::over(folder.path());
    let mut works = Works::found(&layer, &folder.path().join("data"), StdRng::seed_from_u64(seed)).unwrap();
    let founded = layer.moment();
    for _ in 0..STEPS {
        works.step().await;
    }
    let (mut felt, mut refused) = (0, 0);
    for errno in [BROKEN, FULL] {
        for lasting in [false, true] {
            for at in 1..=CALLS {
                let moment = dice.random_range(founded..=layer.moment());
                let crashed = tempfile::tempdir().unwrap();
                layer.cut(moment, &mut dice, crashed.path());
                let (left, data) = (Layer::over(crashed.path()), crashed.path().join("data"));
                let fault = Fault { at, errno, lasting };
                let case =
                    format!("TELLTALE_SEED={seed}, cut at {moment} of {}, opened with {fault:?}", layer.moment());
                left.fail(Some(fault));
                let tried = Keyring::open_on(&data, &works.master, Arc::new(left.clone())).map(Arc::new);
                let tried = tried.ok().and_then(|keyring| Journal::open_with(&data, keyring, ORIGIN, SEGMENT).ok());
                refused += u32::from(tried.is_none());
                drop(tried);
                left.fail(None);
                felt += u32::from(left.failed().is_some());
                let case = format!("{case}, {}", left.failed().unwrap_or_default());
                let (keyring, journal) = opened(&case, &left, &data, &works.master);
                works.told.check(&case, &data, &keyring, &journal, moment).await;
                drop((journal, keyring));

                let again = tempfile::tempdir().unwrap();
                left.cut(left.moment(), &mut dice, again.path());
                let (case, data) = (format!("{case}, and a power cut"), again.path().join("data"));
                let (keyring, journal) = opened(&case, &Layer::over(again.path()), &data, &works.master);
                works.told.check(&case, &data, &keyring, &journal, moment).await;
            }
        }
    }
    say(&format!("{felt} faults were felt while opening, {refused} of them refused it (seed {seed})"));
    assert!(refused > 10 && felt > refused, "{felt} faults were felt, {refused} refused");
}
