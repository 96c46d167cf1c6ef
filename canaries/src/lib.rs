//! What Telltale makes and recognises: personas, canaries, markers, documents, and the keyed index that finds
//! them again. No I/O, no clock, no ambient randomness: seeds, dates and names come in as arguments.

pub mod canary;
pub mod field;
pub mod index;
pub mod marker;
pub mod shape;

pub use canary::CanaryId;
pub use field::Field;
pub use marker::{Marker, MarkerKind};
