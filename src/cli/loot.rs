//! What the paths of a `scan` or `trace` name: the files to be read, and what is left out, with its reason. Nothing is
//! passed over in silence: neither a link in a folder, nor a folder or file that cannot be read.

use crate::domain::{reason::reason, verdict::NotScanned};
use anyhow::{anyhow, bail};
use futures_util::StreamExt;
use reqwest::Body;
use std::{
    fs::FileType,
    io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::ReaderStream;

/// Bytes that are read of a file at once.
const CHUNK: usize = 256 << 10;

/// What paths hold.
#[derive(Debug, Default)]
pub struct Loot {
    pub files: Vec<PathBuf>,
    pub left: Vec<NotScanned>,
}

impl Loot {
    /// The regular files that these paths name, folders walked in order; links are not followed out of them.
    ///
    /// # Errors
    /// A path that names nothing, and paths that hold nothing at all.
    pub fn of(paths: &[PathBuf]) -> anyhow::Result<Loot> {
        let mut loot = Loot::default();
        for path in paths {
            if path == Path::new("-") {
                loot.files.push(path.clone());
                continue;
            }
            let metadata = std::fs::metadata(path)
                .map_err(|error| anyhow!("cannot read {}: {}", path.display(), reason(&error)))?;
            if metadata.is_dir() { loot.walk(path) } else { loot.files.push(path.clone()) }
        }
        if loot.files.is_empty() && loot.left.is_empty() {
            let listed = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
            bail!("there is no file in {listed}: name files, or folders that hold some");
        }
        Ok(loot)
    }

    fn walk(&mut self, folder: &Path) {
        let mut inner = Vec::new();
        match std::fs::read_dir(folder) {
            Ok(entries) => entries.for_each(|entry| match entry {
                Ok(entry) => inner.push(entry),
                Err(error) => self.left.push(left(folder, reason(&error))),
            }),
            Err(error) => self.left.push(left(folder, reason(&error))),
        }
        inner.sort_by_key(std::fs::DirEntry::file_name);
        for entry in inner {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.walk(&entry.path()),
                Ok(kind) if kind.is_file() => self.files.push(entry.path()),
                Ok(kind) => self.left.push(left(&entry.path(), what(kind).to_owned())),
                Err(error) => self.left.push(left(&entry.path(), reason(&error))),
            }
        }
    }
}

/// Why what is no regular file is not read.
fn what(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        "a link, which is not followed: name it by itself to have it read"
    } else if kind.is_fifo() {
        "a pipe, which is no file"
    } else if kind.is_socket() {
        "a socket, which is no file"
    } else {
        "a device, which is no file"
    }
}

/// This file or folder, left out for this reason.
pub fn left(path: &Path, reason: String) -> NotScanned {
    NotScanned { path: path.display().to_string(), member: None, reason }
}

/// A file on its way to the service. Where reading it fails it ends, and what came before is scanned.
pub struct Sent {
    pub body: Body,
    failed: Arc<OnceLock<String>>,
}

impl Sent {
    /// The whole of a file, `-` for standard input.
    ///
    /// # Errors
    /// The system's own, where it cannot be opened.
    pub async fn of_file(file: &Path) -> io::Result<Sent> {
        if file == Path::new("-") {
            return Ok(Sent::of(tokio::io::stdin()));
        }
        Ok(Sent::of(tokio::fs::File::open(file).await?))
    }

    /// So many bytes of a source that has been brought to its place.
    pub fn of_part(source: impl AsyncRead + Send + Unpin + 'static, length: u64) -> Sent {
        Sent::of(source.take(length))
    }

    fn of(source: impl AsyncRead + Send + 'static) -> Sent {
        let failed = Arc::new(OnceLock::new());
        let tell = failed.clone();
        let chunks = ReaderStream::with_capacity(source, CHUNK).map(move |chunk| {
            chunk.map_err(|error| {
                let _ = tell.set(reason(&error));
            })
        });
        let whole = chunks.take_while(|chunk| std::future::ready(chunk.is_ok()));
        let body = Body::wrap_stream(whole.map(|chunk| chunk.map_err(|()| io::Error::other("it ended before this"))));
        Sent { body, failed }
    }

    /// The body, and where to ask afterwards why it ended early, if it did.
    pub fn parts(self) -> (Body, impl FnOnce() -> Option<String>) {
        let failed = self.failed;
        (self.body, move || failed.get().map(|why| format!("reading stopped half way: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::symlink, net::UnixListener};

    #[test]
    fn what_is_no_file_is_left_with_its_reason() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let within = |name: &str| folder.path().join(name);
        std::fs::create_dir(within("a")).expect("it is ours");
        std::fs::write(within("a/menu.txt"), "x").expect("it is ours");
        symlink("/etc", within("b")).expect("it is ours");
        let _socket = UnixListener::bind(within("c")).expect("it is ours");
        rustix::fs::mknodat(rustix::fs::CWD, within("d"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .expect("it is ours");
        let loot = Loot::of(&[folder.path().to_owned()]).expect("it is there");
        assert_eq!(loot.files, [within("a/menu.txt")]);
        let reasons: Vec<&str> = loot.left.iter().filter_map(|left| left.reason.split(',').next()).collect();
        assert_eq!(reasons, ["a link", "a socket", "a pipe"]);
        assert!(Loot::of(&[within("nowhere")]).is_err());
    }

    #[tokio::test]
    async fn a_file_that_fails_half_way_ends_there() {
        // The first page of a process's memory is never mapped: opening works, reading does not.
        let (body, failed) = Sent::of_file(Path::new("/proc/self/mem")).await.expect("it can be opened").parts();
        assert!(body.as_bytes().is_none());
        let sent = http_body_util::BodyExt::collect(body).await.expect("the body itself is whole");
        assert_eq!(sent.to_bytes().len(), 0);
        assert!(failed().expect("it failed").starts_with("reading stopped half way"));
    }
}
