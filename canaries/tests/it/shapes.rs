//! Shapes through the public face: what is proposed for usual headers, and values in a column's own style.

use canaries::{
    Field, House, Label, Minter, Persona, locale,
    password::Scheme,
    shape::{Learner, Shape, propose, propose_all, propose_password},
};
use jiff::civil::date;
use std::collections::BTreeMap;

fn personas() -> Vec<Persona> {
    let house = House { alias_domains: vec!["alias.example.org".into()], ..House::default() };
    let minter = Minter::new(&[11; 32], locale("fr_FR").expect("shipped"), house);
    let label = |ordinal| Label { store: "hris", generation: 1, ordinal, attempt: 0 };
    (0..300).map(|ordinal| minter.persona(&label(ordinal), date(2026, 11, 1))).collect()
}

fn learn(values: impl IntoIterator<Item = String>) -> Shape {
    let mut learner = Learner::default();
    values.into_iter().for_each(|value| learner.see(Some(&value)));
    learner.finish()
}

/// The shape of a column that keeps this field in this style, and the 300th persona's value in it.
fn rendered(field: Field, style: impl Fn(&Persona) -> String) -> (String, Persona) {
    let mut people = personas();
    let persona = people.pop().expect("three hundred");
    let shape = learn(people.iter().map(style));
    (shape.render(field, &persona), persona)
}

#[test]
fn an_empty_column_gets_the_canonical_value() {
    let persona = &personas()[0];
    for field in Field::ALL {
        assert_eq!(Shape::default().render(*field, persona), persona.get(*field));
    }
}

#[test]
fn dates_follow_the_column() {
    let parts = |persona: &Persona| persona.get(Field::BirthDate).split('-').map(str::to_owned).collect::<Vec<_>>();
    type Style = fn(&[String]) -> String;
    let styles: [Style; 6] = [
        |date| format!("{}/{}/{}", date[2], date[1], date[0]),
        |date| format!("{}/{}/{}", date[1], date[2], date[0]),
        |date| format!("{}.{}.{}", date[2], date[1], &date[0][2..]),
        |date| date.concat(),
        |date| format!("{} 00:00:00", date.join("-")),
        |date| format!("{}000000Z", date.concat()),
    ];
    for style in styles {
        let (value, persona) = rendered(Field::BirthDate, |persona| style(&parts(persona)));
        assert_eq!(value, style(&parts(&persona)));
    }
}

#[test]
fn phones_accounts_and_numbers_follow_the_column() {
    let national = |persona: &Persona| format!("0{}", &persona.get(Field::Phone)[3..]);
    let pairs = |text: &str, mark: &str| {
        text.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect::<Vec<_>>().join(mark)
    };
    for mark in [" ", ".", ""] {
        let (value, persona) = rendered(Field::Phone, |persona| pairs(&national(persona), mark));
        assert_eq!(value, pairs(&national(&persona), mark));
    }
    let (value, persona) = rendered(Field::Phone, |persona| format!("+33 {}", &persona.get(Field::Phone)[3..]));
    assert_eq!(value, format!("+33 {}", &persona.get(Field::Phone)[3..]));

    let (value, persona) =
        rendered(Field::Iban, |persona| canaries::identifiers::iban::grouped(persona.get(Field::Iban)));
    assert_eq!(value.replace(' ', ""), persona.get(Field::Iban));
    assert!(value.contains(' '));

    let spaced = |number: &str| {
        let cuts = [0..1, 1..3, 3..5, 5..7, 7..10, 10..13, 13..15];
        cuts.map(|cut| number[cut].to_owned()).join(" ")
    };
    let (value, persona) = rendered(Field::Nir, |persona| spaced(persona.get(Field::Nir)));
    assert_eq!(value, spaced(persona.get(Field::Nir)));
    let (value, persona) = rendered(Field::Nir, |persona| persona.get(Field::Nir)[..13].to_owned());
    assert_eq!(value, persona.get(Field::Nir)[..13]);
}

#[test]
fn genders_follow_the_columns_codes() {
    for (female, male) in [("F", "M"), ("F", "H"), ("2", "1"), ("Femme", "Homme"), ("Mme", "M."), ("FEMALE", "MALE")] {
        let style = |persona: &Persona| (if persona.get(Field::Gender) == "F" { female } else { male }).to_owned();
        let (value, persona) = rendered(Field::Gender, style);
        assert_eq!(value, style(&persona));
    }
}

#[test]
fn names_follow_the_columns_case_and_accents() {
    let (value, persona) = rendered(Field::FamilyName, |persona| persona.get(Field::FamilyName).to_uppercase());
    assert_eq!(value, persona.get(Field::FamilyName).to_uppercase());
    let shape = learn(["Jerome", "Helene", "Loic"].repeat(50).into_iter().map(str::to_owned));
    for persona in personas() {
        assert!(shape.render(Field::GivenName, &persona).is_ascii());
    }
}

#[test]
fn addresses_and_logins_follow_the_houses_pattern_on_the_alias_domain() {
    let people = ["stephanie dubois", "thomas lefebvre", "sandrine garnier", "julien fontaine"].repeat(20);
    let two =
        |name: &str| name.split_once(' ').map(|(given, family)| (given.to_owned(), family.to_owned())).expect("two");
    type Style = fn(&str, &str) -> String;
    let styles: [(Style, Style); 4] = [
        (|given, family| format!("{given}.{family}"), |given, family| format!("{given}.{family}")),
        (|given, family| format!("{family}.{given}"), |given, family| format!("{family}.{given}")),
        (|given, family| format!("{}.{family}", &given[..1]), |given, family| format!("{}.{family}", &given[..1])),
        (|given, family| format!("{}{family}", &given[..1]), |given, family| format!("{}{family}", &given[..1])),
    ];
    let slug = |name: &str| deunicode(name);
    for (style, expected) in styles {
        let local = |name: &&str| style(&two(name).0, &two(name).1);
        let mails = learn(people.iter().map(|name| format!("{}@mairie.example", local(name))));
        let logins = learn(people.iter().map(local));
        for persona in personas() {
            let mail = mails.render(Field::WorkEmail, &persona);
            let login = logins.render(Field::Username, &persona);
            let (given, family) = (slug(persona.get(Field::GivenName)), slug(persona.get(Field::FamilyName)));
            assert_eq!(mail, format!("{login}@alias.example.org"));
            assert_eq!(login, expected(&given, &family), "nobody there has a number or a second initial");
        }
    }
}

#[test]
fn digits_and_initials_are_as_frequent_in_logins_as_among_their_neighbours() {
    let people = ["stephanie dubois", "thomas lefebvre", "sandrine garnier", "julien fontaine"];
    let many = |style: fn(usize, &str, &str) -> String| {
        learn((0..400).map(|number| {
            let (given, family) = people[number % 4].split_once(' ').expect("two");
            style(number, given, family)
        }))
    };
    let digits =
        |login: &str| login.split('@').next().is_some_and(|local| local.bytes().any(|byte| byte.is_ascii_digit()));
    let initial = |login: &str| {
        login.split(['.', '@']).next().is_some_and(|given| {
            given.as_bytes()[1..].contains(&b'-') && given.rsplit('-').next().is_some_and(|last| last.len() == 1)
        })
    };
    let count = |field, shape: &Shape, test: &dyn Fn(&str) -> bool| {
        personas().iter().filter(|persona| test(&shape.render(field, persona))).count()
    };

    let fifth = many(
        |number, given, family| {
            if number % 5 == 0 { format!("{given}.{family}{number}") } else { format!("{given}.{family}") }
        },
    );
    let tenth = many(
        |number, given, family| {
            if number % 10 == 0 { format!("{given}-m.{family}") } else { format!("{given}.{family}") }
        },
    );
    assert!((40..=80).contains(&count(Field::Username, &fifth, &digits)));
    assert_eq!(count(Field::Username, &fifth, &initial), 0);
    assert!((15..=50).contains(&count(Field::Username, &tenth, &initial)));
    assert_eq!(count(Field::Username, &tenth, &digits), 0);

    // A pattern that nobody knows, and private addresses, which have many.
    let odd = many(|number, given, _| format!("{given}{}", ["zyxw", "wvut", "qqkx"][number % 3]));
    assert_eq!(count(Field::Username, &odd, &digits), 0);
    let private = many(|_, given, family| format!("le.{family}.de.{given}@mail.example"));
    assert_eq!(count(Field::PersonalEmail, &private, &digits), 0);
    assert_eq!(count(Field::WorkEmail, &private, &digits), 0);
    let private = many(|number, given, family| {
        if number % 5 == 0 {
            format!("{given}{family}{number}@mail.example")
        } else {
            format!("{given}{family}@mail.example")
        }
    });
    assert!((40..=80).contains(&count(Field::PersonalEmail, &private, &digits)));
}

fn deunicode(name: &str) -> String {
    let plain = name
        .to_lowercase()
        .replace(['é', 'è', 'ê', 'ë'], "e")
        .replace(['ï', 'î'], "i")
        .replace('ç', "c")
        .replace('ô', "o");
    plain.chars().filter(|character| character.is_ascii_lowercase() || *character == '-').collect()
}

#[test]
fn serial_numbers_keep_their_template_and_lie_above_all_that_are_used() {
    let used = learn((1_000..3_000).map(|number| format!("EMP-{number:06}")));
    let bare = learn((1_000..3_000).map(|number| number.to_string()));
    let mut values = std::collections::BTreeSet::new();
    for persona in personas() {
        let value = used.render(Field::EmployeeNumber, &persona);
        let number = value.strip_prefix("EMP-").expect("the prefix");
        assert!(
            number.len() == 6 && number.parse::<u32>().is_ok_and(|number| (3_000..6_000).contains(&number)),
            "{value}"
        );
        values.insert(value);
        let value = bare.render(Field::BadgeNumber, &persona);
        assert!(value.parse::<u32>().is_ok_and(|number| (3_000..6_000).contains(&number)), "{value}");
    }
    assert!(values.len() > 200);
}

#[test]
fn salaries_follow_the_columns_unit() {
    let yearly = |persona: &Persona| persona.get(Field::Salary).parse::<f64>().expect("euros");
    let (value, persona) = rendered(Field::Salary, |persona| format!("{:.2}", yearly(persona) / 12.0));
    assert_eq!(value, format!("{:.2}", yearly(&persona) / 12.0));
    let (value, persona) = rendered(Field::Salary, |persona| format!("{:.2}", yearly(persona)).replace('.', ","));
    assert_eq!(value, format!("{:.2}", yearly(&persona)).replace('.', ","));
}

#[test]
fn departments_are_taken_from_the_columns_own_codes() {
    let shape = learn(["DRH", "DSI", "DSI", "FIN"].repeat(20).into_iter().map(str::to_owned));
    let mut drawn = BTreeMap::new();
    for persona in personas() {
        *drawn.entry(shape.render(Field::Department, &persona)).or_insert(0) += 1;
    }
    assert_eq!(drawn.keys().collect::<Vec<_>>(), ["DRH", "DSI", "FIN"]);
    assert!(drawn["DSI"] > drawn["DRH"] && drawn["DSI"] > drawn["FIN"]);
}

#[test]
fn usual_headers_are_understood() {
    let headers = [
        ("first_name", Field::GivenName),
        ("Prénom", Field::GivenName),
        ("givenName", Field::GivenName),
        ("last_name", Field::FamilyName),
        ("NOM", Field::FamilyName),
        ("sn", Field::FamilyName),
        ("nom_de_naissance", Field::FamilyName),
        ("SEXE", Field::Gender),
        ("civilité", Field::Gender),
        ("date_of_birth", Field::BirthDate),
        ("DateNaissance", Field::BirthDate),
        ("lieu_naissance", Field::BirthPlace),
        ("ssn", Field::Nir),
        ("num_secu", Field::Nir),
        ("Numéro de sécurité sociale", Field::Nir),
        ("email", Field::WorkEmail),
        ("mail", Field::WorkEmail),
        ("email_pro", Field::WorkEmail),
        ("private_email", Field::PersonalEmail),
        ("email perso", Field::PersonalEmail),
        ("mobile", Field::Phone),
        ("telephoneNumber", Field::Phone),
        ("tel_portable", Field::Phone),
        ("adresse", Field::Address),
        ("CP", Field::Postcode),
        ("postalCode", Field::Postcode),
        ("ville", Field::City),
        ("bank_account", Field::Iban),
        ("IBAN", Field::Iban),
        ("bic", Field::Bic),
        ("emp_no", Field::EmployeeNumber),
        ("matricule", Field::EmployeeNumber),
        ("employeeNumber", Field::EmployeeNumber),
        ("intitulé_poste", Field::JobTitle),
        ("title", Field::JobTitle),
        ("service", Field::Department),
        ("departmentNumber", Field::Department),
        ("manager", Field::Manager),
        ("hire_date", Field::HireDate),
        ("date_entrée", Field::HireDate),
        ("type_contrat", Field::Contract),
        ("salaire_brut", Field::Salary),
        ("base_salary", Field::Salary),
        ("login", Field::Username),
        ("uid", Field::Username),
        ("sAMAccountName", Field::Username),
        ("badge_no", Field::BadgeNumber),
        ("mutuelle", Field::HealthInsurer),
        ("motif_absence", Field::LeaveReason),
        ("emp_first_name", Field::GivenName),
        ("employee_iban", Field::Iban),
    ];
    for (header, field) in headers {
        let found = propose(header, "", &Shape::default());
        assert_eq!(found.map(|found| found.0), Some(field), "{header}");
    }
    for header in ["id", "created_at", "status", "net", "version", "x", "", "é"] {
        assert_eq!(propose(header, "", &Shape::default()), None, "{header}");
    }
}

#[test]
fn a_name_that_the_values_contradict_is_no_proposal() {
    let numbers = learn((100_000..101_000).map(|number| number.to_string()));
    assert_ne!(propose("email", "text", &numbers).map(|found| found.0), Some(Field::WorkEmail));
    assert_ne!(propose("iban", "text", &numbers).map(|found| found.0), Some(Field::Iban));
    let addresses = learn((0..100).map(|number| format!("someone{number}@mairie.example")));
    assert_eq!(propose("col_7", "text", &addresses).map(|found| found.0), Some(Field::WorkEmail));
}

#[test]
fn password_columns_and_their_schemes_are_told() {
    for scheme in [Scheme::Md5, Scheme::Sha1, Scheme::Sha256, Scheme::Ssha, Scheme::Bcrypt] {
        let one = canaries::password::hash(scheme, "x1Y2z3", &[9; 16]);
        let shape = learn(std::iter::repeat_n(one, 20));
        assert_eq!(propose_password("pwd", &shape), Some(scheme));
        assert_eq!(propose_password("comment", &shape), None);
    }
    let digest = canaries::password::hash(Scheme::Ntlm, "x1Y2z3", &[9; 16]);
    assert_eq!(propose_password("nt_hash", &learn(std::iter::repeat_n(digest, 20))), Some(Scheme::Ntlm));
    assert_eq!(propose_password("mot_de_passe", &Shape::default()), Some(Scheme::Plain));
    let unknown = learn(std::iter::repeat_n("{CRYPT}$6$abc".to_owned(), 20));
    assert_eq!(propose_password("userPassword", &unknown), None);
}

#[test]
fn a_whole_table_is_mapped_with_each_field_once() {
    let people = personas();
    let column = |name: &str, field: Field| {
        (name.to_owned(), "text".to_owned(), learn(people.iter().map(|persona| persona.get(field).to_owned())))
    };
    let hashes = people.iter().map(|one| canaries::password::hash(Scheme::Sha1, one.get(Field::Password), &[0; 16]));
    let columns = vec![
        ("id".to_owned(), "bigint".to_owned(), learn((1..300).map(|number| number.to_string()))),
        column("first_name", Field::GivenName),
        column("last_name", Field::FamilyName),
        column("email", Field::WorkEmail),
        column("private_email", Field::PersonalEmail),
        column("mobile", Field::Phone),
        column("ssn", Field::Nir),
        column("bank_account", Field::Iban),
        column("emp_no", Field::EmployeeNumber),
        column("birth_date", Field::BirthDate),
        column("hire_date", Field::HireDate),
        column("department", Field::Department),
        column("salary", Field::Salary),
        ("pwd".to_owned(), "text".to_owned(), learn(hashes)),
        ("status".to_owned(), "text".to_owned(), learn(vec!["active".to_owned(); 300])),
    ];
    let (fields, password) = propose_all(&columns);
    let wanted: BTreeMap<Field, String> = [
        (Field::GivenName, "first_name"),
        (Field::FamilyName, "last_name"),
        (Field::WorkEmail, "email"),
        (Field::PersonalEmail, "private_email"),
        (Field::Phone, "mobile"),
        (Field::Nir, "ssn"),
        (Field::Iban, "bank_account"),
        (Field::EmployeeNumber, "emp_no"),
        (Field::BirthDate, "birth_date"),
        (Field::HireDate, "hire_date"),
        (Field::Department, "department"),
        (Field::Salary, "salary"),
    ]
    .map(|(field, name)| (field, name.to_owned()))
    .into();
    assert_eq!(fields, wanted);
    assert_eq!(password, Some(("pwd".to_owned(), Scheme::Sha1)));
}

#[test]
fn words_that_find_no_room_are_cut_between_them_and_whoever_fits_is_told() {
    let narrow = |width: usize| learn((0..200).map(|number| format!("Xé{number:03}{}", "x".repeat(width - 5))));
    let (tight, wide) = (narrow(12), narrow(100));
    let (mut cut, mut fitting) = (0, 0);
    for persona in personas() {
        for field in [Field::City, Field::JobTitle, Field::Address, Field::FamilyName] {
            let (whole, value) = (wide.render(field, &persona), tight.render(field, &persona));
            assert!(value.chars().count() <= 12 && whole.starts_with(&value), "{value:?} of {whole:?}");
            assert_eq!(tight.fits(field, &persona, false), value == whole);
            if tight.fits(field, &persona, true) && value != whole {
                let rest = &whole[value.len()..];
                assert!(
                    rest.starts_with([' ', '-']) && !value.ends_with(" de") && !value.ends_with(" la"),
                    "{value:?}"
                );
                cut += 1;
            }
        }
        fitting += usize::from(tight.fits(Field::FamilyName, &persona, false));
        assert!(wide.fits(Field::Address, &persona, false));
    }
    assert!(cut > 100 && fitting > 200, "{cut}, {fitting}");
}
