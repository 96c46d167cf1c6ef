//! A staff list as an XLSX workbook. The markers stand in its cells; the document's properties say, by address, which of
//! these people made it.

use crate::{
    documents::Document,
    field::Field,
    persona::{House, Persona},
};
use jiff::civil::Date;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatBorder, Url, Workbook, XlsxError};

/// A list of these people, as of the month after the last of them was hired; with a link to follow where one is given.
pub fn staff_list(personas: &[Persona], house: &House, link: Option<&str>) -> Document {
    let hired = personas.iter().filter_map(|persona| persona.get(Field::HireDate).parse::<Date>().ok()).max();
    let last = hired.unwrap_or(jiff::civil::date(2026, 1, 1)).last_of_month();
    let day = last.tomorrow().unwrap_or(last);
    let name = format!("Liste_du_personnel_{}-{:02}.xlsx", day.year(), day.month());
    // The writer refuses only what is beyond a sheet's million rows or a link's 2,080 characters.
    let bytes = write(personas, house, link, day).or_else(|_| write(personas, house, None, day)).unwrap_or_default();
    Document { name, bytes }
}

fn write(personas: &[Persona], house: &House, link: Option<&str>, day: Date) -> Result<Vec<u8>, XlsxError> {
    let stamp = ExcelDateTime::from_ymd(day.year() as u16, day.month() as u8, day.day() as u8)?.and_hms(7, 45, 0.0)?;
    let address = personas.first().map(|persona| persona.get(Field::WorkEmail)).filter(|address| !address.is_empty());
    let mut workbook = Workbook::new();
    workbook.set_properties(
        &DocProperties::new()
            .set_title("Liste du personnel")
            .set_author(address.unwrap_or("Ressources humaines"))
            .set_company(&house.organisation)
            .set_creation_datetime(&stamp),
    );
    let heading = Format::new().set_bold().set_background_color(0xD9E1F2).set_border(FormatBorder::Thin);
    let dated = Format::new().set_num_format("dd/mm/yyyy");
    let sheet = workbook.add_worksheet();
    sheet.set_name("Personnel")?;
    sheet.write_with_format(
        0,
        0,
        format!("{} - liste du personnel", house.organisation),
        &Format::new().set_bold().set_font_size(13),
    )?;
    let mut columns = 0;
    for (column, row) in include_str!("../../documents/fr_FR/staff_list.tsv").lines().enumerate() {
        let [header, field, width] = row.split('\t').collect::<Vec<_>>()[..] else { continue };
        let (Ok(field), column) = (field.parse::<Field>(), column as u16) else { continue };
        sheet.set_column_width(column, width.parse::<f64>().unwrap_or(14.0))?;
        sheet.write_with_format(2, column, header, &heading)?;
        for (place, persona) in personas.iter().enumerate() {
            let (row, value) = (place as u32 + 3, persona.get(field));
            match (field, value.parse::<Date>()) {
                (Field::HireDate, Ok(date)) => {
                    let date = ExcelDateTime::from_ymd(date.year() as u16, date.month() as u8, date.day() as u8)?;
                    sheet.write_with_format(row, column, &date, &dated)?;
                }
                (Field::FamilyName, _) => drop(sheet.write(row, column, value.to_uppercase())?),
                (Field::Phone, _) => drop(sheet.write(row, column, national(value))?),
                _ => drop(sheet.write(row, column, value)?),
            }
        }
        columns = column;
    }
    sheet.autofilter(2, 0, personas.len() as u32 + 2, columns)?;
    sheet.set_freeze_panes(3, 0)?;
    if let Some(link) = link {
        let row = personas.len() as u32 + 4;
        sheet.write_url_with_text(row, 0, Url::new(link), "Version à jour et organigramme")?;
    }
    workbook.save_to_buffer()
}

/// `+33639981234` as `06 39 98 12 34`.
fn national(phone: &str) -> String {
    let Some(rest) = phone.strip_prefix("+33") else { return phone.to_owned() };
    let digits = format!("0{rest}");
    digits.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}
