//! Tests of `stores` through its public face.
