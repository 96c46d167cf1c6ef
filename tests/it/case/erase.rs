//! Erasing destroys a key: what it sealed is gone, the chain stays whole, and it says what is not gone.

use crate::case::leak;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_key_leaves_the_chain_whole() {
    let leak = leak().await;
    let site = &leak.site;
    let report = site.run(&format!("report {} --json", leak.incident)).await.ends(0).json();
    let file = report["materials"][0]["file"].as_str().unwrap().to_owned();
    let canary = leak.canaries[0]["canary"].as_str().unwrap().to_owned();
    // Not without being meant, and no canary that still stands.
    let complaint = site.run(&format!("evidence erase {file}")).await.complaint();
    assert!(complaint.contains("--yes"), "{complaint}");
    let complaint = site.run(&format!("evidence erase {canary} --yes")).await.complaint();
    assert!(complaint.contains("withdraw export"), "{complaint}");
    let held = site.path("data/evidence").join(&file);
    let sealed = std::fs::read(&held).unwrap();
    let verified = site.run("evidence verify --json").await.ends(0).json();
    assert_eq!(verified["evidence_files"], 1, "{verified}");
    // Of what was taken in a byte that is flipped, cut off or added is found too, and that all of it is gone.
    let mut flipped = sealed.clone();
    flipped[sealed.len() / 2] ^= 1;
    for harmed in [Some(flipped), Some(sealed[..sealed.len() - 1].to_vec()), Some([&sealed[..], b"x"].concat()), None] {
        match harmed {
            Some(bytes) => std::fs::write(&held, bytes).unwrap(),
            None => std::fs::remove_file(&held).unwrap(),
        }
        let verified = site.run("evidence verify --json").await.ends(3).json();
        assert!(verified["faults"][0].as_str().unwrap().contains(&file), "{verified}");
    }
    std::fs::write(&held, &sealed).unwrap();
    let erased = site.run(&format!("evidence erase {file} --yes --json")).await.ends(0).json();
    assert!(erased["remains"].to_string().contains("backups made before hold the key"), "{erased}");
    assert!(!site.path("data/evidence").join(&file).exists());
    site.run(&format!("evidence erase {file} --yes")).await.complaint();

    site.run("withdraw --json").await.ends(0);
    let erased = site.run(&format!("evidence erase {canary} --yes --json")).await.ends(0).json();
    // Planned, planted, seen at the portal and in the file.
    assert_eq!(erased["entries"], 4, "{erased}");
    assert_eq!(site.run("evidence verify --json").await.ends(0).json()["faults"], json!([]));
    assert!(!site.run("canaries list --reveal --json").await.ends(0).stdout.contains(&canary));
    let after = site.run(&format!("report {} --json", leak.incident)).await.ends(0).json();
    assert_eq!(after["figures"]["sightings_erased"], 2, "{}", after["figures"]);
    assert_eq!(after["figures"]["sightings"], 10, "what was counted stays counted");
    // The case file is sound all the same, and proves the closed entries too.
    leak.export("case", "").await;
    assert_eq!(site.run("evidence verify case --json").await.ends(0).json()["faults"], json!([]));
    // A touch at what is forgotten is a stranger's.
    let serving = site.serve().await;
    serving.settled().await;
    let login = crate::support::service::marker(&leak.canaries[0], "username");
    let source = std::net::Ipv4Addr::new(198, 51, 100, 9);
    let client = crate::support::serving::client();
    let status =
        crate::support::traffic::log_in(&client, serving.address("portal"), source, &login, "Hiver2025!").await;
    assert_eq!(status.unwrap(), 401);
    serving.terminate().await;
}
