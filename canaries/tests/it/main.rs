//! The one test binary of this crate: everything through its public face.

mod documents;
mod fuzzed;
mod minting;
mod shapes;
mod strangers;
