//! How many answers a network gets in a second by datagrams, whose sender may be forged: beyond that each is as short as its
//! question, and says to connect instead, which nobody can forge. So nobody is flooded by us.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};
use tokio::time::Instant;

/// Answers to one network in a second: many more than a resolver needs for one house's documents.
const MOST: u16 = 200;
/// Networks are counted in so many places; two may share one.
const PLACES: usize = 4096;

/// The counts of this second.
pub struct Pace {
    began: Instant,
    hashes: RandomState,
    counts: Mutex<(u64, Vec<u16>)>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { began: Instant::now(), hashes: RandomState::new(), counts: Mutex::new((0, vec![0; PLACES])) }
    }
}

impl Pace {
    /// Counts one answer to this address; whether it is within what its network gets.
    pub fn keeps(&self, source: IpAddr, now: Instant) -> bool {
        let network = match source {
            IpAddr::V4(address) => u64::from(u32::from(address) >> 8),
            IpAddr::V6(address) => (u128::from(address) >> 72) as u64 | 1 << 63,
        };
        let second = now.duration_since(self.began).as_secs();
        let place = self.hashes.hash_one(network) as usize % PLACES;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.0 != second {
            counts.0 = second;
            counts.1.fill(0);
        }
        counts.1[place] = counts.1[place].saturating_add(1);
        counts.1[place] <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_network_gets_so_many_in_a_second_and_others_are_not_held_by_it() {
        let (pace, now) = (Pace::default(), Instant::now());
        let address = |text: &str| text.parse().expect("an address");
        let kept = (0..2 * MOST).filter(|_| pace.keeps(address("203.0.113.5"), now)).count();
        assert_eq!(kept, usize::from(MOST));
        assert!(!pace.keeps(address("203.0.113.200"), now), "the same network");
        // Of a hundred others hardly one shares the place.
        let others = (0..100).filter(|n| pace.keeps(IpAddr::from([198, 51, *n, 1]), now)).count();
        assert!(others >= 95, "{others}");
        assert!(pace.keeps(address("2001:db8::1"), now));
        assert!(pace.keeps(address("203.0.113.5"), now + Duration::from_secs(2)));
    }
}
