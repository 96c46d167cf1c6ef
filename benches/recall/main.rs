//! Writes the table of recall into the README: `cargo bench --bench recall`. A test fails where it is not what it would
//! write, and where anything is missed.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a bench prints, and stops where it cannot go on")]

mod table;

use telltale::dumps::{Limits, apart};

fn main() {
    apart::read_with(env!("CARGO_BIN_EXE_telltale").into());
    let (forms, containers) = (table::of_forms(), table::of_containers(&Limits::default()));
    let block = table::block(&forms, &containers);
    let path = table::readme();
    let readme = std::fs::read_to_string(&path).expect("the README is there");
    std::fs::write(&path, table::placed(&readme, &block)).expect("it can be written");
    println!("{block}");
}
