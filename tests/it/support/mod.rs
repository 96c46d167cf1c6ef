//! What tests share.

pub mod source;
