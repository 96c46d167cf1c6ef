//! Tests of `dumps` through its public face.
