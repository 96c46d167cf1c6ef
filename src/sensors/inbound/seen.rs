//! Requests that were taken of late, so that one that is sent again is taken once: by its provider, who did not hear our
//! answer, or by somebody who overheard it. In memory; what is older than its proof may be is refused anyway.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So many are known at most; the oldest go first.
const MOST: usize = 65_536;

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: whoever asked has begun with it, and says how it ended.
    No,
    /// It is being taken at this moment.
    Begun,
    /// It was taken.
    Yes,
}

/// The memory of one provider.
pub struct Seen {
    kept: Duration,
    marks: Mutex<HashMap<[u8; 32], (Instant, bool)>>,
}

impl Seen {
    /// One that keeps a mark for so long.
    pub fn new(kept: Duration) -> Self {
        Seen { kept, marks: Mutex::default() }
    }

    /// Begins with a request, unless it is known.
    pub fn begin(&self, mark: [u8; 32]) -> Known {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, taken)) = marks.get(&mark).filter(|(since, _)| since.elapsed() < self.kept) {
            let _ = since;
            return if *taken { Known::Yes } else { Known::Begun };
        }
        if marks.len() >= MOST {
            marks.retain(|_, (since, _)| since.elapsed() < self.kept);
        }
        if marks.len() >= MOST
            && let Some(oldest) = marks.iter().min_by_key(|(_, (since, _))| *since).map(|(mark, _)| *mark)
        {
            marks.remove(&oldest);
        }
        marks.insert(mark, (Instant::now(), false));
        Known::No
    }

    /// Says how it ended: what was not taken may come again.
    pub fn end(&self, mark: [u8; 32], taken: bool) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if taken {
            marks.insert(mark, (Instant::now(), true));
        } else {
            marks.remove(&mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_known_and_what_failed_may_come_again() {
        let seen = Seen::new(Duration::from_millis(200));
        assert_eq!((seen.begin([1; 32]), seen.begin([1; 32])), (Known::No, Known::Begun));
        seen.end([1; 32], false);
        assert_eq!(seen.begin([1; 32]), Known::No);
        seen.end([1; 32], true);
        assert_eq!((seen.begin([1; 32]), seen.begin([2; 32])), (Known::Yes, Known::No));
        std::thread::sleep(Duration::from_millis(250));
        assert_eq!(seen.begin([1; 32]), Known::No);
    }
}
