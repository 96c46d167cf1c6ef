//! Why a file could not be read or written, in words that say how to mend it.

use std::io;

/// What the system said, as people put it.
pub fn reason(error: &io::Error) -> String {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied, UnexpectedEof};
    let said = match error.kind() {
        NotFound => "there is no such file or folder: correct the path",
        PermissionDenied => "this user may not: give it the right, or run the command as the user whose file it is",
        IsADirectory => "it is a folder, and a file is expected",
        NotADirectory => "a part of its path is a file, and a folder is expected",
        UnexpectedEof => "it ends too early",
        _ => return error.to_string(),
    };
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_reasons_say_how_to_mend_them() {
        let said = |path: &str| reason(&std::fs::File::open(path).expect_err("no file"));
        assert!(said("/no/such/file").contains("correct the path"));
        assert!(said("/dev/null/x").contains("a folder is expected"));
        assert!(reason(&io::ErrorKind::PermissionDenied.into()).contains("give it the right"));
        assert_eq!(reason(&io::Error::other("the disk burns")), "the disk burns");
    }
}
