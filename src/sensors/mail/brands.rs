//! Whom a mail poses as: a name that its sender shows, or a host that it leads to, of somebody whose domains neither sender nor
//! host is of. The names are data (`brands.txt`), and the house's own come first.

use crate::sensors::mail::links::is_of;
use std::sync::LazyLock;

/// One whose name is borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    pub name: String,
    /// In plain letters, words apart by single spaces.
    words: Vec<String>,
    domains: Vec<String>,
}

static BRANDS: LazyLock<Vec<Brand>> = LazyLock::new(|| read(include_str!("brands.txt")));

/// Shorter hosts' labels are part of too much.
const PART: usize = 5;

impl Brand {
    /// The house itself, by its name and its domains; none where it has no name that anybody could pose as.
    pub fn house(name: &str, domains: &[String]) -> Option<Brand> {
        let words = plain(name);
        let domains = domains.iter().map(|domain| domain.trim_end_matches('.').to_ascii_lowercase()).collect();
        (words.len() > 2).then(|| Brand { name: name.to_owned(), words: vec![words], domains })
    }

    /// Whether this host is really of it.
    fn owns(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| is_of(host, domain))
    }

    /// Whether its name stands in a text of plain letters, as whole words.
    fn stands_in(&self, text: &str) -> bool {
        let padded = format!(" {text} ");
        self.words.iter().any(|words| padded.contains(&format!(" {words} ")))
    }

    /// Whether its name is made to stand in a host: as a label's word, or within a label where it is long enough.
    fn stands_in_host(&self, host: &str) -> bool {
        self.words.iter().any(|words| {
            let (joined, dashed) = (words.replace(' ', ""), words.replace(' ', "-"));
            host.split('.').any(|label| {
                label == joined
                    || label.split('-').any(|word| word == joined)
                    || joined.len() >= PART && label.contains(&joined)
                    || dashed.len() >= PART && label.contains(&dashed)
            })
        })
    }
}

/// What shows whom a mail is from, and where it leads.
#[derive(Default)]
pub struct Shown<'a> {
    /// The sender's display name.
    pub name: &'a str,
    /// The domain in `From`, in lower case.
    pub domain: &'a str,
    /// Hosts of its links.
    pub hosts: &'a [String],
    /// Whether the domain in `From` does not vouch for it, where that was asked.
    pub forged: bool,
}

/// Whom it poses as, and by which sign.
pub fn impersonated(shown: &Shown<'_>, house: Option<&Brand>) -> Option<(String, &'static str)> {
    let name = plain(shown.name);
    for brand in house.into_iter().chain(BRANDS.iter()) {
        let own = brand.owns(shown.domain);
        let sign = if own && shown.forged {
            "brand_forged"
        } else if own {
            continue;
        } else if brand.stands_in(&name) {
            "brand_in_name"
        } else if brand.stands_in_host(shown.domain) {
            "brand_in_domain"
        } else if shown.hosts.iter().any(|host| !brand.owns(host) && brand.stands_in_host(host)) {
            "brand_in_link"
        } else {
            continue;
        };
        return Some((brand.name.clone(), sign));
    }
    None
}

/// In lower case, without accents; whatever is no letter or digit is one space.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars().take(300).flat_map(char::to_lowercase) {
        let letter = match character {
            'à' | 'á' | 'â' | 'ä' | 'ã' | 'å' | 'а' => 'a',
            'ç' | 'с' => 'c',
            'è' | 'é' | 'ê' | 'ë' | 'е' => 'e',
            'ì' | 'í' | 'î' | 'ï' | 'і' => 'i',
            'ò' | 'ó' | 'ô' | 'ö' | 'õ' | 'о' => 'o',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ñ' => 'n',
            'р' => 'p',
            'х' => 'x',
            'ÿ' | 'у' => 'y',
            // Accents that stand by themselves, and what is not seen.
            '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => {
                continue;
            }
            letter if letter.is_alphanumeric() => letter,
            _ => ' ',
        };
        if letter != ' ' || !plain.is_empty() && !plain.ends_with(' ') {
            plain.push(letter);
        }
    }
    plain.trim_end().to_owned()
}

fn read(table: &str) -> Vec<Brand> {
    let list = |text: &str| text.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .filter_map(|line| {
            let mut parts = line.split('|');
            let (name, words, domains) = (parts.next()?, parts.next()?, parts.next()?);
            let words = list(words).iter().map(|words| plain(words)).collect();
            Some(Brand { name: name.trim().to_owned(), words, domains: list(domains) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posed(name: &str, domain: &str, host: &str, forged: bool) -> Option<(String, &'static str)> {
        let house = Brand::house("Mairie de Saint-Aubin", &["mairie.example".to_owned()]);
        let hosts = [host.to_owned()];
        impersonated(&Shown { name, domain, hosts: &hosts, forged }, house.as_ref())
    }

    #[test]
    fn every_line_of_the_table_is_a_brand() {
        let lines =
            include_str!("brands.txt").lines().filter(|line| line.contains('|') && !line.starts_with('#')).count();
        assert_eq!(BRANDS.len(), lines);
        for brand in BRANDS.iter() {
            assert!(!brand.name.is_empty() && brand.words.iter().all(|words| words.len() > 1), "{brand:?}");
            assert!(brand.domains.iter().all(|domain| !domain.contains(' ') && !domain.is_empty()), "{brand:?}");
            assert!(!brand.stands_in("bonjour a tous"), "{brand:?}");
        }
    }

    #[test]
    fn a_borrowed_name_is_known_and_an_own_one_is_not_borrowed() {
        let is = |name: &str, sign| Some((name.to_owned(), sign));
        assert_eq!(posed("Amеli – Remboursement", "x.example", "", false), is("Assurance Maladie", "brand_in_name"));
        assert_eq!(posed("Ameli", "courrier.ameli.fr", "www.ameli.fr", false), None);
        assert_eq!(posed("Ameli", "ameli.fr", "", true), is("Assurance Maladie", "brand_forged"));
        assert_eq!(posed("", "impots-gouv.example.com", "", false), is("Impôts", "brand_in_domain"));
        assert_eq!(posed("", "a.example", "paypal.example.net", false), is("PayPal", "brand_in_link"));
        assert_eq!(posed("MAIRIE de St. Aubin", "a.example", "", false), None);
        assert_eq!(
            posed("RH | Mairie de Saint–Aubin", "a.example", "", false),
            is("Mairie de Saint-Aubin", "brand_in_name")
        );
        assert_eq!(posed("Mairie de Saint-Aubin", "rh.mairie.example", "", false), None);
        // A word within another is no name.
        assert_eq!(posed("Cafétéria Dhlöm", "sfrancoise.example", "scaffold.example", false), None);
    }
}
