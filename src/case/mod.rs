//! The case: what is known of one incident, as a report, as a bundle that others can check without us, and as drafts for
//! the authority and the people concerned. It reads and words; it judges nothing, sends nothing, and names no person.

pub mod bundle;
pub mod check;
pub mod claims;
pub mod custody;
pub mod drafts;
pub mod drawing;
pub mod gather;
pub mod holdings;
pub mod html;
pub mod matrix;
pub mod ocsf;
pub mod path;
pub mod pdf;
pub mod pictures;
pub mod provenance;
pub mod report;
pub mod stamped;
pub mod statements;
pub mod stix;
pub mod witnessed;
pub mod words;
