//! The index as one file: for scanners on other machines, and in memory, for material that is scanned here. Its key
//! follows from the root secret and from the file's salt, so that no two files share one.

use crate::{flow::context::Context, journal::keyring::Keyring};
use canaries::index::{self, Counts, Found, Image, ImageBuilder, ImageKey, Owner};
use data_encoding::HEXLOWER;
use std::{
    io::{self, Write},
    sync::{Arc, PoisonError},
};

/// From so many bytes of one file on, it is worth while to build the index that the fast scanner reads.
const WORTH_BUILDING: u64 = 4 << 20;

/// The index that the fast scanner reads, as of so many changes of the one in memory; none where it cannot be built.
pub type Built = Option<(u64, Option<Arc<Image<Vec<u8>>>>)>;

/// The key of the index file with this salt.
pub fn key(keyring: &Keyring, salt: &[u8; 16]) -> ImageKey {
    ImageKey::new(derived(keyring, salt))
}

/// The same key as it stands in a key file.
pub fn key_text(keyring: &Keyring, salt: &[u8; 16]) -> String {
    HEXLOWER.encode(&derived(keyring, salt))
}

fn derived(keyring: &Keyring, salt: &[u8; 16]) -> [u8; 32] {
    keyring.derive(&format!("index {}", HEXLOWER.encode(salt)))
}

/// Writes an index file of every canary and ghost. Answers what is in it, and how many canaries are not, because
/// their keys were erased.
///
/// # Errors
/// Those of the ledger, the journal and the writer.
pub fn build(context: &Context, salt: [u8; 16], to: &mut dyn Write) -> anyhow::Result<(Counts, u64)> {
    context.settle()?;
    let key = key(&context.keyring, &salt);
    let mut builder = ImageBuilder::new(key, salt, context.keyring.mint_version());
    let mut erased = 0;
    for row in context.ledger.placements(None)? {
        let canary = row.placement.seen_as();
        match context.ledger.contents(&context.journal, row.placement.canary)? {
            Some(contents) => {
                contents.markers.iter().for_each(|marker| builder.add(Owner::Canary(canary), marker));
            }
            None => erased += 1,
        }
    }
    // Ghosts go last, as in the index in memory: one whose value a canary bears gives way.
    for number in 0..context.ghosts {
        builder.add(Owner::Ghost(number), &context.minter.ghost(number));
    }
    Ok((builder.write(to)?, erased))
}

/// Scans the pieces of one file: the first of them by the plain scanner, and a long file by the fast one. Both find
/// the same.
pub struct Scanner<'a> {
    context: &'a Context,
    seen: u64,
    image: Option<Arc<Image<Vec<u8>>>>,
    asked: bool,
}

impl<'a> Scanner<'a> {
    /// A scanner of one file.
    pub fn new(context: &'a Context) -> Self {
        Scanner { context, seen: 0, image: None, asked: false }
    }

    /// Shows every marker in this text.
    pub fn scan(&mut self, text: &[u8], visit: &mut dyn FnMut(Found)) {
        self.seen += text.len() as u64;
        if !self.asked {
            self.image = image(self.context, self.seen >= WORTH_BUILDING);
            self.asked = self.image.is_some() || self.seen >= WORTH_BUILDING;
        }
        match &self.image {
            Some(image) => index::scan_fast(text, image, visit),
            None => {
                let index = self.context.index.read().expect("no thread panics while it holds the index");
                index::scan(text, &index, visit);
            }
        }
    }

    /// Whether everything that was read of the index was as it was built.
    ///
    /// # Errors
    /// Where memory went bad.
    pub fn sound(&self) -> io::Result<()> {
        self.image.as_ref().map_or(Ok(()), |image| image.sound()).map_err(io::Error::other)
    }
}

/// The index that the fast scanner reads, if there is one that is still true, or if it is to be built.
fn image(context: &Context, building: bool) -> Option<Arc<Image<Vec<u8>>>> {
    let mut built = context.image.lock().unwrap_or_else(PoisonError::into_inner);
    let changes = context.index.read().expect("no thread panics while it holds the index").changes();
    if let Some((_, image)) = built.as_ref().filter(|(at, _)| *at == changes) {
        return image.clone();
    }
    if !building {
        return None;
    }
    let salt: [u8; 16] = rand::random();
    let mut bytes = Vec::new();
    let image = match build(context, salt, &mut bytes) {
        Ok((_, 0)) => Image::open(bytes, &key(&context.keyring, &salt)).map_err(anyhow::Error::from),
        Ok((_, erased)) => Err(anyhow::anyhow!("the keys of {erased} canaries were erased")),
        Err(error) => Err(error),
    };
    if let Err(error) = &image {
        tracing::info!("material is scanned by the plain scanner: {error:#}");
    }
    let image = image.ok().map(Arc::new);
    *built = Some((changes, image.clone()));
    image
}
