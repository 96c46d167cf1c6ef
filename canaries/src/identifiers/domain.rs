//! Names of mail domains, as the DNS takes them. Whether one exists is asked elsewhere.

/// Whether mail could ever be sent to this domain: two labels or more, in ASCII, the last of them no number.
pub fn is_valid(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(is_label)
        && labels.last().is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_dns_takes_is_a_domain() {
        for domain in ["courriel.example.org", "xn--caf-dma.example", "A-1.example.org", "1.2.example"] {
            assert!(is_valid(domain), "{domain}");
        }
        let long = format!("{}.example", "a".repeat(64));
        for text in ["", "intranet", "@a.example", "a b.example", "café.example", "a..example", "a.example.", &long] {
            assert!(!is_valid(text), "{text}");
        }
        for text in ["127.0.0.1", "-a.example", "a-.example", "a_b.example", "https://a.example", "[::1]"] {
            assert!(!is_valid(text), "{text}");
        }
    }
}
