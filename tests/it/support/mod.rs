//! What tests share.

pub mod campaign;
pub mod inbox;
pub mod layer;
pub mod names;
pub mod people;
pub mod service;
pub mod serving;
pub mod source;
pub mod timed;
pub mod traffic;
pub mod vendor;
