//! The append-only, hash-chained record of all that happened: the truth.
