//! Tests of `attribution` through its public face.
