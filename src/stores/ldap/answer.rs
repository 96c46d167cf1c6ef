//! One entry of a search's answer, taken apart. The client library stops the program where a server sends what is no entry;
//! here that is an error that names the attribute.

use ldap3::{ResultEntry, SearchEntry, asn1::StructureTag};
use std::collections::HashMap;

/// Names of attributes that are longer are not repeated.
const LONGEST: usize = 64;

/// The entry, its values as text where all of an attribute's are, else as bytes.
///
/// # Errors
/// Says what cannot be read, without any value.
pub fn entry(found: ResultEntry) -> Result<SearchEntry, String> {
    let parts = found.0.match_id(4).and_then(StructureTag::expect_constructed);
    let mut parts = parts.ok_or("it is no entry")?.into_iter();
    let dn = text(parts.next()).ok_or("its name is no text")?;
    let attributes = parts.next().and_then(StructureTag::expect_constructed).ok_or("it has no list of attributes")?;
    let mut entry = SearchEntry { dn, attrs: HashMap::new(), bin_attrs: HashMap::new() };
    for attribute in attributes {
        let mut parts = attribute.expect_constructed().ok_or("one of its attributes is cut")?.into_iter();
        let name = text(parts.next()).ok_or("the name of one of its attributes is no text")?;
        let values = parts.next().and_then(StructureTag::expect_constructed);
        let values = values.and_then(|all| all.into_iter().map(StructureTag::expect_primitive).collect());
        let values: Vec<Vec<u8>> = values.ok_or_else(|| {
            let name = if name.len() <= LONGEST { name.as_str() } else { "of a long name" };
            format!("its attribute {name} has no list of values")
        })?;
        let texts: Result<Vec<String>, _> = values.iter().map(|value| String::from_utf8(value.clone())).collect();
        match texts {
            Ok(texts) => _ = entry.attrs.insert(name, texts),
            Err(_) => _ = entry.bin_attrs.insert(name, values),
        }
    }
    Ok(entry)
}

fn text(part: Option<StructureTag>) -> Option<String> {
    String::from_utf8(part?.expect_primitive()?).ok()
}
