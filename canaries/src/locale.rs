//! Locales: the reference data from which personas are made, shipped as text under `locales/` and parsed once.
//! Another locale is another folder of the same files, one row in `ALL`, and its own identifiers.

use std::sync::LazyLock;

/// A commune of people's birth: small, so that an order number can be impossible there.
#[derive(Debug)]
pub(crate) struct BirthCommune {
    pub(crate) insee: &'static str,
    pub(crate) name: &'static str,
}

/// A town where people live.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) postcode: &'static str,
    pub(crate) name: &'static str,
    pub(crate) population: i64,
}

/// A job with its grade and its band of yearly gross salary.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) department: &'static str,
    pub(crate) title: [&'static str; 2],
    pub(crate) grade: &'static str,
    pub(crate) salary: (i64, i64),
}

/// A bank code that is not assigned, with a bank identifier that is nobody's.
#[derive(Debug)]
pub(crate) struct Bank {
    pub(crate) code: &'static str,
    pub(crate) bic: &'static str,
}

/// Names given in one decade to one sex, commonest first.
#[derive(Debug)]
pub(crate) struct Decade {
    pub(crate) sex: Sex,
    pub(crate) from: i16,
    pub(crate) names: Vec<&'static str>,
}

/// As the state registers it: titles, given names and numbers agree with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sex {
    Female,
    Male,
}

type Weighted<T> = Vec<(T, u64)>;

/// The reference data of one country and language.
#[derive(Debug)]
pub struct Locale {
    name: &'static str,
    pub(crate) birth_communes: Vec<BirthCommune>,
    pub(crate) towns: Vec<Town>,
    pub(crate) given: Vec<Decade>,
    /// Common, uncommon, rare.
    pub(crate) family: [Vec<&'static str>; 3],
    pub(crate) jobs: Weighted<Job>,
    pub(crate) streets: Vec<&'static str>,
    pub(crate) banks: Vec<Bank>,
    pub(crate) contracts: Weighted<&'static str>,
    pub(crate) public_contracts: Weighted<&'static str>,
    pub(crate) insurers: Weighted<&'static str>,
    pub(crate) leave_reasons: Weighted<&'static str>,
}

impl Locale {
    /// The name in configuration: `fr_FR`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The names that were usual for this sex in this year.
    pub(crate) fn given_in(&self, sex: Sex, year: i16) -> &[&'static str] {
        let decade = self.given.iter().rfind(|decade| decade.sex == sex && decade.from <= year);
        let decade = decade.or_else(|| self.given.iter().find(|decade| decade.sex == sex));
        decade.map_or(&[], |decade| &decade.names)
    }
}

static FR_FR: LazyLock<Locale> = LazyLock::new(|| Locale {
    name: "fr_FR",
    birth_communes: rows(include_str!("../locales/fr_FR/birth_communes.tsv"))
        .map(|row| BirthCommune { insee: row[0], name: row[1] })
        .collect(),
    towns: rows(include_str!("../locales/fr_FR/towns.tsv"))
        .map(|row| Town { postcode: row[1], name: row[2], population: number(row[3]) })
        .collect(),
    given: rows(include_str!("../locales/fr_FR/given_names.tsv"))
        .map(|row| Decade {
            sex: if row[0] == "F" { Sex::Female } else { Sex::Male },
            from: number(row[1]) as i16,
            names: row[2].split(',').collect(),
        })
        .collect(),
    family: families(include_str!("../locales/fr_FR/family_names.txt")),
    jobs: weighted(rows(include_str!("../locales/fr_FR/jobs.tsv")).map(|row| {
        let job = Job {
            department: row[0],
            title: [row[2], row[1]],
            grade: row[3],
            salary: (number(row[4]), number(row[5])),
        };
        (job, number(row[6]) as u64)
    })),
    streets: include_str!("../locales/fr_FR/streets.txt").lines().collect(),
    banks: rows(include_str!("../locales/fr_FR/banks.tsv")).map(|row| Bank { code: row[0], bic: row[1] }).collect(),
    contracts: list("contract"),
    public_contracts: list("contract_public"),
    insurers: list("health_insurer"),
    leave_reasons: list("leave_reason"),
});

/// Every locale, by name.
static ALL: &[(&str, &LazyLock<Locale>)] = &[("fr_FR", &FR_FR)];

/// The locale of this name.
pub fn locale(name: &str) -> Option<&'static Locale> {
    ALL.iter().find(|row| row.0 == name).map(|row| &**row.1)
}

/// The names of the locales there are, for messages.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|row| row.0).collect()
}

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().map(|line| line.split('\t').collect())
}

fn number(text: &str) -> i64 {
    text.parse().expect("reference data, read by a test")
}

fn weighted<T>(rows: impl Iterator<Item = (T, u64)>) -> Weighted<T> {
    rows.scan(0, |sum, (row, weight)| {
        *sum += weight;
        Some((row, *sum))
    })
    .collect()
}

fn list(name: &str) -> Weighted<&'static str> {
    let all = rows(include_str!("../locales/fr_FR/lists.tsv"));
    weighted(all.filter(|row| row[0] == name).map(|row| (row[1], number(row[2]) as u64)))
}

fn families(text: &'static str) -> [Vec<&'static str>; 3] {
    let mut classes = [Vec::new(), Vec::new(), Vec::new()];
    let mut class = 0;
    for line in text.lines() {
        match line {
            "#common" => class = 0,
            "#uncommon" => class = 1,
            "#rare" => class = 2,
            name => classes[class].push(name),
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_data_is_whole() {
        let locale = locale("fr_FR").expect("shipped");
        assert_eq!(names(), ["fr_FR"]);
        assert!(super::locale("xx_XX").is_none());
        assert!(locale.birth_communes.len() > 5_000 && locale.towns.len() > 2_000);
        assert!(locale.birth_communes.iter().all(|commune| commune.insee.len() == 5));
        assert!(locale.towns.iter().all(|town| town.postcode.len() == 5));
        assert!(locale.given.iter().all(|decade| decade.names.len() > 200));
        assert!(locale.family.iter().all(|class| class.len() > 1_000));
        assert!(locale.jobs.iter().all(|(job, _)| job.salary.0 < job.salary.1));
        assert!(locale.banks.iter().all(|bank| bank.code.len() == 5 && bank.bic.len() == 8));
        assert!([&locale.contracts, &locale.insurers, &locale.leave_reasons].iter().all(|list| list.len() > 3));
    }

    #[test]
    fn every_small_commune_really_is_small() {
        for row in rows(include_str!("../locales/fr_FR/birth_communes.tsv")) {
            assert!(number(row[2]) <= 800, "{}", row[1]);
        }
    }
}
