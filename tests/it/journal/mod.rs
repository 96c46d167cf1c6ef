//! Tests of `journal` through its public face.
