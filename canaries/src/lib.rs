//! What Telltale makes and recognises: personas, canaries, markers, documents, and the keyed index that finds
//! them again. No I/O, no clock, no ambient randomness: seeds, dates and names come in as arguments.

pub mod allocation;
pub mod canary;
pub mod documents;
mod draw;
pub mod field;
pub mod identifiers;
pub mod index;
pub mod kinds;
mod link;
pub mod locale;
mod login_name;
pub mod marker;
mod mint;
pub mod password;
pub mod persona;
pub mod shape;
pub mod storage;

pub use canary::CanaryId;
pub use field::Field;
pub use link::told_apart;
pub use locale::{Locale, locale};
pub use marker::{Marker, MarkerKind};
pub use persona::{House, Label, MINT_VERSION, Minter, Persona};
