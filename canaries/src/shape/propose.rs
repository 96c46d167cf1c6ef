//! Which persona field a column holds, told from its name and from its shape. It proposes; the operator decides.

use crate::{
    field::Field,
    password::Scheme,
    shape::{CROWD, GENDERS, Shape},
};
use std::collections::BTreeMap;

/// Column names as people in HR write them, French and English, and those of directories.
const NAMES: &[(Field, &str)] = &[
    (Field::GivenName, "given_name first_name firstname fname prenom prenom1 givenname forename pre_nom"),
    (
        Field::FamilyName,
        "family_name last_name lastname lname surname nom sn nom_famille nom_usage nom_naissance nom_usuel name nom_patronymique",
    ),
    (Field::Gender, "gender sex sexe genre civilite civ title_code"),
    (
        Field::BirthDate,
        "birth_date birthdate birth born born_on date_of_birth dob date_naissance date_de_naissance ne_le dt_naiss naissance ddn birthday date_naiss dtnaiss",
    ),
    (
        Field::BirthPlace,
        "birth_place birthplace place_of_birth lieu_naissance commune_naissance ville_naissance birth_city lieu_naiss",
    ),
    (
        Field::Nir,
        "nir ssn social_security_number num_secu numero_secu securite_sociale num_ss no_ss nss insee num_insee numero_securite_sociale nir_cle secu national_id",
    ),
    (
        Field::WorkEmail,
        "work_email email mail e_mail email_pro mail_pro courriel email_address adresse_mail business_email company_email courriel_pro work_mail emailaddress",
    ),
    (
        Field::PersonalEmail,
        "personal_email private_email email_perso mail_perso home_email personal_mail email_personnel courriel_perso other_email email2 alternate_email",
    ),
    (
        Field::Phone,
        "phone mobile telephone tel phone_number gsm portable cell telephonenumber mobile_phone tel_portable num_tel telephone_mobile work_phone homephone tel_mobile phone1",
    ),
    (
        Field::Address,
        "address street address1 adresse rue voie address_line1 adr street_address adresse1 homepostaladdress addr adresse_ligne1",
    ),
    (Field::Postcode, "postcode postal_code zip zip_code zipcode cp code_postal postalcode codepostal"),
    (Field::City, "city town ville commune l locality localite"),
    (
        Field::Iban,
        "iban bank_account bank_account_number account_iban rib compte_bancaire num_compte bank_iban account_number iban_code",
    ),
    (Field::Bic, "bic swift bic_swift swift_code bic_code code_bic"),
    (
        Field::EmployeeNumber,
        "employee_number emp_no employee_id employee_no emp_id matricule num_matricule mat empno employeenumber employeeid personnel_number pernr staff_id staff_no worker_id no_matricule id_salarie payroll_number",
    ),
    (
        Field::JobTitle,
        "job_title title job position poste fonction emploi intitule_poste libelle_emploi role metier jobtitle",
    ),
    (
        Field::Department,
        "department dept service direction division org_unit departement departmentnumber ou unite pole business_unit departement_rh dep",
    ),
    (
        Field::Manager,
        "manager supervisor responsable n_plus_1 n1 manager_name superieur chef reports_to hierarchique line_manager",
    ),
    (
        Field::HireDate,
        "hire_date hired hired_on start_date date_embauche embauche date_entree dt_entree hiredate date_of_hire joining_date anciennete date_arrivee entry_date date_embauch",
    ),
    (
        Field::Contract,
        "contract contract_type type_contrat contrat employment_type nature_contrat statut_contrat employeetype",
    ),
    (
        Field::Salary,
        "salary gross_salary salaire salaire_brut annual_salary base_salary brut remuneration pay gross wage brut_annuel salaire_base salaire_annuel monthly_salary brut_mensuel",
    ),
    (
        Field::Username,
        "username user_name login uid user_id identifiant samaccountname account userid logon nom_utilisateur user userprincipalname compte_ad login_name",
    ),
    (Field::Password, "password passwd mot_de_passe mdp pass pwd"),
    (Field::BadgeNumber, "badge_number badge badge_id badge_no num_badge card_number no_badge numero_badge carte"),
    (
        Field::HealthInsurer,
        "health_insurer mutuelle complementaire_sante health_insurance insurer organisme_mutuelle complementaire",
    ),
    (
        Field::LeaveReason,
        "leave_reason motif_absence absence_reason leave_type type_absence motif motif_conge type_conge absence_type",
    ),
];

const PASSWORDS: &str = "password passwd pwd pass mdp mot_passe userpassword password_hash pwd_hash passwd_hash pass_hash hash nt_hash nthash ntlm sambantpassword ntpassword password_digest encrypted_password hashed_password motdepasse secret";

/// Words around a name that say nothing of the field.
const AROUND: &[&str] = &[
    "emp", "employee", "empl", "sal", "salarie", "agent", "person", "staff", "hr", "rh", "p", "user", "worker", "pers",
    "txt", "str", "col",
];

/// Whether people in HR call a column so: such a name is nobody's data, wherever it was read.
pub fn is_column_name(name: &str) -> bool {
    let words = words(name);
    let told = |names: &str| names.split(' ').any(|known| known == words || known == bare(&words));
    NAMES.iter().any(|(_, names)| told(names)) || told(PASSWORDS) || ["salt", "sel", "grain_de_sel"].contains(&&*words)
}

/// The field that this column most likely holds, and how sure that is, from 0 to 1.
pub fn propose(column: &str, type_name: &str, shape: &Shape) -> Option<(Field, f32)> {
    proposals(column, type_name, shape).into_iter().max_by(|one, other| one.1.total_cmp(&other.1))
}

/// The scheme of the passwords, if it is passwords that this column holds.
pub fn propose_password(column: &str, shape: &Shape) -> Option<Scheme> {
    let words = words(column);
    if !PASSWORDS.split(' ').any(|name| name == words || name == bare(&words)) && !words.ends_with("_password") {
        return None;
    }
    let share = |wanted: &str| shape.share(|template| template == wanted) > 0.5;
    let windows = ["nt", "ntlm", "nthash", "samba", "windows"].iter().any(|word| words.contains(word));
    let found = [
        ("<bcrypt>", Scheme::Bcrypt),
        ("<argon2id>", Scheme::Argon2id),
        ("<ssha>", Scheme::Ssha),
        ("<hex 32>", if windows { Scheme::Ntlm } else { Scheme::Md5 }),
        ("<hex 40>", Scheme::Sha1),
        ("<hex 64>", Scheme::Sha256),
    ];
    match found.iter().find(|row| share(row.0)) {
        Some(row) => Some(row.1),
        // A scheme of which nothing is known here: better none than a wrong one.
        None if shape
            .share(|template| template.starts_with('<') || template.contains('$') || template.contains('{'))
            > 0.2 =>
        {
            None
        }
        None => Some(Scheme::Plain),
    }
}

/// Each field at most once, in the column that fits best; and the column of password hashes. Passwords that are
/// stored as they are count as the field `password`.
pub fn propose_all(columns: &[(String, String, Shape)]) -> (BTreeMap<Field, String>, Option<(String, Scheme)>) {
    let mut rows: Vec<(f32, usize, Field)> = Vec::new();
    let mut hashes = None;
    for (place, (name, type_name, shape)) in columns.iter().enumerate() {
        match propose_password(name, shape) {
            Some(Scheme::Plain) => rows.push((0.9, place, Field::Password)),
            Some(scheme) => {
                hashes.get_or_insert_with(|| (name.clone(), scheme));
            }
            None => {
                rows.extend(proposals(name, type_name, shape).into_iter().map(|(field, sure)| (sure, place, field)))
            }
        }
    }
    rows.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)).then(one.2.cmp(&other.2)));
    let mut taken = vec![false; columns.len()];
    let mut fields = BTreeMap::new();
    for (sure, place, field) in rows {
        if sure >= 0.35 && !taken[place] && !fields.contains_key(&field) {
            taken[place] = true;
            fields.insert(field, columns[place].0.clone());
        }
    }
    (fields, hashes)
}

fn proposals(column: &str, type_name: &str, shape: &Shape) -> Vec<(Field, f32)> {
    let words = words(column);
    let bare = bare(&words);
    let mut found: Vec<(Field, f32)> = NAMES
        .iter()
        .filter_map(|(field, names)| {
            let sure = names.split(' ').filter_map(|name| likeness(name, &words, &bare)).fold(0.0, f32::max);
            (sure > 0.0).then_some((*field, sure))
        })
        .collect();
    // A second address beside the first is usually the private one.
    if words.contains("perso") || words.contains("priv") {
        found.iter_mut().filter(|row| row.0 == Field::WorkEmail).for_each(|row| row.0 = Field::PersonalEmail);
    }
    for field in Field::ALL {
        if !found.iter().any(|row| row.0 == *field) {
            found.push((*field, 0.0));
        }
    }
    let fitting = found.into_iter().filter_map(|(field, named)| {
        let sure = match (fit(field, type_name, shape), shape.count >= CROWD) {
            (_, false) => named * 0.9,
            (None, true) => 0.0,
            (Some(seen), true) if named > 0.0 => (named * 0.85 + seen * 0.15).min(1.0),
            (Some(seen), true) => seen * 0.55,
        };
        (sure > 0.3).then_some((field, sure))
    });
    fitting.collect()
}

fn likeness(name: &str, words: &str, bare: &str) -> Option<f32> {
    if name == words {
        Some(1.0)
    } else if name == bare || name.replace('_', "") == words.replace('_', "") {
        Some(0.92)
    } else if name.len() > 3 && format!("_{words}_").contains(&format!("_{name}_")) {
        Some(0.5 + 0.3 * name.len() as f32 / words.len() as f32)
    } else {
        None
    }
}

/// Whether the values may be this field's: none if they cannot, else how much they speak for it.
fn fit(field: Field, type_name: &str, shape: &Shape) -> Option<f32> {
    let digits = |template: &str| template.bytes().filter(|byte| *byte == b'9').count();
    let letters = |template: &str| template.contains(['A', 'a']);
    let lettered = shape.part(shape.lettered);
    let dated = type_name.to_lowercase().contains("date") || type_name.to_lowercase().contains("timestamp");
    let dates = shape.share(|text| {
        let parts = text.split(['-', '/', '.', ' ', 'A']).take(3).map(str::len).collect::<Vec<_>>();
        // `06 39 98 01 02` is a phone: a short year leaves no digits behind, unless a time follows.
        let short = parts[..] == [2, 2, 2] && (digits(text) < 10 || text.contains(':'));
        (short || matches!(parts[..], [2, 2, 4] | [4, 2, 2])) && text.len() >= 8
            || text == "99999999"
            || text == "99999999999999A"
    });
    let addresses = shape.share(|text| text == "<address>");
    let word = lettered > 0.5 && addresses < 0.2 && shape.share(|text| text.starts_with('<')) < 0.5;
    let weak = |passes: bool| passes.then_some(0.3);
    match field {
        Field::GivenName => {
            weak(word).map(|_| if shape.given_names > shape.family_names { shape.part(shape.given_names) } else { 0.2 })
        }
        Field::FamilyName => weak(word)
            .map(|_| if shape.family_names > shape.given_names { shape.part(shape.family_names) } else { 0.2 }),
        Field::Gender => {
            let all = !shape.codes.is_empty()
                && shape.codes.keys().all(|code| GENDERS.contains(&code.to_lowercase().as_str()));
            all.then_some(if shape.codes.contains_key("F") || shape.codes.contains_key("Femme") { 0.9 } else { 0.3 })
        }
        Field::BirthDate | Field::HireDate => (dated || dates > 0.5).then_some(0.3),
        Field::Nir => {
            let whole = shape.share(|text| matches!(digits(text), 15 | 13) && !text.contains(['a', '.', '+']));
            (whole > 0.5).then_some(whole)
        }
        Field::WorkEmail => (addresses > 0.5).then_some(0.8),
        Field::PersonalEmail => (addresses > 0.5).then_some(0.5),
        Field::Phone => {
            let dialled = shape.share(|text| (9..=13).contains(&digits(text)) && !letters(text));
            let spaced = shape.share(|text| digits(text) == 10 && text.contains([' ', '.']) || text.starts_with("+99"));
            (dialled > 0.5 && dates < 0.5).then_some(0.4 + 0.5 * spaced)
        }
        Field::Iban => {
            let accounts = shape.share(|text| text.starts_with("A99") && digits(text) >= 13);
            (accounts > 0.5 && shape.lengths.is_none_or(|lengths| lengths.1 >= 15)).then_some(0.9)
        }
        Field::Bic => weak(shape.lengths.is_some_and(|lengths| matches!(lengths, (8 | 11, 8 | 11))) && lettered > 0.9),
        Field::Postcode => weak(shape.share(|text| matches!(text, "99999" | "9999")) > 0.5),
        Field::Address => weak(lettered > 0.5 && addresses < 0.2),
        Field::City | Field::BirthPlace => weak(word),
        Field::JobTitle | Field::HealthInsurer | Field::LeaveReason => weak(word),
        Field::Department | Field::Contract => weak(word || !shape.codes.is_empty()),
        Field::Manager => weak(word),
        Field::Salary => weak(shape.numbers.as_ref().is_some_and(|numbers| numbers.median > 8.0)),
        Field::Username => weak(lettered > 0.3 || shape.share(|text| digits(text) > 3) > 0.5),
        Field::Password => None,
        Field::EmployeeNumber | Field::BadgeNumber => {
            weak(shape.share(|text| digits(text) > 0) > 0.5 && addresses < 0.2 && dates < 0.5)
        }
    }
}

/// `FirstName`, `first-name` and `FIRST NAME` as `first_name`.
fn words(column: &str) -> String {
    let plain = deunicode::deunicode(column);
    let mut text = String::new();
    let mut before = ' ';
    for character in plain.chars() {
        if !character.is_ascii_alphanumeric() {
            if !text.ends_with('_') {
                text.push('_');
            }
        } else {
            if character.is_ascii_uppercase() && before.is_ascii_lowercase() {
                text.push('_');
            }
            text.push(character.to_ascii_lowercase());
        }
        before = character;
    }
    text.replace("_de_", "_").replace("_d_", "_").replace("_du_", "_").trim_matches('_').to_owned()
}

fn bare(words: &str) -> String {
    let mut parts: Vec<&str> = words.split('_').collect();
    if parts.len() > 1 && AROUND.contains(&parts[0]) {
        parts.remove(0);
    }
    if parts.len() > 1 && AROUND.contains(&parts[parts.len() - 1]) {
        parts.pop();
    }
    parts.join("_")
}
