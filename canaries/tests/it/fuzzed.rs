//! What the fuzz targets do to the index and its scanners, on random input.

use proptest::prelude::*;

// One place for what is fuzzed here and by the fuzz targets.
#[path = "../../../fuzz/bodies/index.rs"]
mod bodies;

proptest! {
    #[test]
    fn no_damaged_index_is_taken_for_whole(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        bodies::index_open(&bytes);
    }

    #[test]
    fn both_scanners_show_the_same(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        bodies::scanners(&bytes);
    }

    #[test]
    fn both_scanners_show_the_same_of_escapes(text in "([%&=\\\\@'\":,;.+-]|%4|&#|=\r\n|\\\\u00|FR14|0033|[a-f0-9]|é| |\n|[\\x00-\\x0a]){0,300}") {
        bodies::scanners(text.as_bytes());
    }
}
