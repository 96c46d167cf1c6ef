//! An erasure whose last step failed is brought to its end by the next, though its key is given out no more.

use crate::{flow::house::House, support::inbox::Inbox};
use std::{fs, path::Path};
use telltale::{
    flow::{erase::erase, error::FlowError, progress::Progress, withdraw::withdraw},
    journal::{evidence::Evidence, key_ref::KeyRef, keyring::KeyringError},
};

/// The new keyring cannot take the old one's place: a folder that is not empty stands there.
fn blocked(data: &Path) {
    fs::rename(data.join("keyring"), data.join("aside")).unwrap();
    fs::create_dir_all(data.join("keyring/in the way")).unwrap();
}

fn cleared(data: &Path) {
    fs::remove_dir_all(data.join("keyring")).unwrap();
    fs::rename(data.join("aside"), data.join("keyring")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_failed_half_way_is_brought_to_its_end_by_the_next() {
    let inbox = Inbox::start().await;
    let house = House::found(&inbox.address, "").await;
    let context = &house.context;
    withdraw(context, &[], None, &Progress::default()).await.unwrap();
    let data = context.journal.data().to_owned();
    let canary = context.ledger.placements(None).unwrap()[0].placement.canary;
    let taken = Evidence::new(&data, context.keyring.clone()).take(b"leaked".as_slice()).unwrap();
    let held = data.join("evidence").join(&taken.file);
    for of in [canary.to_string(), taken.file.clone()] {
        blocked(&data);
        let failed = erase(context, &of, "somebody".to_owned()).await.expect_err("the keyring cannot be put in place");
        assert!(matches!(failed, FlowError::Internal(_)), "{failed}");
        cleared(&data);
        assert!(held.exists(), "a file goes after its key");
        let erased = erase(context, &of, "somebody".to_owned()).await.unwrap_or_else(|error| panic!("{of}: {error}"));
        assert!(erased.entries > 0 || of == taken.file, "{erased:?}");
        let again = erase(context, &of, "somebody".to_owned()).await.expect_err("there is nothing left to erase");
        assert!(matches!(again, FlowError::Unknown(_)), "{again}");
    }
    assert!(!held.exists());
    let key = KeyRef::Canary(canary);
    assert!(!context.keyring.is_half_erased(key));
    assert!(matches!(context.keyring.ensure(&[key]), Err(KeyringError::Erased(_))), "erased is erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_outlived_its_key_is_erased_all_the_same() {
    let inbox = Inbox::start().await;
    let house = House::found(&inbox.address, "").await;
    let context = &house.context;
    let data = context.journal.data().to_owned();
    let taken = Evidence::new(&data, context.keyring.clone()).take(b"leaked".as_slice()).unwrap();
    let name = data_encoding::HEXLOWER.decode(taken.file.as_bytes()).unwrap().try_into().unwrap();
    // As a process leaves it that ended between the two.
    context.keyring.erase(KeyRef::File(name)).unwrap();
    erase(context, &taken.file, "somebody".to_owned()).await.unwrap();
    assert!(!data.join("evidence").join(&taken.file).exists());
}
