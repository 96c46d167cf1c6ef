//! The claim that came with leaked material, in words: authentic or not, new or out before, one copy or several, and what the
//! rows' versions tell of its time. What is not known is not mentioned.

use crate::{
    case::{
        gather::Traced,
        words::{ENGLISH, bracket, count, day, grouped, moment},
    },
    domain::verdict::{Claim, ClaimedRows, Clocked, Holds, Part, Verdict, Window},
};

/// Leaked files of which a report tells.
const MOST: usize = 5;

/// One sentence for each thing that can be said.
pub fn sentences(verdict: &Verdict) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(claim) = &verdict.claim {
        told.extend(authentic(claim));
        told.extend(claim.rows.as_ref().and_then(|rows| unexplained(rows, verdict)));
        told.extend(recycled(claim));
        told.extend(merged(claim));
    }
    told.extend(verdict.clocked.as_ref().map(clocked));
    told
}

/// What stands in a cell, in words.
pub fn held(holds: Holds) -> String {
    match holds {
        Holds::Marker(kind) => format!("its {kind}"),
        Holds::AsPlanted => "as it stands".to_owned(),
        Holds::Earlier => "as it stood earlier".to_owned(),
        Holds::Other => "something that never stood there".to_owned(),
        Holds::Nothing => "nothing".to_owned(),
    }
}

/// What can be said of each leaked file that was taken in, of the first few.
pub fn of_traces(traces: &[Traced]) -> Vec<String> {
    let mut told = Vec::new();
    for traced in traces.iter().take(MOST) {
        let of = format!("Material taken in on {}, entry {}", moment(traced.at), grouped(traced.entry));
        told.extend(sentences(&traced.verdict).into_iter().map(|sentence| format!("{of}: {sentence}")));
    }
    told
}

fn authentic(claim: &Claim) -> Option<String> {
    let rows = claim.rows.map(counts).filter(|rows| !rows.is_empty());
    let rows = rows.map(|rows| format!(": of the rows of canaries, {rows}")).unwrap_or_default();
    match (claim.authentic, claim.rows) {
        (Some(true), _) => Some(format!("The material is authentic{rows}.")),
        (Some(false), _) => Some(format!("The material is not what it is said to be{rows}.")),
        (None, Some(told)) if told.as_planted + told.altered + told.fabricated > 1 => {
            Some(format!("Whether the material is authentic cannot be said of all of it{rows}."))
        }
        (None, _) => None,
    }
}

fn counts(rows: ClaimedRows) -> String {
    let ClaimedRows { as_planted, altered, fabricated, .. } = rows;
    let parts =
        [(as_planted, "stood so in the store"), (altered, "were altered"), (fabricated, "never stood so in any store")];
    let told = parts.iter().filter(|(number, _)| *number > 0);
    told.map(|(number, what)| format!("{} {what}", grouped(*number))).collect::<Vec<_>>().join(", ")
}

fn unexplained(rows: &ClaimedRows, verdict: &Verdict) -> Option<String> {
    let (unexplained, store) = (rows.unexplained?, verdict.stores.first()?);
    let all = verdict.material.as_ref()?.rows?;
    // A few are chance, and a canary or two that somebody took out.
    (unexplained * 20 > all).then(|| {
        format!(
            "At least {} of its {} rows come from no copy of {} as audits know it: with them it would show more canaries. They \
             were added, or canaries were taken out.",
            grouped(unexplained),
            grouped(all),
            store.store
        )
    })
}

fn recycled(claim: &Claim) -> Option<String> {
    let first = claim.recycled_from.first().map(|earlier| {
        let incident = earlier.incident.as_ref().map(|id| format!(", incident {id}")).unwrap_or_default();
        format!(
            "{} stood word for word in material of {}{incident}",
            count(earlier.rows, "row of a canary", "rows of canaries"),
            day(earlier.received_at)
        )
    });
    match (claim.recycled, first) {
        (Some(true), Some(first)) => Some(format!("It is an earlier leak, published again: {first}.")),
        (Some(true), None) => {
            Some("It is an earlier leak, published again: all its canaries were seen before.".to_owned())
        }
        (Some(false), Some(first)) => Some(format!("It is not only an earlier leak, though {first}: the rest is new.")),
        (Some(false), None) => Some("It was not seen before.".to_owned()),
        (None, Some(first)) => Some(format!(
            "{first}. Whether it is the same copy cannot be told: a new copy of unchanged rows would look alike."
        )),
        (None, None) => None,
    }
}

fn merged(claim: &Claim) -> Option<String> {
    if claim.merged != Some(true) {
        return None;
    }
    let parts: Vec<String> = claim.parts.iter().map(part).collect();
    Some(format!("It was put together from {} copies: {}.", parts.len(), parts.join("; ")))
}

fn part(part: &Part) -> String {
    let taken = match (part.from, part.to) {
        (Some(from), Some(to)) => {
            let (from, to) = bracket(&Window { from, to, confidence: 0.95 }, ENGLISH);
            format!(", taken between {from} and {to}")
        }
        _ => String::new(),
    };
    format!("{} ({}{taken})", part.store, count(part.canaries, "canary", "canaries"))
}

fn clocked(clocked: &Clocked) -> String {
    let window = Window { from: clocked.from, to: clocked.to, confidence: clocked.confidence };
    let (from, to) = bracket(&window, ENGLISH);
    format!(
        "By the salary, title, superior or telephone that stood in each of {}, {} agreeing, the copy was taken between {from} and {to} ({:.0} % \
         confidence).",
        count(clocked.rows, "row", "rows"),
        grouped(clocked.agree),
        (clocked.confidence * 100.0).floor()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::{Earlier, Material, StoreScore};

    fn verdict(claim: Claim) -> Verdict {
        let score = StoreScore {
            store: "payroll".to_owned(),
            accused: true,
            log10_lr: None,
            posterior: None,
            e_value_log10: None,
            ghost_p: None,
            route: None,
            sightings: 1,
            distinct_canaries: 1,
        };
        Verdict {
            stores: vec![score],
            claim: Some(claim),
            material: Some(Material { rows: Some(1_000), ..Material::default() }),
            ..Verdict::default()
        }
    }

    #[test]
    fn says_what_is_known_and_nothing_else() {
        assert!(sentences(&verdict(Claim::default())).is_empty());
        let rows = ClaimedRows { as_planted: 1, altered: 0, fabricated: 0, unexplained: Some(935) };
        let told = sentences(&verdict(Claim { authentic: Some(false), rows: Some(rows), ..Claim::default() }));
        assert_eq!(
            told[0],
            "The material is not what it is said to be: of the rows of canaries, 1 stood so in the store."
        );
        assert!(told[1].starts_with("At least 935 of its 1,000 rows come from no copy of payroll"), "{told:?}");
        let at = |text: &str| text.parse().unwrap();
        let earlier = Earlier { incident: Some("i-9".into()), received_at: at("2026-05-04T08:00:00Z"), rows: 28 };
        let told = sentences(&verdict(Claim {
            recycled: Some(true),
            recycled_from: vec![earlier],
            merged: Some(true),
            parts: vec![
                Part { store: "payroll".into(), canaries: 20, from: None, to: None },
                Part {
                    store: "export".into(),
                    canaries: 1,
                    from: Some(at("2026-05-01T00:00:00Z")),
                    to: Some(at("2026-06-01T00:00:00Z")),
                },
            ],
            ..Claim::default()
        }));
        assert_eq!(
            told,
            [
                "It is an earlier leak, published again: 28 rows of canaries stood word for word in material of 4 May 2026, \
                 incident i-9.",
                "It was put together from 2 copies: payroll (20 canaries); export (1 canary, taken between 1 May 2026 and 31 \
                 May 2026)."
            ]
        );
    }
}
