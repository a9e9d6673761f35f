//! Holds: what keeps a set from being forgotten, by whomever it is asked for.
//!
//! A hold is an attachment of its set, so that nothing that was published changes; the newest one counts. [`crate::Vault::forget`] itself looks
//! at it, below the lock that keeps others away: a rule of a caller would be passed by whoever calls something else. Programs that know
//! nothing of it, stock restic among them, still forget such a set.

use crate::Attachment;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const FORMAT: &str = "anchorlog hold";
const VERSION: u32 = 1;

/// A hold on a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// When it ends by itself; none: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u32,
    held: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    reason: String,
}

impl Hold {
    /// Name of the attachment.
    pub const NAME: &str = "hold.json";

    /// What to attach to a set in order to hold it; without a hold, to give it free.
    ///
    /// # Errors
    /// None that a hold could cause; those of the writer of JSON.
    pub fn document(hold: Option<&Self>) -> serde_json::Result<Vec<u8>> {
        let Self { until, reason } = hold.cloned().unwrap_or_default();
        serde_json::to_vec_pretty(&Document { format: FORMAT.into(), version: VERSION, held: hold.is_some(), until, reason })
    }
    /// The hold among the attachments of a set, given oldest first; `None`: the set is free. One that cannot be read holds.
    #[must_use]
    pub fn among(attachments: &[Attachment]) -> Option<Self> {
        Self::read(&attachments.iter().rfind(|attachment| attachment.name.as_str() == Self::NAME)?.bytes)
    }
    /// Whether it still holds at `now`.
    #[must_use]
    pub fn is_in_effect(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
    /// What a document says; `None`: the set is free.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let unreadable = |why: String| Some(Self { until: None, reason: format!("its hold cannot be read ({why})") });
        match serde_json::from_slice::<Document>(bytes) {
            Err(error) => unreadable(error.to_string()),
            Ok(document) if document.format != FORMAT || document.version > VERSION => {
                unreadable(format!("{} of version {}", document.format, document.version))
            }
            Ok(Document { held, until, reason, .. }) => held.then_some(Self { until, reason }),
        }
    }
}

impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is held")?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    fn attached(documents: &[Vec<u8>]) -> Vec<Attachment> {
        let named =
            |(bytes, time): (&Vec<u8>, i64)| Attachment { name: Name::new(Hold::NAME).unwrap(), time, bytes: bytes.clone() };
        documents.iter().zip(1..).map(named).collect()
    }
    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_newest_hold_counts_until_its_time_is_over() {
        let hold = Hold { until: Some(at("2026-05-01T00:00:00Z")), reason: "an audit".into() };
        let (held, free) = (Hold::document(Some(&hold)).unwrap(), Hold::document(None).unwrap());
        assert_eq!(Hold::among(&attached(&[free.clone(), held.clone()])), Some(hold.clone()));
        assert_eq!(Hold::among(&attached(&[held, free])), None);
        assert_eq!(Hold::among(&[]), None);
        assert!(hold.is_in_effect(at("2026-04-30T23:59:59Z")) && !hold.is_in_effect(at("2026-05-01T00:00:00Z")));
        assert!(Hold::default().is_in_effect(at("9999-01-01T00:00:00Z")));
        assert_eq!(hold.to_string(), "it is held until 2026-05-01T00:00:00Z: an audit");
    }

    #[test]
    fn a_hold_that_cannot_be_read_holds() {
        let later = br#"{"format":"anchorlog hold","version":2,"held":false}"#.to_vec();
        for bytes in [b"{".to_vec(), later] {
            assert!(Hold::among(&attached(&[bytes])).is_some());
        }
    }
}
