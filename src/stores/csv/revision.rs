//! Other values for planted rows of a CSV file: those whose bytes are as planted. All other bytes stay, those of the same
//! row too.

use crate::stores::{
    csv::{
        Place, compose, locator,
        rewrite::{Edits, Held},
        walk,
    },
    store::{Revision, StoreError},
};
use std::collections::HashMap;

impl Place {
    pub(super) fn revise(&self, revisions: &[Revision]) -> Result<Vec<Option<String>>, StoreError> {
        let mut locators: Vec<Option<String>> = vec![None; revisions.len()];
        if revisions.is_empty() {
            return Ok(locators);
        }
        let mut held = Held::open(&self.path)?;
        let format = self.format(&mut held.file, held.length)?;
        let sought: HashMap<&str, usize> =
            revisions.iter().enumerate().map(|(index, one)| (one.placed.locator.as_str(), index)).collect();
        let mut edits = Edits::default();
        let walk = walk::walk(&mut held.file, &self.path, held.length, &format, &mut |header, number, raw| {
            let Some(&index) = sought.get(locator(raw.body()).as_str()) else { return Ok(true) };
            if locators[index].is_some() {
                return Ok(true);
            }
            let mut line = Vec::with_capacity(raw.body + 16);
            let mut from = 0;
            let changes = &revisions[index].changes;
            for name in changes.keys() {
                walk::column(header, name, &self.path)?;
            }
            for (name, cell) in header.iter().zip(&raw.cells) {
                let Some(value) = changes.get(name) else { continue };
                let value = format.encoding.encode(value).ok_or_else(|| {
                    StoreError::Refused(format!(
                        "{}: a new value for column {name:?} has a character that {} cannot write",
                        self.path.display(),
                        format.encoding.name()
                    ))
                })?;
                line.extend_from_slice(&raw.bytes[from..cell.span.start]);
                line.extend(compose::field(&value, cell.quoted, format.delimiter));
                from = cell.span.end;
            }
            line.extend_from_slice(&raw.bytes[from..raw.body]);
            locators[index] = Some(locator(&line));
            line.extend_from_slice(raw.line_end());
            edits.before.insert(number, vec![line]);
            edits.without.insert(number);
            Ok(true)
        })?;
        if !edits.without.is_empty() {
            held.replace(&format, &edits, walk.digest)?;
        }
        Ok(locators)
    }
}
