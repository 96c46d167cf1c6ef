//! Tests of `ledger` through its public face.
