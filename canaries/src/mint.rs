//! How a persona is drawn: sex, age, names and places first, then everything that must agree with them. Field is
//! drawn after field in a fixed order, so that a seed and a label mean the same person for ever.

use crate::{
    draw::Draw,
    field::Field,
    identifiers::{iban, nir, phone},
    locale::{BirthCommune, Job, Locale, Sex, Town},
    login_name::{LoginName, slug},
    marker::{Marker, MarkerKind},
    persona::{Minter, Persona},
};
use jiff::{ToSpan, civil::Date};
use std::collections::BTreeSet;

/// Where most of the organisation's people live and many were born, and whether it is a public body.
#[derive(Debug)]
pub(crate) struct Home {
    towns: Vec<&'static Town>,
    communes: Vec<&'static BirthCommune>,
    public: bool,
}

impl Home {
    pub(crate) fn of(key: &[u8; 32], locale: &'static Locale, organisation: &str) -> Self {
        let words = format!(" {} ", organisation.to_lowercase().replace(['\'', ',', '.'], " "));
        let named = |town: &&Town| words.contains(&format!(" {} ", town.name.to_lowercase()));
        let town = locale.towns.iter().filter(named).max_by_key(|town| (town.name.len(), town.population));
        let town = town.unwrap_or_else(|| Draw::new(key, "home", &[organisation.as_bytes()]).pick(&locale.towns));
        let department = &town.postcode[..2];
        Home {
            towns: locale.towns.iter().filter(|town| town.postcode.starts_with(department)).collect(),
            communes: locale.birth_communes.iter().filter(|row| row.insee.starts_with(department)).collect(),
            public: ["mairie", "ville", "commune", "département", "région", "hospitalier", "communauté", "métropole"]
                .iter()
                .any(|word| words.contains(word)),
        }
    }
}

/// Who it is, before anything else is known.
struct Civil {
    sex: Sex,
    birth: Date,
    given: &'static str,
    family: String,
    login: LoginName,
}

fn civil(minter: &Minter, draw: &mut Draw, born: (i64, i64)) -> Civil {
    let sex = if draw.percent(51) { Sex::Female } else { Sex::Male };
    let year = draw.between(born.0, born.1) as i16;
    let birth = jiff::civil::date(year, draw.between(1, 12) as i8, draw.between(1, 28) as i8);
    let given = *draw.pick_ranked(minter.locale.given_in(sex, year));
    let (mut class, mut family) = family(minter.locale, draw);
    if draw.percent(if sex == Sex::Female { 6 } else { 2 }) {
        let (second_class, second) = self::family(minter.locale, draw);
        if second != family {
            family = format!("{family}-{second}");
            class = class.max(second_class);
        }
    }
    let login = LoginName::new(draw, given, &family, class, year);
    Civil { sex, birth, given, family, login }
}

/// A family name and its class: 0 common, 1 uncommon, 2 rare, about as often as one meets them.
fn family(locale: &Locale, draw: &mut Draw) -> (usize, String) {
    let class = match draw.below(100) {
        0..30 => 0,
        30..60 => 1,
        _ => 2,
    };
    let names = &locale.family[class];
    let name = if class == 0 { draw.pick_ranked(names) } else { draw.pick(names) };
    (class, (*name).to_owned())
}

pub(crate) fn persona(minter: &Minter, draw: &mut Draw, today: Date) -> Persona {
    let this_month = today.first_of_month();
    let year = i64::from(this_month.year());
    let who = civil(minter, draw, (year - 63, year - 20));
    let mut persona = Persona { values: Default::default(), dice: draw.bytes(), login: who.login.clone() };
    persona.set(Field::GivenName, who.given);
    persona.set(Field::FamilyName, who.family.as_str());
    persona.set(Field::Gender, if who.sex == Sex::Female { "F" } else { "M" });
    persona.set(Field::BirthDate, who.birth.to_string());

    let commune = birth_commune(minter, draw);
    persona.set(Field::BirthPlace, commune.name);
    persona.set(Field::Nir, nir_of(draw, &who, commune));

    let town = if draw.percent(75) { *draw.pick(&minter.home.towns) } else { draw.pick(&minter.locale.towns) };
    // No impasse, allée, place, square, clos, passage or cour is numbered so far.
    persona.set(Field::Address, format!("{} {}", draw.between(700, 989), draw.pick(&minter.locale.streets)));
    persona.set(Field::Postcode, town.postcode);
    persona.set(Field::City, town.name);

    persona.set(Field::WorkEmail, work_email(minter, &who));
    persona.set(Field::PersonalEmail, personal_email(minter, draw, &who));
    persona.set(Field::Username, username(draw, &who));
    persona.set(Field::Password, password(draw));
    persona.set(Field::Phone, phone_number(minter, draw, &town.postcode[..2]));
    let (account, bic) = account(minter, draw);
    persona.set(Field::Iban, account);
    persona.set(Field::Bic, bic);

    let hired = hire_date(draw, who.birth, this_month);
    persona.set(Field::HireDate, hired.to_string());
    persona.set(Field::EmployeeNumber, format!("{:02}{}", hired.year().rem_euclid(100), draw.digits(5)));
    persona.set(Field::BadgeNumber, format!("{}{}", draw.between(1, 9), draw.digits(7)));
    employment(minter, draw, &mut persona, &who, (hired, this_month));
    persona.set(Field::HealthInsurer, *draw.pick_weighted(&minter.locale.insurers));
    persona.set(Field::LeaveReason, *draw.pick_weighted(&minter.locale.leave_reasons));
    persona
}

/// A ghost's marker. The kinds come as often as among the strong markers of planted canaries.
pub(crate) fn ghost(minter: &Minter, draw: &mut Draw) -> Marker {
    let kind = match draw.below(100) {
        0..26 => MarkerKind::WorkEmail,
        26..46 => MarkerKind::PersonalEmail,
        46..64 => MarkerKind::Nir,
        64..80 => MarkerKind::Iban,
        80..91 => MarkerKind::Username,
        _ => MarkerKind::Password,
    };
    let value = match kind {
        MarkerKind::Password => password(draw),
        MarkerKind::Iban => compose_account(minter, draw).0,
        _ => {
            let who = civil(minter, draw, (1962, 2004));
            match kind {
                MarkerKind::Nir => {
                    let commune = birth_commune(minter, draw);
                    nir_of(draw, &who, commune)
                }
                MarkerKind::Username => username(draw, &who),
                MarkerKind::PersonalEmail => personal_email(minter, draw, &who),
                _ => work_email(minter, &who),
            }
        }
    };
    Marker { kind, value }
}

fn birth_commune(minter: &Minter, draw: &mut Draw) -> &'static BirthCommune {
    let home: &[&'static BirthCommune] = &minter.home.communes;
    if draw.percent(30) && !home.is_empty() {
        let commune: &&BirthCommune = draw.pick(home);
        return commune;
    }
    draw.pick(&minter.locale.birth_communes)
}

fn nir_of(draw: &mut Draw, who: &Civil, commune: &BirthCommune) -> String {
    let order = draw.between(i64::from(nir::IMPOSSIBLE_ORDER), 780) as u16;
    nir::compose(who.sex == Sex::Female, who.birth.year(), who.birth.month(), commune.insee, order)
}

fn work_email(minter: &Minter, who: &Civil) -> String {
    match minter.house.alias_domains.first() {
        Some(domain) => format!("{}@{domain}", who.login.write("given.family")),
        None => String::new(),
    }
}

fn personal_email(minter: &Minter, draw: &mut Draw, who: &Civil) -> String {
    let Some((first, others)) = minter.house.alias_domains.split_first() else { return String::new() };
    let domain = if others.is_empty() { first } else { draw.pick(others) };
    let (given, family) = (&who.login.given, &who.login.family);
    let initial = &given[..1.min(given.len())];
    let year = who.birth.year();
    let local = match draw.below(6) {
        0 => format!("{given}.{family}{}", draw.digits(2)),
        1 => format!("{given}{family}{:02}", year.rem_euclid(100)),
        2 => format!("{family}.{given}{}", draw.digits(2)),
        3 => format!("{initial}{family}{year}"),
        4 => format!("{given}.{family}.{}", draw.digits(2)),
        _ => format!("{given}{}.{family}", draw.digits(2)),
    };
    format!("{local}@{domain}")
}

fn username(draw: &mut Draw, who: &Civil) -> String {
    let given: String = who.login.given.chars().filter(|letter| *letter != '-').take(2).collect();
    let family: String = who.login.family.chars().filter(|letter| *letter != '-').take(12).collect();
    format!("{given}{family}{}", draw.digits(3))
}

/// Thirteen characters as a password generator gives them: 75 bits.
fn password(draw: &mut Draw) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    loop {
        let text: String = (0..13).map(|_| char::from(*draw.pick(LETTERS))).collect();
        let has = |class: fn(&u8) -> bool| text.as_bytes().iter().any(class);
        if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit) {
            return text;
        }
    }
}

fn phone_number(minter: &Minter, draw: &mut Draw, department: &str) -> String {
    if minter.house.phone_numbers.is_empty() {
        return phone::draw(draw, department);
    }
    let number: &String = draw.pick(&minter.house.phone_numbers);
    phone::canonical(number)
}

fn account(minter: &Minter, draw: &mut Draw) -> (String, &'static str) {
    if minter.house.ibans.is_empty() {
        return compose_account(minter, draw);
    }
    (draw.pick(&minter.house.ibans).replace(char::is_whitespace, "").to_uppercase(), "")
}

fn compose_account(minter: &Minter, draw: &mut Draw) -> (String, &'static str) {
    let bank = draw.pick(&minter.locale.banks);
    (iban::compose(bank.code, &draw.digits(5), &draw.digits(11)), bank.bic)
}

/// A working day after the eighteenth and before the sixtieth birthday, and before this month. Recent ones are many.
fn hire_date(draw: &mut Draw, birth: Date, this_month: Date) -> Date {
    let adult = birth.saturating_add(18.years().months(1)).first_of_month();
    let last = this_month.saturating_sub(1.month()).min(birth.saturating_add(60.years()).first_of_month());
    let months = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month());
    let span = (months(last) - months(adult)).max(0) as f64;
    let back = (span * draw.fraction().powf(1.8)) as i32;
    let day = if draw.percent(45) { 1 } else { draw.between(2, 25) as i8 };
    let date = last.saturating_sub(back.months()).with().day(day).build().unwrap_or(last);
    let weekday = i64::from(date.weekday().to_monday_zero_offset());
    if weekday > 4 && day > 1 { date.saturating_add((7 - weekday).days()) } else { date }
}

/// The age before which nobody holds this grade.
fn youngest(grade: &str) -> i64 {
    match grade {
        "A3" | "A4" => 35,
        "A2" => 30,
        "A1" => 24,
        _ => 18,
    }
}

/// Department, title, grade, salary, contract and superior, which hang together with age and time in the house.
fn employment(minter: &Minter, draw: &mut Draw, persona: &mut Persona, who: &Civil, (hired, now): (Date, Date)) {
    let locale = minter.locale;
    let age = i64::from(now.year() - who.birth.year());
    let too_young = |job: &Job| age < youngest(job.grade);
    let mut job = draw.pick_weighted(&locale.jobs);
    while too_young(job) {
        job = draw.pick_weighted(&locale.jobs);
    }
    persona.set(Field::Department, job.department);
    persona.set(Field::JobTitle, job.title[usize::from(who.sex == Sex::Male)]);

    let years = i64::from(now.year() - hired.year());
    let grown = (years as f64 / 25.0).min(1.0) * 0.55 + ((age - 20) as f64 / 43.0) * 0.2 + draw.fraction() * 0.25;
    let (low, high) = job.salary;
    persona.set(Field::Salary, (low + ((high - low) as f64 * grown.min(1.0)) as i64).to_string());

    let list = if minter.home.public { &locale.public_contracts } else { &locale.contracts };
    let lasting = list.first().map_or("", |row| row.0);
    let contract = if years < 2 && youngest(job.grade) < 30 { draw.pick_weighted(list) } else { &lasting };
    let apprentice = contract.contains("pprenti") || contract.contains("professionnalisation");
    persona.set(Field::Contract, if apprentice && age > 29 { lasting } else { *contract });

    let head = if youngest(job.grade) > 34 { HEAD } else { job.department };
    persona.set(Field::Manager, superior(minter, head, draw.below(CHAIRS)));
    debug_assert_eq!(persona.login.family, slug(&who.family));
}

/// Superiors of a department.
const CHAIRS: u64 = 3;

/// Whom the heads themselves answer to.
const HEAD: &str = "Direction générale";

/// Who sits in this chair of a department.
fn superior(minter: &Minter, department: &str, chair: u64) -> String {
    let mut chief = Draw::new(&minter.key, "superior", &[department.as_bytes(), &chair.to_le_bytes()]);
    let superior = civil(minter, &mut chief, (1966, 1988));
    format!("{} {}", superior.given, superior.family)
}

/// The superiors that somebody of the persona's department may have.
pub(crate) fn superiors(minter: &Minter, persona: &Persona, chairs: u64) -> Vec<String> {
    let department = persona.get(Field::Department);
    let of = |department: &str| (0..chairs).map(|chair| superior(minter, department, chair)).collect::<Vec<_>>();
    let own = of(department);
    if own.iter().any(|name| name == persona.get(Field::Manager)) { own } else { of(HEAD) }
}

/// Whom people may answer to: those of each department, and of the heads.
pub(crate) fn all_superiors(minter: &Minter) -> Vec<Vec<String>> {
    let departments: BTreeSet<&str> = minter.locale.jobs.iter().map(|(job, _)| job.department).chain([HEAD]).collect();
    departments.into_iter().map(|of| (0..CHAIRS).map(|chair| superior(minter, of, chair)).collect()).collect()
}

/// Another mobile number, by chance from this seed; none where the house has numbers of its own, which are few.
pub(crate) fn another_mobile(minter: &Minter, seed: &[u8]) -> Option<String> {
    let reserved = minter.house.phone_numbers.is_empty();
    reserved.then(|| phone::mobile(&mut Draw::new(&minter.key, "another mobile", &[seed])))
}

/// The titles that the persona's department has for people like it.
pub(crate) fn titles(minter: &Minter, persona: &Persona) -> Vec<String> {
    let sex = usize::from(persona.get(Field::Gender) == "M");
    let jobs = minter.locale.jobs.iter().map(|(job, _)| job);
    let salary = persona.get(Field::Salary).parse().unwrap_or(0);
    // None that is paid quite otherwise.
    let pays = |job: &&Job| job.salary.0 <= salary * 6 / 5 && salary <= job.salary.1 * 6 / 5;
    let alike = jobs.filter(|job| job.department == persona.get(Field::Department)).filter(pays);
    alike.map(|job| job.title[sex].to_owned()).collect()
}
