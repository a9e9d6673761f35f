//! What a JET code means and what to do, and what the invariants say whose numbers findings name.

use anchorlog_database::check::rule::Rule;
use anchorlog_format::jet::{Entry, JetCode};
use serde::Serialize;

/// The explanation of a code.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The number.
    pub code: i32,
    /// As Windows prints it.
    pub hexadecimal: String,
    /// As some tools print it.
    pub unsigned: u32,
    /// What is known; `None` for a number that is no JET code that we know.
    #[serde(flatten)]
    pub entry: Option<Entry>,
    /// Another reading of the number, where there is one (trap O3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// An invariant that every database keeps (`db-3 §18`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Invariant {
    /// Its number, as findings of `verify` name it.
    pub invariant: &'static str,
    /// What holds.
    pub meaning: &'static str,
}

/// The invariant with a number such as `I24`, in either case or as findings write it, `[I24]`; `None` for text that is none.
#[must_use]
pub fn invariant(text: &str) -> Option<Invariant> {
    let number = text.trim().trim_start_matches('[').trim_end_matches(']');
    let rule = Rule::all().find(|rule| rule.number().eq_ignore_ascii_case(number))?;
    Some(Invariant { invariant: rule.number(), meaning: rule.meaning() })
}

/// Explains a code in any form; `None` for text that is none.
#[must_use]
pub fn explain(text: &str) -> Option<Explanation> {
    let code = JetCode::parse(text)?;
    let entry = code.entry().copied();
    Some(Explanation {
        code: code.0,
        hexadecimal: format!("{:#010X}", code.unsigned()).replacen("0X", "0x", 1),
        unsigned: code.unsigned(),
        note: note(text, code, entry.as_ref()),
        entry,
    })
}

fn note(text: &str, code: JetCode, entry: Option<&Entry>) -> Option<String> {
    if entry.is_none() && code.0 > 0 {
        return Some(
            "a positive number this large is usually a code of the service or of Windows around the engine, not of the engine"
                .into(),
        );
    }
    if entry.is_none() {
        return Some("not a code of the engine: another component's number may look like this".into());
    }
    let read_as_error = code.0 < 0 && text.trim().parse::<i32>().is_ok_and(|number| number > 0);
    read_as_error.then(|| format!("read as the error {}; the number without its sign can also be another component's", code.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o3_a_number_of_another_component_is_said_to_be_one() {
        assert!(explain("1811").unwrap().note.unwrap().contains("another component"));
        assert!(explain("-99999").unwrap().note.unwrap().contains("another component"));
        assert!(explain("-1811").unwrap().note.is_none());
        assert!(explain("nonsense").is_none());
    }

    #[test]
    fn an_invariant_is_known_by_the_number_that_findings_name() {
        let found = Some(Invariant { invariant: "I24", meaning: "entries of a leaf ascend" });
        assert_eq!(["I24", "i24", "[I24]"].map(invariant), [found; 3]);
        assert_eq!(["I0", "I51", "24", ""].map(invariant), [None; 4]);
    }

    #[test]
    fn a_code_is_shown_in_every_form_that_event_logs_use() {
        let found = explain("JET_errAttachedDatabaseMismatch").unwrap();
        assert_eq!((found.code, found.hexadecimal.as_str(), found.unsigned), (-1216, "0xFFFFFB40", 4_294_966_080));
    }
}
