//! When to try again, and what an HTTP status means for that. Pure: the attempt's number, the chance and the
//! receiver's wish come in as arguments.

use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// The delays before each attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    delays: Vec<Duration>,
}

impl Default for Schedule {
    /// At once, then twelve attempts in all over about three days.
    fn default() -> Self {
        Schedule::new(
            [
                0,
                5 * SECOND,
                30 * SECOND,
                2 * MINUTE,
                10 * MINUTE,
                30 * MINUTE,
                2 * HOUR,
                5 * HOUR,
                10 * HOUR,
                14 * HOUR,
                20 * HOUR,
                24 * HOUR,
            ]
            .map(Duration::from_secs),
        )
    }
}

impl Schedule {
    /// A schedule of these delays, the first before the first attempt.
    pub fn new(delays: impl IntoIterator<Item = Duration>) -> Self {
        Schedule { delays: delays.into_iter().collect() }
    }

    /// How many attempts there are in all.
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.delays.len()).unwrap_or(u32::MAX)
    }

    /// The delay before the next attempt, after `attempt` attempts were made; none when all were. `jitter` is a share
    /// of the delay, from -0.2 to 0.2. The receiver's own wish is honoured within reason: not sooner than the
    /// schedule, not later than twice its delay or an hour.
    pub fn next(&self, attempt: u32, jitter: f64, retry_after: Option<Duration>) -> Option<Duration> {
        let base = *self.delays.get(usize::try_from(attempt).ok()?)?;
        if let Some(wish) = retry_after {
            return Some(wish.clamp(base, (2 * base).max(Duration::from_secs(HOUR))));
        }
        let jitter = if jitter.is_nan() { 0.0 } else { jitter.clamp(-0.2, 0.2) };
        Some(base.mul_f64(1.0 + jitter))
    }
}

/// What an HTTP status means to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The receiver has it.
    Delivered,
    /// It may work later.
    Retry,
    /// The receiver wants nothing more.
    GiveUp,
}

/// Judges a status: 2xx is delivered, 410 Gone gives up, everything else (a redirect too) is a failure to try again.
pub fn judge(status: u16) -> Judgement {
    match status {
        200..=299 => Judgement::Delivered,
        410 => Judgement::GiveUp,
        _ => Judgement::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table() {
        let schedule = Schedule::default();
        let seconds: Vec<u64> = (0..12).map(|attempt| schedule.next(attempt, 0.0, None).unwrap().as_secs()).collect();
        assert_eq!(seconds, [0, 5, 30, 120, 600, 1800, 7200, 18000, 36000, 50400, 72000, 86400]);
        assert_eq!(seconds.iter().sum::<u64>(), 272_555);
        assert_eq!(schedule.next(12, 0.0, None), None);
        assert_eq!(schedule.next(u32::MAX, 0.0, Some(Duration::from_secs(1))), None);
        assert_eq!(schedule.attempts(), 12);
    }

    #[test]
    fn a_wish_is_clamped() {
        let schedule = Schedule::default();
        let next = |attempt, wish| schedule.next(attempt, 0.2, Some(Duration::from_secs(wish))).unwrap().as_secs();
        assert_eq!(next(1, 0), 5);
        assert_eq!(next(1, 60), 60);
        assert_eq!(next(1, 1_000_000), 3600);
        assert_eq!(next(6, 10), 7200);
        assert_eq!(next(6, 10_000), 10_000);
        assert_eq!(next(6, u64::MAX), 14_400);
    }

    #[test]
    fn statuses() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judge(status), Judgement::Delivered);
        }
        for status in [301, 302, 307, 308, 400, 401, 403, 404, 429, 500, 502, 503, 504] {
            assert_eq!(judge(status), Judgement::Retry);
        }
        assert_eq!(judge(410), Judgement::GiveUp);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_a_fifth(attempt in 0u32..12, jitter in any::<f64>()) {
            let schedule = Schedule::default();
            let base = schedule.next(attempt, 0.0, None).unwrap().as_secs_f64();
            let delay = schedule.next(attempt, jitter, None).unwrap().as_secs_f64();
            prop_assert!(delay >= base * 0.799_999 && delay <= base * 1.200_001);
        }
    }
}
