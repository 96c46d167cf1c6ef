//! The inference from sightings and placements to stores, time and certainty: pure arithmetic.
//! No I/O, no clock, no randomness: everything that counts comes in with the `Problem`.

pub mod bits;
pub mod coalitions;
pub mod conditions;
pub mod copies;
pub mod coverage;
pub mod decide;
pub mod design_audit;
pub mod draws;
pub mod e_values;
pub mod evidence;
pub mod ghosts;
pub mod hypergeometric;
pub mod hypotheses;
pub mod likelihood;
pub mod looks;
pub mod naming;
pub mod priors;
pub mod problem;
pub mod rules;
pub mod scenario;
pub mod simulate;
pub mod sums;
pub mod values;
pub mod weighed;
pub mod windows;
