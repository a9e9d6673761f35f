//! Plans, findings and reports as text.

pub mod backup;
pub mod chain;
pub mod forget;
pub mod inspect;
pub mod monitor;
pub mod purge;
pub mod recover;
pub mod restore;
pub mod restore_page;
pub mod restore_set;
pub mod sets;
pub mod survey;
pub mod verify;

use anchorlog_format::finding::Finding;

/// What, where, what it means, what to do next.
pub fn finding(finding: &Finding) -> String {
    let place = finding.place.to_string();
    let mut text = finding.severity.to_string();
    if let Some(jet) = finding.jet {
        text.push_str(&format!(" {jet}"));
    }
    if !place.is_empty() {
        text.push_str(&format!(": {place}"));
    }
    text.push_str(&format!(": {}", finding.message));
    if let Some(rule) = finding.rule {
        text.push_str(&format!(" [{rule}]"));
    }
    let meaning = finding.jet.map_or("", |jet| jet.meaning());
    if finding.severity == anchorlog_format::finding::Severity::Error && !meaning.is_empty() {
        text.push_str(&format!("\n  means: {meaning}"));
    }
    if !finding.hint.is_empty() {
        text.push_str(&format!("\n  next:  {}", finding.hint));
    }
    text
}

/// A number of bytes as people say it: rounded, with one decimal place where that tells something.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let power = (count.max(1).ilog2() / 10).min(4);
    if power == 0 {
        return format!("{count} bytes");
    }
    // In tenths, rounded.
    let tenths = ((u128::from(count) * 10) + (1 << (10 * power - 1))) >> (10 * power);
    let unit = UNITS.get(power as usize - 1).copied().unwrap_or_default();
    match (tenths / 10, tenths % 10) {
        (whole @ 0..10, tenth @ 1..) => format!("{whole}.{tenth} {unit}"),
        (whole, tenth) => format!("{} {unit}", whole + u128::from(tenth >= 5)),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_rounded_and_not_stretched() {
        let sizes = [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (8 << 20, "8 MiB"),
            (1_075_937_280, "1 GiB"),
        ];
        for (count, text) in sizes {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(bytes((850 << 20) + (600 << 10)), "851 MiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
    }
}
