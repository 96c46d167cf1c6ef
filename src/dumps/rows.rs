//! Counts the data rows of a table that is written as text.

use crate::dumps::tables::Tables;

/// Counts over the pieces of one text.
#[derive(Default)]
pub(super) struct RowCounter(Tables);

impl RowCounter {
    pub fn see(&mut self, text: &[u8]) {
        self.0.see(text, &mut |_| ());
    }

    /// None: it was no table.
    pub fn finish(self) -> Option<u64> {
        self.0.finish(&mut |_| ())
    }
}
