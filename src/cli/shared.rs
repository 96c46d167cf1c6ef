//! What a scan is told that several processes share: which parts there are, or of what its input is a stretch.

/// A scan that several processes share.
#[derive(Debug, clap::Args)]
pub struct Shared {
    /// Scan nothing: print the parts of the files, a line each, about so many bytes long (64M)
    #[arg(long, value_name = "BYTES", value_parser = bytes, conflicts_with_all = ["parts", "offset_base", "only", "name"])]
    pub split: Option<u64>,
    /// Scan the parts that standard input names, one a line, as `--split` printed them
    #[arg(long, conflicts_with_all = ["paths", "offset_base", "only", "name"])]
    pub parts: bool,
    /// Standard input is a stretch of a plain text that begins at this byte of it
    #[arg(long, value_name = "N")]
    pub offset_base: Option<u64>,
    /// Of standard input, print only what begins in these bytes of the original; read 4096 more on either side
    #[arg(long, value_name = "FROM-TO", value_parser = range)]
    pub only: Option<(u64, u64)>,
    /// The name that findings in standard input bear
    #[arg(long)]
    pub name: Option<String>,
}

/// A number of bytes, perhaps in K, M or G.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, scale) = match text.to_ascii_uppercase().as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number: Option<u64> = digits.parse().ok().and_then(|number: u64| number.checked_mul(scale));
    number.filter(|number| *number > 0).ok_or_else(|| "a number of bytes, such as 64M, is expected".to_owned())
}

/// Two numbers with a hyphen between them.
fn range(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once('-').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    parts.filter(|(from, to)| from <= to).ok_or_else(|| "two offsets such as 0-4096 are expected".to_owned())
}
