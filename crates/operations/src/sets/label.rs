//! The label of a set, and its hold: attachments, of which the newest of each name counts.

use anchorlog_vault::{Attachment, Error, Hold, Name, Place, SetId, Vault};
use serde::{Deserialize, Serialize};

/// What a label says that it is.
const FORMAT: &str = "anchorlog label";
/// The version that is written, and the highest that is read.
const VERSION: u32 = 1;
/// Name of the attachment.
const NAME: &str = "label.json";

#[derive(Serialize, Deserialize)]
struct Label {
    format: String,
    version: u32,
    label: String,
}

/// Gives a set a label; an empty one takes it away. The one with which the set was made is covered by it.
///
/// # Errors
/// The vault's; a newer label that was made by a machine whose clock is ahead of this one.
pub fn label(vault: &dyn Vault, set: &SetId, label: &str) -> anchorlog_vault::Result<()> {
    let document = Label { format: FORMAT.into(), version: VERSION, label: label.into() };
    attach(vault, set, NAME, &serde_json::to_vec_pretty(&document))
}

/// Holds a set, or gives it free: [`anchorlog_vault::hold`].
///
/// # Errors
/// The vault's; a newer hold that was made by a machine whose clock is ahead of this one.
pub fn hold(vault: &dyn Vault, set: &SetId, hold: Option<&Hold>) -> anchorlog_vault::Result<()> {
    attach(vault, set, Hold::NAME, &Hold::document(hold))
}

/// The label among the attachments of a set.
pub(super) fn among(attachments: &[Attachment]) -> Option<String> {
    let newest = attachments.iter().rfind(|attachment| attachment.name.as_str() == NAME)?;
    let read = serde_json::from_slice::<Label>(&newest.bytes).ok();
    read.filter(|label| label.format == FORMAT && label.version <= VERSION).map(|label| label.label)
}

/// Attaches a document and looks that it is the newest of its name: it would not count otherwise.
fn attach(vault: &dyn Vault, set: &SetId, name: &str, document: &serde_json::Result<Vec<u8>>) -> anchorlog_vault::Result<()> {
    let failed = |why: String| Error::Storage(Place::set(set), std::io::Error::other(why));
    let bytes = document.as_ref().map_err(|error| failed(error.to_string()))?;
    let Some(name) = Name::new(name) else { return Err(failed(format!("{name} is no name"))) };
    vault.attach(set, &name, bytes)?;
    let attachments = vault.attachments(set)?;
    match attachments.iter().rfind(|attachment| attachment.name == name) {
        Some(newest) if newest.bytes == *bytes => Ok(()),
        _ => Err(failed(format!("{name} is older than another one: the clock of this machine or of the one before is wrong"))),
    }
}
