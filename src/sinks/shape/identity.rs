//! What receivers know an alert and its incident by. An alert's own id counts entries of one journal, so on its own it
//! is no key in a place that others write to as well; with its time it is, and stays the same at every attempt.

use crate::domain::{alert::Alert, incident::State};

/// The alert's key: where it is there already, the receiver has it.
pub fn alert_key(alert: &Alert) -> String {
    format!("telltale-{}-{}", plain(&alert.id), alert.at.as_millisecond())
}

/// The key of what the alert is about, the same from its incident's opening to its end.
pub fn subject_key(alert: &Alert) -> String {
    match &alert.incident {
        Some(incident) => format!("telltale-{}-{}", plain(&incident.id), incident.opened_at.as_millisecond()),
        None => alert_key(alert),
    }
}

/// Whether somebody looks into the incident already.
pub fn is_acknowledged(alert: &Alert) -> bool {
    alert.incident.as_ref().is_some_and(|incident| incident.state == State::Acknowledged)
}

fn plain(id: &str) -> String {
    id.chars().filter(|character| character.is_ascii_alphanumeric() || *character == '-').take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::shape::sample::samples;

    #[test]
    fn keys_are_short_plain_and_those_of_another_journal_differ() {
        let [incident, mut test] = samples();
        assert_eq!(alert_key(&incident), "telltale-a-1-1767225600000");
        assert_eq!(subject_key(&incident), "telltale-i-1-1767225600000");
        let mut closed = incident.clone();
        (closed.id, closed.at) = ("a-9".to_owned(), "2026-02-01T00:00:00Z".parse().unwrap());
        assert_eq!(subject_key(&closed), subject_key(&incident));
        assert_ne!(alert_key(&closed), alert_key(&incident));
        test.id = "a\r\n/../".repeat(900);
        assert!(alert_key(&test).len() < 100 && !alert_key(&test).contains(['/', '\r', '.']));
    }
}
