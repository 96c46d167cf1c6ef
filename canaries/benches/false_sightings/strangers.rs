//! Scans a dump of strangers, and gathers what is said of them. The dump's people and the ghosts share neither a mail
//! domain nor a range of numbers.

use super::dump;
use canaries::{
    House, Minter,
    index::{Image, ImageBuilder, ImageKey, Owner, scan_fast},
    locale,
    marker::MarkerKind,
};
use std::{fs::File, io::Read, path::Path};

/// What was said.
pub struct Answers {
    /// Kind and place of each sighting that counts by itself, and where the ghost's value does not stand.
    pub strong: Vec<(MarkerKind, u64)>,
    /// Strangers who bear a ghost's very value, letter for letter: the text does hold it.
    pub namesakes: u64,
    pub weak: u64,
}

/// Scans so many bytes of strangers, written to this file, by an index of so many ghosts.
pub fn answers(path: &Path, length: u64, ghosts: u32) -> Answers {
    let house = House {
        organisation: "Mairie de Saint-Aubin".to_owned(),
        alias_domains: vec!["rh.saint-aubin.example".to_owned()],
        phone_numbers: Vec::new(),
        ibans: Vec::new(),
    };
    let minter = Minter::new(&[7; 32], locale("fr_FR").expect("it is there"), house);
    let key = ImageKey::new([3; 32]);
    let mut builder = ImageBuilder::new(key.clone(), [4; 16], 1);
    (0..ghosts).for_each(|number| builder.add(Owner::Ghost(number), &minter.ghost(number)));
    let mut bytes = Vec::new();
    builder.write(&mut bytes).expect("a vector takes all");
    let image = Image::open(bytes, &key).expect("it was just made");

    dump::write(path, length, &[]);
    let mut file = File::open(path).expect("it was just written");
    let (mut answers, mut text, mut at) = (Answers { strong: Vec::new(), namesakes: 0, weak: 0 }, Vec::new(), 0);
    loop {
        text.clear();
        if (&mut file).take(4 << 20).read_to_end(&mut text).expect("a file of ours") == 0 {
            return answers;
        }
        scan_fast(&text, &image, &mut |found| {
            let stands = |value: &str| {
                let there = text.get(found.offset as usize..found.offset as usize + value.len());
                there.is_some_and(|there| there.eq_ignore_ascii_case(value.as_bytes()))
            };
            match found.owner {
                _ if !found.strong => answers.weak += 1,
                Owner::Ghost(number) if stands(&minter.ghost(number).value) => answers.namesakes += 1,
                _ => answers.strong.push((found.kind, at + found.offset)),
            }
        });
        at += text.len() as u64;
    }
}
