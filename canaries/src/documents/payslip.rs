//! A French payslip as PDF. The markers stand in the text; the document's information and XMP metadata have what payroll
//! software writes there: the number of the document, which is built on the employee's.

use crate::{
    documents::{
        Document, file_part, iso_to_french,
        sheet::{Face, Sheet},
    },
    field::Field,
    identifiers::iban,
    persona::{House, Persona},
};
use jiff::civil::Date;
use pdf_writer::{
    Finish, Name, Pdf, Rect, Ref, Str, TextStr,
    types::{ActionType, AnnotationType},
};

const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const LINK_AREA: [f32; 4] = [36.0, 40.0, 330.0, 54.0];

/// The persona's payslip of the month of this date, with a link to follow where one is given.
pub fn payslip(persona: &Persona, house: &House, month: Date, link: Option<&str>) -> Document {
    let last = month.last_of_month();
    let title = format!("Bulletin de paie {} {}", MONTHS[(last.month() - 1) as usize], last.year());
    let name = format!(
        "Bulletin_{}-{:02}_{}_{}.pdf",
        last.year(),
        last.month(),
        persona.get(Field::EmployeeNumber),
        file_part(&persona.get(Field::FamilyName).to_uppercase())
    );
    let number = format!("{}-{}{:02}", persona.get(Field::EmployeeNumber), last.year(), last.month());
    let content = page(persona, house, last, link.is_some());
    let metadata = Metadata { title, author: house.organisation.clone(), number, date: last };
    Document { name, bytes: file(&content, &metadata, link) }
}

struct Metadata {
    title: String,
    author: String,
    number: String,
    date: Date,
}

fn file(content: &[u8], metadata: &Metadata, link: Option<&str>) -> Vec<u8> {
    let [catalog, pages, page, regular, bold, contents, annotation, information, xmp] =
        std::array::from_fn(|place| Ref::new(place as i32 + 1));
    let mut pdf = Pdf::new();
    pdf.set_version(1, 6);
    let mut root = pdf.catalog(catalog);
    root.pages(pages).metadata(xmp).lang(TextStr("fr-FR"));
    root.finish();
    pdf.pages(pages).kids([page]).count(1);
    let mut leaf = pdf.page(page);
    leaf.media_box(Rect::new(0.0, 0.0, 595.0, 842.0)).parent(pages).contents(contents);
    if link.is_some() {
        leaf.annotations([annotation]);
    }
    leaf.resources().fonts().pair(Name(b"F1"), regular).pair(Name(b"F2"), bold);
    leaf.finish();
    for (font, name) in [(regular, &b"Helvetica"[..]), (bold, b"Helvetica-Bold")] {
        pdf.type1_font(font).base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    pdf.stream(contents, content);
    if let Some(link) = link {
        let [left, bottom, right, top] = LINK_AREA;
        let mut area = pdf.annotation(annotation);
        area.subtype(AnnotationType::Link).rect(Rect::new(left, bottom, right, top)).border(0.0, 0.0, 0.0, None);
        area.action().action_type(ActionType::Uri).uri(Str(link.as_bytes()));
        area.finish();
    }
    let Metadata { title, author, number, date } = metadata;
    let (year, month, day) = (date.year(), date.month(), date.day());
    let mut document_info = pdf.document_info(information);
    document_info.title(TextStr(title)).author(TextStr(author)).subject(TextStr(number)).creator(TextStr("Paie"));
    document_info.creation_date(
        pdf_writer::Date::new(year as u16)
            .month(month as u8)
            .day(day as u8)
            .hour(8)
            .minute(30)
            .second(0)
            .utc_offset_hour(1),
    );
    document_info.finish();
    let stamp = format!("{year:04}-{month:02}-{day:02}T08:30:00+01:00");
    pdf.metadata(xmp, packet(title, author, number, &stamp).as_bytes());
    let id = &blake3::hash(&[content, number.as_bytes()].concat()).as_bytes()[..16].to_vec();
    pdf.set_file_id((id.clone(), id.clone()));
    pdf.finish()
}

fn packet(title: &str, author: &str, number: &str, stamp: &str) -> String {
    let [title, author, number] = [title, author, number].map(|text| text.replace('&', "&amp;").replace('<', "&lt;"));
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
         xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\">\
         <dc:format>application/pdf</dc:format>\
         <dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">{title}</rdf:li></rdf:Alt></dc:title>\
         <dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>\
         <dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">{number}</rdf:li></rdf:Alt></dc:description>\
         <dc:identifier>{number}</dc:identifier>\
         <xmp:CreatorTool>Paie</xmp:CreatorTool><xmp:CreateDate>{stamp}</xmp:CreateDate>\
         </rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"w\"?>"
    )
}

/// An amount as French accountants write it, from cents.
fn euros(cents: i64) -> String {
    let (whole, rest) = (cents.abs() / 100, cents.abs() % 100);
    let digits = whole.to_string();
    let cut = digits.len().saturating_sub(3);
    let grouped = if cut > 0 { format!("{} {}", &digits[..cut], &digits[cut..]) } else { digits };
    format!("{}{grouped},{rest:02}", if cents < 0 { "-" } else { "" })
}

fn page(persona: &Persona, house: &House, last: Date, linked: bool) -> Vec<u8> {
    let get = |field| persona.get(field);
    let mut sheet = Sheet::new();
    let month = MONTHS[(last.month() - 1) as usize];
    sheet.shade(330.0, 30.0, 229.0, 24.0);
    sheet.frame(330.0, 30.0, 229.0, 24.0);
    sheet.text(392.0, 46.5, 13.0, Face::Bold, "BULLETIN DE PAIE");
    sheet.text(330.0, 68.0, 9.0, Face::Regular, &format!("Période : {month} {}", last.year()));
    sheet.text(
        330.0,
        81.0,
        9.0,
        Face::Regular,
        &format!("Date de paiement : {:02}/{:02}/{}", last.day(), last.month(), last.year()),
    );

    sheet.text(36.0, 42.0, 12.0, Face::Bold, &house.organisation);
    sheet.text(36.0, 56.0, 9.0, Face::Regular, "Service des ressources humaines");

    let facts = [
        ("Matricule", get(Field::EmployeeNumber).to_owned()),
        ("N° de sécurité sociale", get(Field::Nir).to_owned()),
        ("Emploi", get(Field::JobTitle).to_owned()),
        ("Service", get(Field::Department).to_owned()),
        ("Contrat", get(Field::Contract).to_owned()),
        ("Date d'entrée", iso_to_french(get(Field::HireDate))),
    ];
    sheet.frame(36.0, 100.0, 280.0, 94.0);
    for (row, (label, value)) in facts.iter().enumerate() {
        let y = 115.0 + 14.0 * row as f32;
        sheet.text(42.0, y, 9.0, Face::Regular, label);
        sheet.text(150.0, y, 9.0, Face::Bold, value);
    }
    let courtesy = if get(Field::Gender) == "F" { "Madame" } else { "Monsieur" };
    sheet.frame(330.0, 100.0, 229.0, 94.0);
    let full = format!("{courtesy} {} {}", get(Field::GivenName), get(Field::FamilyName).to_uppercase());
    sheet.text(342.0, 128.0, 10.0, Face::Bold, &full);
    sheet.text(342.0, 143.0, 10.0, Face::Regular, get(Field::Address));
    sheet.text(
        342.0,
        158.0,
        10.0,
        Face::Regular,
        &format!("{} {}", get(Field::Postcode), get(Field::City).to_uppercase()),
    );

    let since = get(Field::HireDate).parse::<Date>().ok().filter(|hired| hired.year() == last.year());
    let months = i64::from(last.month()) - since.map_or(0, |hired| i64::from(hired.month()) - 1);
    let bottom = table(&mut sheet, get(Field::Salary).parse().unwrap_or(24_000), months.max(1));
    sheet.text(36.0, bottom + 28.0, 9.0, Face::Regular, "Virement sur le compte :");
    sheet.text(150.0, bottom + 28.0, 9.0, Face::Bold, &iban::grouped(get(Field::Iban)));
    sheet.text(36.0, bottom + 42.0, 9.0, Face::Regular, "Mutuelle :");
    sheet.text(150.0, bottom + 42.0, 9.0, Face::Regular, get(Field::HealthInsurer));
    sheet.text(36.0, 770.0, 7.5, Face::Regular, "Dans votre intérêt et pour vous aider à faire valoir vos droits, conservez ce bulletin de paie sans limitation de durée.");
    if linked {
        sheet.text(36.0, 798.0, 8.5, Face::Bold, "Consulter le détail et l'attestation employeur en ligne");
        sheet.line(36.0, 800.0, 270.0, 800.0);
    }
    sheet.finish()
}

/// The lines of pay and contributions; answers where they end.
fn table(sheet: &mut Sheet, yearly: i64, months: i64) -> f32 {
    const COLUMNS: [f32; 4] = [330.0, 385.0, 470.0, 555.0];
    let top = 210.0;
    let gross = yearly * 100 / 12;
    sheet.shade(36.0, top, 523.0, 18.0);
    for (x, text) in
        [(42.0, "Rubriques"), (304.0, "Base"), (345.0, "Taux sal."), (410.0, "Part salarié"), (487.0, "Part employeur")]
    {
        sheet.text(x, top + 12.5, 8.5, Face::Bold, text);
    }
    let mut y = top + 34.0;
    sheet.text(42.0, y, 8.5, Face::Regular, "Salaire de base (151,67 h)");
    sheet.right(COLUMNS[2], y, 8.5, Face::Regular, &euros(gross));
    y += 15.0;
    sheet.text(42.0, y, 8.5, Face::Bold, "Salaire brut");
    sheet.right(COLUMNS[2], y, 8.5, Face::Bold, &euros(gross));
    let (mut mine, mut theirs, mut taxable) = (0, 0, gross);
    for row in include_str!("../../documents/fr_FR/payslip.tsv").lines() {
        let [label, base, employee, employer] = row.split('\t').collect::<Vec<_>>()[..] else { continue };
        let base = if base == "csg" { gross * 9825 / 10_000 } else { gross };
        let share = |rate: &str| (base as f64 * rate.parse::<f64>().unwrap_or(0.0) / 100.0).round() as i64;
        let (of_employee, of_employer) = (share(employee), share(employer));
        y += 15.0;
        sheet.text(42.0, y, 8.5, Face::Regular, label);
        sheet.right(COLUMNS[0], y, 8.5, Face::Regular, &euros(base));
        if of_employee > 0 {
            sheet.right(COLUMNS[1], y, 8.5, Face::Regular, &employee.replace('.', ","));
            sheet.right(COLUMNS[2], y, 8.5, Face::Regular, &euros(-of_employee));
        }
        if of_employer > 0 {
            sheet.right(COLUMNS[3], y, 8.5, Face::Regular, &euros(of_employer));
        }
        mine += of_employee;
        theirs += of_employer;
        taxable -= if label.contains("non déductible") { 0 } else { of_employee };
    }
    y += 15.0;
    sheet.text(42.0, y, 8.5, Face::Bold, "Total des cotisations et contributions");
    sheet.right(COLUMNS[2], y, 8.5, Face::Bold, &euros(-mine));
    sheet.right(COLUMNS[3], y, 8.5, Face::Bold, &euros(theirs));
    let before_tax = gross - mine;
    let rate = ((yearly - 18_000).max(0) as f64 / 4_600.0).min(24.0);
    let tax = (taxable as f64 * (rate * 10.0).round() / 1_000.0).round() as i64;
    let rows = [
        ("Net imposable".to_owned(), taxable),
        ("Net à payer avant impôt sur le revenu".to_owned(), before_tax),
        (format!("Impôt sur le revenu prélevé à la source ({} %)", format!("{rate:.1}").replace('.', ",")), -tax),
    ];
    for (label, amount) in &rows {
        y += 17.0;
        sheet.text(42.0, y, 8.5, Face::Regular, label);
        sheet.right(COLUMNS[2], y, 8.5, Face::Regular, &euros(*amount));
    }
    y += 12.0;
    sheet.frame(36.0, top, 523.0, y - top);
    sheet.line(36.0, top + 18.0, 559.0, top + 18.0);
    for x in [285.0, 338.0, 392.0, 476.0] {
        sheet.line(x, top, x, y);
    }
    y += 10.0;
    sheet.shade(330.0, y, 229.0, 24.0);
    sheet.frame(330.0, y, 229.0, 24.0);
    sheet.text(340.0, y + 16.0, 11.0, Face::Bold, "NET À PAYER (euros)");
    sheet.right(551.0, y + 16.0, 11.0, Face::Bold, &euros(before_tax - tax));
    sheet.text(36.0, y + 10.0, 8.0, Face::Regular, &format!("Cumul brut annuel : {}", euros(gross * months)));
    sheet.text(36.0, y + 22.0, 8.0, Face::Regular, &format!("Cumul net imposable : {}", euros(taxable * months)));
    y + 34.0
}
