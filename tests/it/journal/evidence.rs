//! Leaked files go in and out of the evidence folder, sealed.

use crate::journal::records::new_keyring;
use std::{fs, io::Read};
use telltale::journal::{
    evidence::{Evidence, EvidenceError},
    key_ref::KeyRef,
};

#[test]
fn files_of_every_length_go_round_and_no_altered_one_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let evidence = Evidence::new(folder.path(), keyring.clone());
    const PIECE: usize = 64 << 10;
    for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
        let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let taken = evidence.take(content.as_slice()).unwrap();
        assert_eq!(taken.bytes, length as u64);
        let mut back = Vec::new();
        assert_eq!(evidence.give(&taken.file, &mut back).unwrap(), length as u64);
        assert!(back == content);
        let path = folder.path().join("evidence").join(&taken.file);
        let sealed = fs::read(&path).unwrap();
        let cuts = [sealed.len() - 1, sealed.len() / 2, 8 + 25 + PIECE + 16, 8, 0];
        for cut in cuts.into_iter().filter(|cut| *cut < sealed.len()) {
            fs::write(&path, &sealed[..cut]).unwrap();
            assert!(evidence.give(&taken.file, std::io::sink()).is_err(), "{length} cut to {cut}");
        }
        for at in [0, 8, 9, 40, sealed.len() - 1].into_iter().filter(|at| *at < sealed.len()) {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            fs::write(&path, altered).unwrap();
            assert!(evidence.give(&taken.file, std::io::sink()).is_err(), "{length} altered at {at}");
        }
        fs::write(&path, [&sealed[..], b"x"].concat()).unwrap();
        assert!(evidence.give(&taken.file, std::io::sink()).is_err(), "{length} with more behind");
    }
}

#[test]
fn an_erased_file_is_gone_and_a_broken_source_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let evidence = Evidence::new(folder.path(), keyring.clone());
    let taken = evidence.take(&b"leaked rows"[..]).unwrap();
    let sealed = fs::read(folder.path().join("evidence").join(&taken.file)).unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"leaked"));
    let name = data_encoding::HEXLOWER.decode(taken.file.as_bytes()).unwrap().try_into().unwrap();
    keyring.erase(KeyRef::File(name)).unwrap();
    assert!(matches!(evidence.give(&taken.file, std::io::sink()), Err(EvidenceError::Erased(_))));
    assert!(matches!(evidence.give("../keyring", std::io::sink()), Err(EvidenceError::Erased(_))));

    // What is left of it, the folder, and the file that is being written when it breaks.
    struct Broken<'a>(usize, &'a std::path::Path, &'a mut String);
    impl Read for Broken<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                let mut names = fs::read_dir(self.1)?.map(|entry| entry.unwrap().file_name().into_string().unwrap());
                *self.2 = names.find_map(|name| name.strip_suffix(".part").map(str::to_owned)).unwrap();
                return Err(std::io::Error::other("the upload broke off"));
            }
            let length = buffer.len().min(self.0);
            self.0 -= length;
            Ok(length)
        }
    }
    let mut name = String::new();
    let failed = evidence.take(Broken(200_000, &folder.path().join("evidence"), &mut name)).expect_err("it broke off");
    assert!(matches!(failed, EvidenceError::Source(_)), "it is not the disk that failed: {failed}");
    let name = data_encoding::HEXLOWER.decode(name.as_bytes()).unwrap().try_into().unwrap();
    assert!(keyring.is_erased(KeyRef::File(name)), "no key is left of it");
    assert_eq!(fs::read_dir(folder.path().join("evidence")).unwrap().count(), 1, "only the first file is there");
}
