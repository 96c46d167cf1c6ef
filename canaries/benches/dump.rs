//! A mixed dump as thieves pass them on: SQL inserts 29 %, CSV 21 %, JSON lines 18 %, combo lists 28 %, text of payslips
//! 4 %. Everybody in it is invented; two hundred of given markers, if any are given, are planted in it plain, in capitals,
//! spaced and hashed.

use canaries::{
    index::Digest,
    marker::{Marker, MarkerKind},
};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

/// Every so many records a given marker stands instead of an invented value.
const PLANTED: u64 = 200;

const GIVEN: &[&str] = &[
    "Marie",
    "Jean",
    "Camille",
    "Léa",
    "Hugo",
    "Chloé",
    "Nathalie",
    "Philippe",
    "Sébastien",
    "Inès",
    "Théo",
    "Manon",
    "Luc",
    "Anne",
    "Zoé",
    "Paul",
    "Julie",
    "Karim",
    "Fatou",
    "Yann",
    "Élodie",
    "Bruno",
    "Sophie",
    "Olivier",
    "Hélène",
    "Rémi",
];
const FAMILY: &[&str] = &[
    "Martin",
    "Bernard",
    "Thomas",
    "Petit",
    "Robert",
    "Richard",
    "Durand",
    "Dubois",
    "Moreau",
    "Laurent",
    "Simon",
    "Michel",
    "Lefèvre",
    "Leroy",
    "Roux",
    "David",
    "Bertrand",
    "Morel",
    "Fournier",
    "Girard",
    "Bonnet",
    "Dupont",
    "Lambert",
    "Fontaine",
    "Rousseau",
    "Vincent",
    "Müller",
    "Faure",
    "Andre",
    "Mercier",
    "Blanc",
    "Guérin",
    "Boyer",
    "Garnier",
    "Chevalier",
    "Perrot",
];
const STREETS: &[&str] =
    &["rue de la Paix", "avenue Victor Hugo", "impasse des Lilas", "chemin du Moulin", "place du Marché"];
const TOWNS: &[&str] = &["Lyon", "Saint-Étienne", "Nantes", "Le Mans", "Bordeaux", "Aix-en-Provence", "Brest", "Dijon"];
const DOMAINS: &[&str] = &["mail.example", "poste.example", "courriel.example.org", "free.example", "corp.example.net"];
const WORDS: &[&str] =
    &["soleil", "azerty", "Doudou", "marseille", "Football", "chocolat", "Loulou", "motdepasse", "princesse"];

/// A generator of numbers: xorshift, always the same.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

struct Person {
    given: &'static str,
    family: &'static str,
    address: String,
    login: String,
    password: String,
    phone: String,
    nir: String,
    iban: String,
    number: u64,
    born: String,
    street: String,
    town: &'static str,
    postcode: u64,
    salary: u64,
}

fn person(dice: &mut Dice) -> Person {
    let (given, family) = (dice.pick(GIVEN), dice.pick(FAMILY));
    let plain = |name: &str| name.to_lowercase().replace(['é', 'è', 'ê'], "e").replace('ü', "u").replace(' ', "-");
    let local = match dice.below(3) {
        0 => format!("{}.{}", plain(given), plain(family)),
        1 => format!("{}{}{}", &plain(given)[..1], plain(family), dice.below(1000)),
        _ => format!("{}.{}{}", plain(given), plain(family), dice.below(100)),
    };
    let password = match dice.below(4) {
        0 => format!("{}{}", dice.pick(WORDS), dice.below(10_000)),
        1 => format!("{}!{}", dice.pick(WORDS), dice.below(100)),
        _ => (0..8 + dice.below(6))
            .map(|_| char::from(b"abcdefghjkmnpqrstuvwxyzABCDEFGH23456789"[dice.below(39) as usize]))
            .collect(),
    };
    let year = 60 + dice.below(40);
    Person {
        given,
        family,
        address: format!("{local}@{}", dice.pick(DOMAINS)),
        login: format!("{}{}{}", &plain(given)[..1], plain(family), dice.below(100)),
        password,
        phone: format!("0{}{:08}", 6 + dice.below(2), dice.below(100_000_000)),
        nir: format!(
            "{}{year:02}{:02}{:02}{:03}{:03}",
            1 + dice.below(2),
            1 + dice.below(12),
            1 + dice.below(95),
            dice.below(990),
            // Births are numbered commune by commune and month by month: higher numbers are nobody's.
            1 + dice.below(179)
        ),
        iban: format!(
            "FR76{:05}{:05}{:011}{:02}",
            dice.below(99_999),
            dice.below(99_999),
            dice.below(99_999_999_999),
            dice.below(97)
        ),
        number: 1_000_000 + dice.below(9_000_000),
        born: format!("19{year:02}-{:02}-{:02}", 1 + dice.below(12), 1 + dice.below(28)),
        street: format!("{} {}", 1 + dice.below(300), dice.pick(STREETS)),
        town: dice.pick(TOWNS),
        postcode: 1_000 + dice.below(94_000),
        salary: 1_700 + dice.below(4_000),
    }
}

/// The marker in one of the forms that are planted, and in what field it stands.
fn plant(person: &mut Person, marker: &Marker, form: u64) {
    let hashed = form == 3;
    let hex = |value: &str| data_encoding::HEXLOWER.encode(&Digest::Sha256.of(value));
    let spaced =
        |value: &str, by: usize| value.as_bytes().chunks(by).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    let value = &marker.value;
    match marker.kind {
        MarkerKind::WorkEmail | MarkerKind::PersonalEmail if hashed => person.password = hex(value),
        MarkerKind::WorkEmail | MarkerKind::PersonalEmail if form == 1 => person.address = value.to_uppercase(),
        MarkerKind::WorkEmail | MarkerKind::PersonalEmail => person.address.clone_from(value),
        MarkerKind::Password if hashed => person.password = hex(value),
        MarkerKind::Password => person.password.clone_from(value),
        MarkerKind::Nir if form == 2 => person.nir = spaced(value, 3),
        MarkerKind::Nir => person.nir.clone_from(value),
        MarkerKind::Iban if form == 2 => person.iban = spaced(value, 4),
        MarkerKind::Iban => person.iban.clone_from(value),
        _ => person.login.clone_from(value),
    }
}

fn sql(p: &Person, id: u64) -> String {
    format!(
        "INSERT INTO `employees` VALUES ({id},'{}','{}','{}','{}','{}','{}','{}','{}',{},{}.00);\n",
        p.given, p.family, p.address, p.password, p.phone, p.nir, p.iban, p.born, p.number, p.salary
    )
}

fn csv(p: &Person, id: u64) -> String {
    format!(
        "{id};{};{};{};{};{};{};{};{};{:05};{}\n",
        p.family, p.given, p.login, p.address, p.password, p.nir, p.iban, p.street, p.postcode, p.town
    )
}

fn json(p: &Person, id: u64) -> String {
    format!(
        "{{\"id\":{id},\"name\":\"{} {}\",\"login\":\"{}\",\"email\":\"{}\",\"iban\":\"{}\",\"nir\":\"{}\",\"pw\":\"{}\",\"salary\":{}}}\n",
        p.given, p.family, p.login, p.address, p.iban, p.nir, p.password, p.salary
    )
}

fn combo(p: &Person, id: u64) -> String {
    let who = if id.is_multiple_of(3) { &p.login } else { &p.address };
    format!("{who}:{}\n", p.password)
}

fn payslip(p: &Person, _: u64) -> String {
    format!(
        "Bulletin de paie\nSalarié : {} {}   Matricule {}\nN° de sécurité sociale : {}\nAdresse : {}, {:05} {}\nEmploi : agent technique principal\nCompte {} – {}\nSalaire brut {} €, net à payer {} €\nContact : {}\nMot de passe du coffre : {}\n\n",
        p.given,
        p.family,
        p.number,
        p.nir,
        p.street,
        p.postcode,
        p.town,
        p.iban,
        p.login,
        p.salary,
        p.salary * 77 / 100,
        p.address,
        p.password
    )
}

/// One way to write a person down.
type Style = fn(&Person, u64) -> String;

/// Writes a dump of about this length; answers how many markers are in it.
pub fn write(path: &Path, length: u64, markers: &[Marker]) -> u64 {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut written, mut id, mut planted) = (0, 0, 0);
    let shares: [(u64, Style); 5] = [(29, sql), (50, csv), (68, json), (96, combo), (100, payslip)];
    while written < length {
        // Each part is a stretch of its own, as in files that were put together.
        let place = written * 100 / length;
        let shape = shares.iter().find(|(up_to, _)| place < *up_to).map_or(shares[4].1, |(_, shape)| *shape);
        let mut person = person(&mut dice);
        if !markers.is_empty() && planted < PLANTED && written >= length / (PLANTED + 1) * (planted + 1) {
            // Only what the shape shows counts as planted.
            let mut with = person_of(&person);
            plant(&mut with, &markers[planted as usize * 37 % markers.len().min(10_000)], planted % 4);
            if shape(&with, id) != shape(&person, id) {
                planted += 1;
                person = with;
            }
        }
        let text = shape(&person, id);
        out.write_all(text.as_bytes()).unwrap();
        written += text.len() as u64;
        id += 1;
    }
    out.flush().unwrap();
    planted
}

fn person_of(person: &Person) -> Person {
    Person {
        address: person.address.clone(),
        login: person.login.clone(),
        password: person.password.clone(),
        phone: person.phone.clone(),
        nir: person.nir.clone(),
        iban: person.iban.clone(),
        born: person.born.clone(),
        street: person.street.clone(),
        ..*person
    }
}
