//! The inference from sightings and placements to stores, time and certainty: pure arithmetic.
