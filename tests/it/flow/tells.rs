//! What would tell a thief which of the stolen rows and documents are canaries, looked for in what was really planted.

use crate::support::{
    inbox::Inbox,
    service::{Site, configuration},
};
use std::fs;

#[tokio::test]
async fn no_document_is_dated_in_the_future() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    fs::create_dir(site.path("papers")).unwrap();
    let folder = "[[stores]]\nname = \"papers\"\nkind = \"folder\"\npath = \"papers\"\n";
    site.configure(&format!("{}{folder}", configuration(&inbox.address)));
    site.init().await;
    site.run("plant papers --count 6 --json").await.ends(0);
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let mut payslips = 0;
    for file in fs::read_dir(site.path("papers")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let Some((_, created)) = text.split_once("<xmp:CreateDate>") else { continue };
        let created: jiff::civil::Date = created[..10].parse().unwrap();
        assert_eq!(created, today.first_of_month().yesterday().unwrap(), "the last day of the last month");
        assert!(text.contains(&created.strftime("(D:%Y%m%d083000").to_string()), "the information says the same");
        assert!(text.contains(&created.strftime("Date de paiement : %d/%m/%Y").to_string()), "so does the page");
        payslips += 1;
    }
    assert!(payslips >= 3, "{payslips}");
}
