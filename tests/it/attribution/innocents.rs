//! How often a store that is no source gets a large e-value, whatever the thief did: counted over many draws. The bench and
//! the tests share it.

use super::layers::chance;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use statrs::distribution::{Binomial, DiscreteCDF};
use telltale::attribution::{
    e_values::{Group, Lock, models},
    rules::Rule,
};

/// What thieves do to copies: the rules, and three that no model knows.
const THEFTS: usize = 8;

/// How many of `trials` innocents reach 10^2, 10^3, 10^4 and 10^5, over thefts of every kind from up to four of the stores.
pub fn over(trials: u64, coded: usize, seed: u64) -> [u64; 4] {
    // So many innocents are drawn for each theft.
    const EACH: u64 = 10_000;
    let mut random = StdRng::seed_from_u64(seed);
    let models = models();
    let mut over = [0; 4];
    for theft in 0..trials.div_ceil(EACH) {
        let groups = theft_of(theft as usize % THEFTS, coded, &mut random);
        let lock = Lock::new(&models, &groups, 0);
        let tables: Vec<Vec<f64>> = groups.iter().map(cumulated).collect();
        for _ in 0..EACH {
            let draws = tables.iter().map(|table| draw(table, random.random()));
            let drawn: Vec<[u64; 2]> =
                draws.zip(&groups).map(|(drawn, group)| [group.canaries - drawn, drawn]).collect();
            let Some(value) = lock.ln_value(&drawn) else { continue };
            for (power, count) in over.iter_mut().enumerate() {
                *count += u64::from(value >= (power as f64 + 2.0) * std::f64::consts::LN_10);
            }
        }
    }
    over
}

/// What was seen after one theft, by chance of the draw.
fn theft_of(kind: usize, coded: usize, random: &mut StdRng) -> Vec<Group> {
    let copies = random.random_range(1..=4);
    let share = [1.0, 0.5, 0.1][random.random_range(0..3)];
    let mut counts = [[0u64; 2]; 4];
    for number in 0..coded {
        let p = chance(number);
        let holders = (0..copies).filter(|_| random.random_bool(p)).count();
        let kept = match kind {
            0 => Rule::Union.kept(holders, copies),
            1 => Rule::Intersection.kept(holders, copies),
            2 => Rule::Majority.kept(holders, copies),
            3 => Rule::Interleave.kept(holders, copies),
            4 => Rule::Coin.kept(holders, copies),
            // Rows that just one copy holds; rows that most do not; rows that are rare.
            5 => f64::from(u8::from(holders % 2 == 1)),
            6 => f64::from(u8::from(holders > 0 && 2 * holders <= copies)),
            _ => f64::from(u8::from(holders > 0)) * (1.0 - p),
        };
        let seen = random.random_bool(kept * share) || random.random_bool(0.02);
        counts[number % 4][usize::from(seen)] += 1;
    }
    let group = |number: usize, seen: bool| Group {
        drawn_with: chance(number),
        seen,
        accused: 0,
        canaries: counts[number][usize::from(seen)],
    };
    (0..4).flat_map(|number| [group(number, false), group(number, true)]).filter(|group| group.canaries > 0).collect()
}

/// The chance of so many drawn or fewer.
fn cumulated(group: &Group) -> Vec<f64> {
    let draws = Binomial::new(group.drawn_with, group.canaries).expect("a chance");
    (0..=group.canaries).map(|drawn| draws.cdf(drawn)).collect()
}

fn draw(table: &[f64], uniform: f64) -> u64 {
    (table.partition_point(|below| *below < uniform) as u64).min(table.len() as u64 - 1)
}
