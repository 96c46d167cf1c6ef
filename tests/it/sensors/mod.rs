//! Tests of `sensors` through its public face.

mod beacon;
mod observer;
mod portal;
