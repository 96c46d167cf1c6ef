//! Takes out of a text what names the mail's recipients, for texts that go where no marker may: names of hosts and of files,
//! which senders like to make out of the address that they write to.

/// No address is longer (RFC 5321, section 4.5.3.1), and what is looked for stops there.
const ADDRESS: usize = 320;
/// So many pieces are looked for. Recipients with more are made to have them: then nothing is shown.
const PIECES: usize = 2000;
/// A longer text is no name of a host or a file: nothing of it is shown.
const LONGEST: usize = 1024;
/// Shorter pieces of an address name nobody, and stand in everything.
const SHORTEST: usize = 3;
/// What stands for it.
const HIDDEN: &str = "…";

/// What is not to be shown, in lower case, the longest first.
pub struct Private(Vec<String>);

impl Private {
    /// The addresses, their local parts, and the pieces of those.
    pub fn of<'a>(addresses: impl Iterator<Item = &'a String>) -> Private {
        let mut pieces: Vec<String> = Vec::new();
        for address in addresses {
            if pieces.len() > PIECES {
                break;
            }
            let address = address[..address.floor_char_boundary(ADDRESS)].to_ascii_lowercase();
            let local = address.rsplit_once('@').map_or(address.as_str(), |(local, _)| local);
            let parts = local.split(|character: char| !character.is_alphanumeric());
            pieces.extend(parts.chain([local, &address]).filter(|piece| piece.len() >= SHORTEST).map(str::to_owned));
        }
        pieces.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        // Where the end was reached it is to be seen that it was.
        if pieces.len() <= PIECES {
            pieces.dedup();
        }
        Private(pieces)
    }

    /// The text without them, whatever its case.
    pub fn hide(&self, text: &str) -> String {
        if text.len() > LONGEST || self.0.len() > PIECES {
            return HIDDEN.to_owned();
        }
        let mut shown = text.to_owned();
        // Only ASCII letters change with the case here, so that places stay where they are.
        let mut lower = shown.to_ascii_lowercase();
        for piece in &self.0 {
            if !lower.contains(piece) {
                continue;
            }
            let mut rest = 0;
            let mut hidden = String::with_capacity(shown.len());
            for (at, found) in lower.match_indices(piece) {
                hidden.push_str(&shown[rest..at]);
                hidden.push_str(HIDDEN);
                rest = at + found.len();
            }
            hidden.push_str(&shown[rest..]);
            shown = hidden;
            lower = shown.to_ascii_lowercase();
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_of_the_recipient_is_shown() {
        let private = Private::of(["Camille.Le-Roux@courriel.example.org".to_owned()].iter());
        assert_eq!(private.hide("Facture_CAMILLE_roux.pdf"), "Facture_…_….pdf");
        assert_eq!(private.hide("camille.le-roux@courriel.example.org.html"), "….html");
        assert_eq!(private.hide("le plan.pdf"), "le plan.pdf");
    }

    #[test]
    fn a_hostile_mail_makes_little_work_and_shows_nothing_by_it() {
        let private = Private::of(["camille@courriel.example.org".to_owned()].iter());
        assert_eq!(private.hide(&"camille-".repeat(200)), HIDDEN);
        let long = format!("{}camille@courriel.example.org", "abc.".repeat(100_000));
        assert!(Private::of([long].iter()).0.iter().all(|piece| piece.len() <= ADDRESS));
        let many: Vec<String> = (100..200)
            .map(|one| format!("{}@x.example", (100..140).map(|n| format!("{one}{n}.")).collect::<String>()))
            .collect();
        let private = Private::of(many.iter());
        assert!(private.0.len() <= PIECES + ADDRESS, "{}", private.0.len());
        assert_eq!(private.hide("plan.pdf"), HIDDEN, "who it is for is not known any more");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_nothing_is_left(text in "\\PC{0,40}", local in "[a-zé.]{3,12}") {
            let private = Private::of([format!("{local}@example.org")].iter());
            let shown = private.hide(&format!("{text}{local}{text}"));
            prop_assert!(!shown.to_ascii_lowercase().contains(&local) || local.len() < SHORTEST);
        }
    }
}
