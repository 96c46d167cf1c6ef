//! Planting in a store whose rows hold about every second value that could be minted: canaries are minted anew until
//! none of theirs stands in another row.

use crate::support::{
    inbox::Inbox,
    people::{COLUMNS, rows},
    service::{Site, marker},
};

/// Six of ten numbers of the reserved mobile range, from which most canaries' numbers come: every second one clashes.
fn crowded() -> Vec<[String; 8]> {
    let numbers = (0..10_000).filter(|number| number % 10 < 6);
    let mut people = rows(0, 6_000);
    for (row, number) in people.iter_mut().zip(numbers) {
        row[5] = format!("06 39 98 {:02} {:02}", number / 100, number % 100);
    }
    people
}

fn digits(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(9)..].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_are_planted_where_half_of_the_numbers_are_taken() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    let before: Vec<String> =
        [COLUMNS.join(";")].into_iter().chain(crowded().iter().map(|row| row.join(";"))).collect();
    std::fs::write(site.path("export.csv"), before.join("\r\n") + "\r\n").unwrap();
    site.init().await;
    let planted = site.run("plant export --count 40 --json").await.ends(0).json();
    assert_eq!(planted["stores"][0]["planted"], 40);

    let text = std::fs::read_to_string(site.path("export.csv")).unwrap();
    let table: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(';').collect()).collect();
    assert_eq!(table.len(), 6_040);
    let canaries = site.canaries("export").await;
    let planted: Vec<_> = canaries.iter().filter(|canary| canary["state"] == "planted").collect();
    assert_eq!(planted.len(), 40);
    for canary in planted {
        let phone = digits(&marker(canary, "phone"));
        let alike = table.iter().filter(|row| digits(row[5]) == phone).count();
        assert_eq!(alike, 1, "nobody else has the number of {}", canary["canary"]);
        for (kind, column) in [("employee_number", 0), ("work_email", 3), ("username", 4)] {
            let value = marker(canary, kind);
            let alike = table.iter().filter(|row| row[column].eq_ignore_ascii_case(&value)).count();
            assert_eq!(alike, 1, "nobody else has the {kind} of {}", canary["canary"]);
        }
    }
}
