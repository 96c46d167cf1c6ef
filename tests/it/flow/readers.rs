//! Planted documents in ordinary readers: they open without a warning, look like something, and show their markers in
//! text and metadata, as a thief will see them.

use crate::{
    stores::rows::peer,
    support::{
        inbox::Inbox,
        service::{Site, configuration},
    },
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A site with a folder in which these many documents were planted; answers the register.
async fn planted(count: u32) -> (Site, Vec<Value>) {
    peer("TELLTALE_TEST_READERS");
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    fs::create_dir(site.path("papers")).unwrap();
    for number in 0..8 {
        fs::write(site.path(&format!("papers/note{number}.txt")), "Note de service\n").unwrap();
    }
    let folder = "[[stores]]\nname = \"papers\"\nkind = \"folder\"\npath = \"papers\"\n";
    let text = configuration(&inbox.address).replace("http://127.0.0.1:9", "https://docs.example.org");
    site.configure(&format!("{text}{folder}"));
    site.init().await;
    site.run(&format!("plant papers --count {count} --json")).await.ends(0);
    let canaries = site.canaries("papers").await;
    assert_eq!(canaries.len(), count as usize);
    (site, canaries)
}

/// Runs a reader, which must neither fail nor complain; answers what it says.
#[track_caller]
fn reads(program: &str, arguments: &[&str], path: &Path) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).arg(path);
    if program == "pdftotext" {
        command.arg("-");
    }
    let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}: run tests/run"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{program} {arguments:?}: {}: {complaint}", output.status);
    output.stdout
}

/// Without the blanks that group the digits of long numbers.
fn dense(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect()
}

/// The values of a canary's markers of these kinds, as documents write them: telephone numbers nationally.
fn markers(canary: &Value, kinds: &[&str]) -> Vec<String> {
    let markers = canary["markers"].as_array().unwrap().iter();
    let chosen: Vec<&Value> = markers.filter(|marker| kinds.contains(&marker["kind"].as_str().unwrap())).collect();
    assert!(kinds.iter().all(|kind| chosen.iter().any(|marker| marker["kind"] == *kind)), "{kinds:?} of {canary}");
    let value = |marker: &Value| {
        let value = marker["value"].as_str().unwrap();
        if marker["kind"] == "phone" { value.replacen("+33", "0", 1) } else { value.to_owned() }
    };
    chosen.into_iter().map(value).collect()
}

#[track_caller]
fn holds(what: &str, text: &str, values: &[String]) {
    for value in values {
        let dense: String = value.split_whitespace().collect();
        assert!(text.contains(&dense), "{what} does not show {value:?}: {text}");
    }
}

fn of_kind<'c>(site: &Site, canaries: &'c [Value], kind: &str) -> Vec<(PathBuf, &'c Value)> {
    let file = |canary: &Value| site.path("papers").join(canary["locator"].as_str().unwrap());
    canaries.iter().filter(|canary| canary["kind"] == kind).map(|canary| (file(canary), canary)).collect()
}

#[tokio::test]
async fn a_payslip_opens_in_pdf_readers_and_shows_its_markers() {
    let (site, canaries) = planted(6).await;
    let payslips = of_kind(&site, &canaries, "payslip");
    assert!(payslips.len() >= 3, "{canaries:?}");
    for (path, canary) in payslips {
        let values = markers(canary, &["nir", "iban", "employee_number"]);
        let verdict = String::from_utf8(reads("qpdf", &["--check"], &path)).unwrap();
        assert!(verdict.contains("No syntax or stream encoding errors found"), "{verdict}");
        holds("the text", &dense(&reads("pdftotext", &["-layout", "-enc", "UTF-8"], &path)), &values);
        let number = markers(canary, &["employee_number"]);
        holds("the information", &dense(&reads("pdfinfo", &["-enc", "UTF-8"], &path)), &number);
        holds("the XMP metadata", &dense(&reads("pdfinfo", &["-meta"], &path)), &number);
        holds("the links", &dense(&reads("pdfinfo", &["-url"], &path)), &markers(canary, &["document_link"]));
        // One page with ink on it: between a few and most of its dots are dark.
        let picture = reads("pdftoppm", &["-gray", "-r", "36"], &path);
        assert!(picture.starts_with(b"P5") && picture.windows(2).filter(|pair| *pair == b"P5").count() == 1);
        let dark = picture.iter().filter(|dot| **dot < 200).count();
        assert!((picture.len() / 200..picture.len() / 2).contains(&dark), "{dark} of {} dots", picture.len());
    }
}

#[tokio::test]
async fn a_staff_list_opens_in_spreadsheets_and_shows_its_markers() {
    let (site, canaries) = planted(6).await;
    let lists = of_kind(&site, &canaries, "staff_list");
    assert!(!lists.is_empty(), "{canaries:?}");
    let python = peer("TELLTALE_TEST_READERS");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/read_sheet.py");
    for (path, canary) in lists {
        let cells = markers(canary, &["work_email", "employee_number", "phone"]);
        // The first of the list made it.
        let author = &markers(canary, &["work_email"])[..1];
        let read: Value = serde_json::from_slice(&reads(&python, &[script], &path)).unwrap();
        holds("the cells", &dense(read["cells"].to_string().as_bytes()), &cells);
        holds("the properties", &dense(read["properties"].to_string().as_bytes()), author);
        holds("the links", &dense(read["links"].to_string().as_bytes()), &markers(canary, &["document_link"]));

        let csv = converted(&site, &path, "csv:Text - txt - csv (StarCalc):59,34,76");
        holds("LibreOffice's CSV", &dense(&fs::read(csv).unwrap()), &cells);
        let pdf = converted(&site, &path, "pdf");
        reads("qpdf", &["--check"], &pdf);
        holds("LibreOffice's information", &dense(&reads("pdfinfo", &["-enc", "UTF-8"], &pdf)), author);
    }
}

/// What LibreOffice makes of it, in a profile of this test's own.
fn converted(site: &Site, path: &Path, format: &str) -> PathBuf {
    let (out, profile) = (site.path("converted"), site.path("profile"));
    let output = Command::new("timeout")
        .args(["120", "soffice", "--headless", "--norestore"])
        .arg(format!("-env:UserInstallation=file://{}", profile.display()))
        .args(["--convert-to", format, "--outdir"])
        .arg(&out)
        .arg(path)
        .output()
        .unwrap();
    let made = out.join(path.file_name().unwrap()).with_extension(format.split(':').next().unwrap());
    assert!(output.status.success() && made.exists(), "{format}: {output:?}");
    made
}
