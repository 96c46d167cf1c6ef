//! `telltale plan`: every generation that stands in a store counts as canaries, and none as staff.

use crate::support::service::Site;
use serde_json::Value;

const STAFF: u64 = 200;

async fn planned(site: &Site) -> Value {
    site.run("plan --store export --json").await.ends(0).json()["stores"][0].clone()
}

#[tokio::test]
async fn earlier_generations_count_as_canaries_and_not_as_staff() {
    let site = Site::stocked(STAFF as usize, "127.0.0.1:9");
    site.init().await;
    let before = planned(&site).await;
    let count = before["count"].as_u64().unwrap();
    assert_eq!(count, STAFF / 20, "5 % of the staff, and no more");
    let share = |canaries: u64| canaries as f64 / (STAFF + canaries) as f64;
    let shares = |plan: &Value, canaries: u64| (plan["share"].as_f64().unwrap() - share(canaries)).abs() < 1e-9;
    assert!(shares(&before, count), "{before}");

    site.run("plant export --json").await.ends(0);
    for generation in 1..=3 {
        site.run("rotate export --json").await.ends(0);
        let plan = planned(&site).await;
        let earlier = generation * count;
        assert_eq!(plan["count"], count, "canaries are no staff: {plan}");
        assert_eq!([&plan["live"], &plan["earlier"]], [count, earlier]);
        assert_eq!(plan["rows"], STAFF + earlier + count);
        assert!(shares(&plan, earlier + count), "{plan}");
        let notes = plan["notes"].to_string();
        let said = format!("{earlier} live canaries of earlier generations it would hold {}", earlier + count);
        assert!(notes.contains(&said) && notes.contains("more than 5 %"), "{notes}");
    }
    let shown = site.run("plan --store export").await.ends(0).stdout;
    assert!(shown.contains(&format!("{:.2} %", share(4 * count) * 100.0)), "{shown}");

    site.run("withdraw export --json").await.ends(0);
    let after = planned(&site).await;
    assert_eq!([&after["live"], &after["earlier"], &after["rows"]], [0, 0, STAFF]);
}
