//! What could be proven, before anything leaks: the design in `plan` and `check`, canaries that feeds leave out, and leaks that
//! are only simulated.

use crate::support::service::{Site, configuration, marker};
use rusqlite::Connection;
use serde_json::Value;

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";

const FED: &str = r#"name = "payroll"
kind = "sqlite"
feeds = ["export"]
columns = { employee_number = "emp_no", given_name = "first_name", family_name = "last_name", work_email = "email", username = "username", phone = "mobile", salary = "salary" }
"#;

fn fed(kept_home: &str) -> String {
    let configured = configuration(NOBODY);
    configured.replace("name = \"payroll\"\nkind = \"sqlite\"\n", &format!("{FED}{kept_home}"))
}

async fn design(site: &Site) -> (Vec<bool>, String) {
    let plan = site.run("plan --json").await.ends(0).json();
    let payroll =
        plan["design"]["outlook"].as_array().unwrap().iter().find(|store| store["store"] == "payroll").unwrap();
    let attributed = payroll["shares"].as_array().unwrap().iter().map(|share| share["attributed"] == true).collect();
    (attributed, plan.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_feeds_another_is_told_once_its_feed_leaves_canaries_out() {
    let site = Site::stocked(240, NOBODY);
    site.configure(&fed(""));
    site.init().await;
    let (attributed, plan) = design(&site).await;
    assert_eq!(attributed, [false; 3], "{plan}");
    assert!(plan.contains("not even a leak of all of payroll would be attributed"), "{plan}");
    assert!(plan.contains("name under [stores.kept_home]"), "{plan}");

    site.configure(&fed("kept_home = { email = \"x\" }\n"));
    let complaint = site.run("plan").await.complaint();
    assert!(complaint.contains("kept_home") && complaint.contains("name another"), "{complaint}");
    site.configure(&fed("kept_home = { left_on = \"2024-12-31\" }\n"));
    assert!(site.run("plant payroll").await.complaint().contains("there is no column \"left_on\""));

    site.configure(&fed("kept_home = { city = \"Archives\" }\n"));
    let (attributed, plan) = design(&site).await;
    assert!(attributed[0], "{plan}");
    assert!(!plan.contains("name under [stores.kept_home]"), "{plan}");
    let shown = site.run("plan").await.ends(0).stdout;
    assert!(shown.contains("would give") && shown.contains("rows that several stores have in common"), "{shown}");

    // Before the planting, the plan is simulated; after it, what stands.
    let before = site.run("drill --simulate --trials 2 --seed 5 --json").await.ends(0).json();
    assert_eq!((&before["basis"], &before["stores"][1]), (&"planned".into(), &"payroll".into()), "{before}");
    site.run("plant").await.ends(0);
    let database = Connection::open(site.path("payroll.db")).unwrap();
    let count = |wanted: &str| -> usize {
        let query = format!("select count(*) from employees where {wanted}");
        database.query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap() as usize
    };
    let planted = count("true") - 240;
    assert_eq!((planted, count("city = 'Archives'")), (12, 6));
    site.run("verify").await.ends(0);
    let check = site.run("check --json").await.json();
    let item = check["items"].as_array().unwrap().iter().find(|item| item["what"] == "design").unwrap();
    assert_eq!(item["state"], "ok", "{check}");

    let simulated = site.run("drill --simulate --trials 3 --json").await.ends(0).json();
    assert_eq!((&simulated["basis"], &simulated["canaries"]), (&"planted".into(), &24.into()));
    for row in simulated["rows"].as_array().unwrap() {
        let of = |key: &str| row[key].as_u64().unwrap();
        assert_eq!(of("asserted") + of("wrong") + of("inconclusive") + of("unseen"), 3, "{row}");
        assert_eq!(of("wrong"), 0, "{row}");
    }
    assert_eq!(simulated["rows"][0]["asserted"], 3, "{simulated}");
    // A window ends when it is asked for; the counts are the seed's.
    let counts = |simulated: &Value| -> Vec<Vec<u64>> {
        let rows = simulated["rows"].as_array().unwrap().iter();
        let of = |row: &Value| {
            ["asserted", "inconclusive", "unseen", "sources_told"].map(|key| row[key].as_u64().unwrap()).to_vec()
        };
        rows.map(of).collect()
    };
    let again = site.run("drill --simulate --trials 3 --json").await.ends(0).json();
    assert_eq!(counts(&again), counts(&simulated));
    let shown = site.run("drill --simulate --trials 1").await.ends(0).stdout;
    assert!(shown.contains("holds the truth") && shown.contains("0 wrong among "), "{shown}");
    site.run("drill --simulate --trials 0").await.complaint();

    // And a leak that did happen is told by the ones that stayed at home.
    let canaries = site.canaries("payroll").await;
    let leak: String = canaries.iter().map(|canary| marker(canary, "work_email") + ";\n").collect();
    std::fs::write(site.path("leak.csv"), leak).unwrap();
    let verdict = site.run("trace leak.csv --json").await.json();
    assert_eq!(
        (&verdict["verdict"], &verdict["stores"][0]["route"]),
        (&"attributed".into(), &"ghosts".into()),
        "{verdict}"
    );
    site.run("withdraw").await.ends(0);
    assert_eq!(count("true"), 240);
}

#[tokio::test]
async fn a_value_of_a_canary_in_a_real_row_is_told_by_kind() {
    let site = Site::stocked(120, NOBODY);
    site.init().await;
    site.run("plant payroll --count 6").await.ends(0);
    let said = |check: &serde_json::Value| check["items"].to_string().contains("markers in payroll");
    assert!(!said(&site.run("check --json").await.json()));
    // Somebody real gets a canary's login.
    let login = marker(&site.canaries("payroll").await[0], "username");
    let database = Connection::open(site.path("payroll.db")).unwrap();
    database.execute("update employees set username = null where username = ?1", [&login]).unwrap();
    database
        .execute("update employees set username = ?1 where emp_no = (select min(emp_no) from employees)", [&login])
        .unwrap();
    drop(database);
    let check = site.run("check --json").await.json();
    assert!(said(&check) && check["items"].to_string().contains("1 username"), "{check}");
    assert!(!check.to_string().contains(&login), "values are not told");
    let plan = site.run("plan --store payroll --json").await.ends(0).json();
    assert!(plan["stores"][0]["notes"].to_string().contains("1 username"), "{plan}");
}
