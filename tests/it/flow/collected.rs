//! A collected file whose source fails is at fault itself: nothing of it is kept, and others are read.

use crate::{flow::house::House, support::inbox::Inbox};
use std::io::{self, Read};
use telltale::{
    flow::collected,
    sensors::sensor::{Material, NotTaken},
};

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(5))
    }
}

fn material(source: impl Read + Send + 'static) -> Material {
    Material {
        sensor: "analysts".to_owned(),
        reporter: "folder:x".to_owned(),
        name: "dump.csv".to_owned(),
        source: Box::new(source),
        position: serde_json::json!({}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_breaks_is_unreadable_and_the_journals_failure_is_not_durable() {
    let inbox = Inbox::start().await;
    let house = House::found(&inbox.address, "").await;
    let context = &house.context;
    let rows = b"login;mail\nx;x@example.org\n".repeat(9_000);
    for broken in [&rows[..], b""] {
        let source = io::Cursor::new(broken.to_vec()).chain(Broken);
        assert_eq!(collected::take_in(context, material(source)).await, Err(NotTaken::Unreadable));
    }
    let kept = || std::fs::read_dir(context.journal.data().join("evidence")).unwrap().count();
    assert_eq!(kept(), 0);
    assert_eq!(collected::take_in(context, material(io::Cursor::new(rows.clone()))).await, Ok(()));
    // A disk that takes nothing is not the file's fault.
    std::fs::remove_dir(context.journal.data().join("evidence")).unwrap();
    std::fs::write(context.journal.data().join("evidence"), b"in the way").unwrap();
    assert_eq!(collected::take_in(context, material(io::Cursor::new(rows))).await, Err(NotTaken::NotDurable));
}
