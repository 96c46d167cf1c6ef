//! Documents that carry markers: files such as HR folders hold. The same arguments give the same bytes.

pub mod payslip;
mod sheet;
pub mod staff_list;

pub use payslip::payslip;
pub use sheet::win_ansi;
pub use staff_list::staff_list;

use std::fmt;

/// A made file.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// A file name such as its neighbours have.
    pub name: String,
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.bytes.len())
    }
}

/// A name that every file system takes: letters, digits, hyphens.
fn file_part(text: &str) -> String {
    let plain = deunicode::deunicode(text);
    plain.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '-' }).collect()
}

fn iso_to_french(date: &str) -> String {
    match date.split('-').collect::<Vec<_>>()[..] {
        [year, month, day] => format!("{day}/{month}/{year}"),
        _ => date.to_owned(),
    }
}
