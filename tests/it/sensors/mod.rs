//! Tests of `sensors` through its public face.
