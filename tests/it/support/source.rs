//! Rust source, read just well enough to hold rules against it: no comments or strings, paths taken apart, line
//! numbers kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file of the tree.
pub struct Source {
    /// From the root, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// The text without comments, strings and characters, line for line.
    pub code: String,
}

impl Source {
    /// `src/stores/csv/walk.rs` is `stores`, `csv`, `walk`; a `mod.rs` is its folder.
    pub fn module(&self, under: &str) -> Option<Vec<&str>> {
        let inside = self.path.strip_prefix(under)?.strip_prefix('/')?.strip_suffix(".rs")?;
        Some(inside.split('/').filter(|part| *part != "mod").collect())
    }

    /// Whether this place is in the tests that stand beside the code.
    pub fn in_tests(&self, offset: usize) -> bool {
        self.code.match_indices("#[cfg(test)]\nmod ").any(|(start, _)| {
            let end = self.code[start..].find("\n}").map_or(self.code.len(), |length| start + length);
            (start..end).contains(&offset)
        })
    }

    /// What is wrong, and the file and line where.
    pub fn at(&self, offset: usize, rule: &str) -> String {
        format!("{}:{}: {rule}", self.path, self.code[..offset].matches('\n').count() + 1)
    }

    /// Every place where the word stands in the code, as a word of its own.
    pub fn words<'a>(&'a self, code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
            !code[..*at].ends_with(part_of_name) && !code[at + word.len()..].starts_with(part_of_name)
        })
    }

    /// Every path that starts with `root::`, groups of `use` taken apart, and where it stands.
    pub fn paths(&self, root: &str) -> Vec<(usize, Vec<String>)> {
        let mut found = Vec::new();
        for at in self.words(&self.code, root) {
            let after = at + root.len();
            if self.code[after..].starts_with("::") && !self.code[..at].ends_with("::") {
                let mut tails = Vec::new();
                branches(&self.code[after + 2..], Vec::new(), &mut tails);
                found.extend(tails.into_iter().map(|tail| (at, tail)));
            }
        }
        found
    }
}

/// Reads one tree of a `use`, and answers what follows it.
fn branches<'a>(text: &'a str, trunk: Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if rest.is_empty() || rest.starts_with('}') {
                return rest.strip_prefix('}').unwrap_or(rest);
            }
            let before = rest.len();
            rest = branches(rest, trunk.clone(), found);
            // A renamed import, or anything else between two commas.
            rest = rest.trim_start_matches(|c: char| c != ',' && c != '}');
            assert!(rest.len() < before, "a use that cannot be read: {text}");
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let mut path = trunk;
    path.push(text[..end].to_owned());
    match text[end..].strip_prefix("::").filter(|rest| !rest.starts_with('<')) {
        Some(rest) => branches(rest, path, found),
        None => {
            found.push(path);
            &text[end..]
        }
    }
}

/// Blanks out comments, strings and characters; line ends stay.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let named = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let hashes = rest.strip_prefix('r').map_or(0, |raw| raw.len() - raw.trim_start_matches('#').len());
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if (!named || code.ends_with('b')) && c == 'r' && rest[1 + hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            rest[2 + hashes..].find(&close).map_or(rest.len(), |end| 2 + hashes + end + close.len())
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && (rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'')) {
            quoted(rest, '\'')
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    code
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the workspace.
pub fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["src", "canaries", "gate", "webhooks", "tests", "benches"] {
        collect(&root().join(folder), &mut files);
    }
    files.sort();
    assert!(files.len() > 10, "the source was not found");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a readable source file");
        let inside = file.strip_prefix(root()).expect("a file under the root");
        Source { path: inside.to_string_lossy().replace('\\', "/"), code: code_of(&text), text }
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The rules stand on this reader: it is held to account itself.
mod reading {
    use super::{Source, code_of};

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned(), code: code_of(text) }
    }

    #[test]
    fn comments_strings_and_characters_are_no_code() {
        let text = "a // unsafe\nb \"unsafe \\\" unsafe\" c 'x' '\\'' d::<'static> /* unsafe */ r#\"un\"safe\"# br\"unsafe\" e";
        let code = code_of(text);
        assert_eq!(code.len(), text.len());
        assert!(!code.contains("unsafe") && code.contains("d::<'static>") && code.ends_with(" e"), "{code}");
        assert_eq!(source("x.rs", text).at(code.find('d').unwrap(), "rule"), "x.rs:2: rule");
    }

    #[test]
    fn groups_of_use_are_taken_apart() {
        let source = source(
            "src/flow/observe.rs",
            "use crate::{domain::{alert::Alert, *}, ledger as l,\n sinks};\nfn f() { crate::cli::verdict::render::<u8>(); \
             $crate::x!(); other_crate::y(); self::crate::z() }",
        );
        let paths: Vec<String> = source.paths("crate").into_iter().map(|(_, path)| path.join("::")).collect();
        assert_eq!(paths, vec!["domain::alert::Alert", "domain::", "ledger", "sinks", "cli::verdict::render", "x"]);
        assert_eq!(source.module("src").unwrap(), vec!["flow", "observe"]);
    }
}
