//! Tests of `sinks` through its public face.
