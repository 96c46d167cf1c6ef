//! `telltale drill` without a configuration: what it says of the demonstration can be true.

use crate::support::service::Site;

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_is_told_in_numbers_that_agree() {
    let site = Site { folder: tempfile::tempdir().unwrap() };
    let told = site.run("drill --store documents").await;
    assert!(matches!(told.code, Some(0 | 3)), "{told:?}");
    let first = told.stdout.lines().next().unwrap();
    // Six months of eight canaries in each of three stores of rows, and of four among the documents.
    assert!(first.contains("168 canaries in 4 stores; documents holds "), "{first}");
    assert!(!told.stdout.contains("'s own once"), "{}", told.stdout);
}
