//! Minting through the public face: determinism, validity, impossibility, coherence, uniqueness.

use canaries::{
    Field, House, Label, MarkerKind, Minter, Persona,
    identifiers::{iban, nir, phone},
    locale,
};
use jiff::civil::{Date, date};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

fn house() -> House {
    House {
        organisation: "Mairie de Saint-Nazaire".into(),
        alias_domains: vec!["agents.example.org".into(), "courriel.example.net".into()],
        ..House::default()
    }
}

fn minter(seed: u8) -> Minter {
    Minter::new(&[seed; 32], locale("fr_FR").expect("shipped"), house())
}

fn label(ordinal: u32) -> Label<'static> {
    Label { store: "payroll", generation: 3, ordinal, attempt: 0 }
}

const TODAY: Date = date(2026, 11, 23);

fn all(persona: &Persona) -> Vec<&str> {
    Field::ALL.iter().map(|field| persona.get(*field)).collect()
}

#[test]
fn the_same_seed_label_and_month_give_the_same_persona_and_anything_else_another() {
    let (one, same, other) = (minter(1), minter(1), minter(2));
    let persona = one.persona(&label(7), TODAY);
    assert_eq!(all(&persona), all(&same.persona(&label(7), date(2026, 11, 1))));
    assert_eq!(one.canary_id(&label(7)), same.canary_id(&label(7)));
    assert_eq!(one.password_salt(&label(7)), same.password_salt(&label(7)));
    assert!(one.ghost(9) == same.ghost(9));
    let others = [
        other.persona(&label(7), TODAY),
        one.persona(&label(8), TODAY),
        one.persona(&Label { attempt: 1, ..label(7) }, TODAY),
        one.persona(&Label { generation: 4, ..label(7) }, TODAY),
        one.persona(&Label { store: "hris", ..label(7) }, TODAY),
    ];
    for foreign in &others {
        for field in [Field::Nir, Field::Iban, Field::Username, Field::Password, Field::WorkEmail] {
            assert_ne!(persona.get(field), foreign.get(field), "{field}");
        }
    }
    assert_ne!(one.canary_id(&label(7)), one.canary_id(&label(8)));
    assert_ne!(one.canary_id(&label(7)), other.canary_id(&label(7)));
    assert!(one.ghost(9) != one.ghost(10));
}

#[test]
fn no_identifier_of_ten_thousand_personas_can_be_anybodys() {
    let minter = minter(3);
    let small: HashSet<&str> =
        include_str!("../../locales/fr_FR/birth_communes.tsv").lines().map(|row| &row[..5]).collect();
    let banks: HashSet<&str> = include_str!("../../locales/fr_FR/banks.tsv").lines().map(|row| &row[..5]).collect();
    for ordinal in 0..10_000 {
        let persona = minter.persona(&label(ordinal), TODAY);
        let number = persona.get(Field::Nir);
        assert!(nir::is_valid(number) && small.contains(&number[5..10]));
        assert!(number[10..13].parse::<u16>().is_ok_and(|order| order >= nir::IMPOSSIBLE_ORDER));
        let account = persona.get(Field::Iban);
        assert!(iban::rib_is_valid(account) && banks.contains(&account[4..9]));
        assert!(phone::is_reserved(persona.get(Field::Phone)));
        assert!(persona.get(Field::WorkEmail).ends_with("@agents.example.org"));
        assert!(persona.get(Field::PersonalEmail).ends_with("@courriel.example.net"));
        let (street_number, street) = persona.get(Field::Address).split_once(' ').expect("number and street");
        assert!(street_number.parse::<u32>().is_ok_and(|number| number >= 700) && !street.starts_with("rue"));
        assert!(Field::ALL.iter().all(|field| !persona.get(*field).is_empty()));
    }
}

#[test]
fn every_field_agrees_with_the_others() {
    let minter = minter(4);
    let read = |text: &'static str| text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let communes: HashMap<&str, &str> =
        read(include_str!("../../locales/fr_FR/birth_communes.tsv")).map(|row| (row[0], row[1])).collect();
    let towns: HashSet<(&str, &str)> =
        read(include_str!("../../locales/fr_FR/towns.tsv")).map(|row| (row[1], row[2])).collect();
    let mut given: BTreeMap<(&str, i16), HashSet<&str>> = BTreeMap::new();
    for row in read(include_str!("../../locales/fr_FR/given_names.tsv")) {
        given.insert((row[0], row[1].parse().expect("a year")), row[2].split(',').collect());
    }
    let jobs: Vec<Vec<&str>> = read(include_str!("../../locales/fr_FR/jobs.tsv")).collect();
    for ordinal in 0..5_000 {
        let persona = minter.persona(&label(ordinal), TODAY);
        let get = |field| persona.get(field);
        let birth: Date = get(Field::BirthDate).parse().expect("an ISO date");
        let hired: Date = get(Field::HireDate).parse().expect("an ISO date");
        let number = get(Field::Nir);
        assert_eq!(&number[..1], if get(Field::Gender) == "F" { "2" } else { "1" });
        assert_eq!(&number[1..5], format!("{:02}{:02}", birth.year() % 100, birth.month()));
        assert_eq!(communes.get(&number[5..10]), Some(&get(Field::BirthPlace)));
        let decade = *given.range(..=(get(Field::Gender), birth.year())).next_back().expect("a decade").0;
        assert!(decade.0 == get(Field::Gender) && given[&decade].contains(get(Field::GivenName)));
        let at_hiring =
            (hired.year() - birth.year()) - i16::from((hired.month(), hired.day()) < (birth.month(), birth.day()));
        assert!((18..=60).contains(&at_hiring), "hired at {at_hiring}");
        assert!(hired < date(2026, 11, 1));
        let sex = if get(Field::Gender) == "F" { 2 } else { 1 };
        let salary: u32 = get(Field::Salary).parse().expect("whole euros");
        assert!(jobs.iter().any(|job| job[0] == get(Field::Department)
            && job[sex] == get(Field::JobTitle)
            && (job[4].parse().expect("a number")..=job[5].parse().expect("a number")).contains(&salary)));
        assert!(towns.contains(&(get(Field::Postcode), get(Field::City))));
        assert_eq!(&get(Field::EmployeeNumber)[..2], format!("{:02}", hired.year() % 100));
        assert!(get(Field::Manager).contains(' '));
    }
}

#[test]
fn people_live_where_the_organisation_is() {
    let minter = minter(5);
    let near =
        (0..1000).filter(|ordinal| minter.persona(&label(*ordinal), TODAY).get(Field::Postcode).starts_with("44"));
    let near = near.count();
    assert!((700..900).contains(&near), "{near}");
}

#[test]
fn numbers_that_the_operator_owns_take_the_place_of_the_reserved_ones() {
    let owned = House {
        phone_numbers: vec!["02 40 00 11 22".into()],
        ibans: vec!["FR14 2004 1010 0505 0001 3M02 606".into()],
        ..house()
    };
    let persona = Minter::new(&[6; 32], locale("fr_FR").expect("shipped"), owned).persona(&label(0), TODAY);
    assert_eq!(persona.get(Field::Phone), "+33240001122");
    assert_eq!(persona.get(Field::Iban), "FR1420041010050500013M02606");
    assert_eq!(persona.get(Field::Bic), "");
}

#[test]
fn two_hundred_thousand_personas_hardly_share_a_marker() {
    let minter = minter(7);
    let strong = MarkerKind::ALL.iter().filter(|kind| !kind.is_weak()).filter_map(|kind| kind.field());
    let mut seen: BTreeMap<Field, HashSet<String>> = strong.map(|field| (field, HashSet::new())).collect();
    let count = 200_000;
    for ordinal in 0..count {
        let persona = minter.persona(&label(ordinal), TODAY);
        for (field, values) in &mut seen {
            values.insert(persona.get(*field).to_owned());
        }
    }
    let shared: Vec<(Field, usize)> =
        seen.iter().map(|(field, values)| (*field, count as usize - values.len())).collect();
    // About one in a thousand: the planter mints those few anew.
    assert!(shared.iter().all(|(_, shared)| *shared < 300), "{shared:?}");
}

#[test]
fn ghosts_are_valid_markers_of_every_strong_kind() {
    let minter = minter(8);
    let ghosts: Vec<_> = (0..20_000).map(|number| minter.ghost(number)).collect();
    let kinds: BTreeSet<MarkerKind> = ghosts.iter().map(|ghost| ghost.kind).collect();
    assert_eq!(kinds.len(), 6);
    assert!(ghosts.iter().all(|ghost| match ghost.kind {
        MarkerKind::Nir => nir::is_valid(&ghost.value),
        MarkerKind::Iban => iban::rib_is_valid(&ghost.value),
        MarkerKind::WorkEmail | MarkerKind::PersonalEmail => ghost.value.contains('@'),
        MarkerKind::Password => ghost.value.len() == 13,
        _ => ghost.value.len() >= 5,
    }));
    let values: HashSet<&str> = ghosts.iter().map(|ghost| ghost.value.as_str()).collect();
    assert!(values.len() > 19_990, "{}", values.len());
}

#[test]
fn nothing_of_a_persona_is_printed_by_accident() {
    let minter = minter(9);
    let persona = minter.persona(&label(0), TODAY);
    assert_eq!(format!("{persona:?} {minter:?}"), "Persona Minter(fr_FR)");
}

#[test]
fn every_marker_of_every_kind_is_valid_by_its_own_check_digits() {
    use canaries::kinds;
    let minter = minter(10);
    let everything: BTreeSet<Field> = Field::ALL.iter().copied().collect();
    for ordinal in 0..2_000 {
        let persona = minter.persona(&label(ordinal), TODAY);
        for kind in kinds::ALL {
            for marker in kind.markers(&persona, &everything, true) {
                let field = marker.kind.field().expect("a field's marker");
                assert_eq!(marker.value, persona.get(field));
                assert!(marker.kind != MarkerKind::Nir || nir::is_valid(&marker.value));
                assert!(marker.kind != MarkerKind::Iban || iban::is_valid(&marker.value));
            }
        }
    }
    let persona = minter.persona(&label(0), TODAY);
    let few = kinds::of(&[Field::Username].into(), true).expect("a credential");
    let kinds_of_markers = |implied| few.markers(&persona, &[Field::Username].into(), implied).len();
    assert_eq!((kinds_of_markers(false), kinds_of_markers(true)), (1, 2));
}
