//! The key that signs proofs: made, read, and shown.

use super::vault::{open, trouble, write_key_file};
use crate::args::proof::{KeyProof, ProofKeyFrom};
use crate::exit::{Exit, Trouble};
use crate::{Outcome, now};
use anchorlog_operations::sets::{ProofKey, ProofKeys, PublicKey};
use anchorlog_vault::Vault;
use serde_json::json;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// The key in the file that the arguments name: one of the vault's, where it has any.
pub fn given(from: &ProofKeyFrom, vault: &dyn Vault) -> Result<Option<ProofKey>, Trouble> {
    let Some(path) = &from.proof_key else { return Ok(None) };
    let text = fs::read_to_string(path).map_err(|error| Trouble::key_file(path, &error))?;
    let hint = "Name the file that `vault init --new-proof-key` made: 64 hexadecimal digits.";
    let no_key = || Trouble::usage(format!("{} is no proof key", path.display()), hint);
    let key = ProofKey::parse(&text).ok_or_else(no_key)?;
    let known = ProofKeys::read(vault).map_err(|error| trouble(&error))?.public;
    if known.is_empty() || known.contains(&key.public()) {
        return Ok(Some(key));
    }
    let message = format!("the key in {} signs as {}, which is none of this vault's", path.display(), key.public());
    Err(Trouble::usage(message, "`anchorlog vault key proof` shows what the vault knows: give the file that belongs to it."))
}

/// Makes a key in a file that only its owner may read; one that is there stays.
pub fn make(path: &Path) -> Result<ProofKey, Trouble> {
    let key = ProofKey::new().map_err(|error| Trouble::key_file(path, &error))?;
    write_key_file(path, &key.to_file())?;
    Ok(key)
}

/// Gives a new vault the key: the public half of the one that its owner keeps, or a whole one.
pub fn settle(vault: &dyn Vault, kept: Option<&ProofKey>) -> Result<Option<PublicKey>, Trouble> {
    let now = now::log_time(jiff::Timestamp::now()).into();
    let key = ProofKeys::signer_or_new(vault, kept, now).map_err(|error| trouble(&error))?;
    Ok(key.map(|key| key.public()))
}

/// `vault key proof`.
pub fn show(arguments: &KeyProof, as_json: bool) -> Outcome {
    let keys = ProofKeys::read(&open(&arguments.at)?).map_err(|error| trouble(&error))?;
    let inside = keys.inside.as_ref().map(ProofKey::public);
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{}", json!({ "proof_keys": keys.public, "inside": inside, "unreadable": keys.unreadable }))?;
    } else {
        for key in &keys.public {
            let place = if Some(*key) == inside { "lies in the vault" } else { "is kept outside the vault" };
            writeln!(out, "{key}  what signs {place}")?;
        }
        for why in &keys.unreadable {
            writeln!(out, "damaged: {why}")?;
        }
        if keys.public.is_empty() && keys.unreadable.is_empty() {
            writeln!(out, "no proof key yet: the first drill makes one, or takes the one of --proof-key")?;
        }
    }
    Ok(if keys.unreadable.is_empty() { Exit::Done } else { Exit::Findings })
}
