//! `anchorlog vault`, and how every other command opens one.

use super::{object_lock, proof_key};
use crate::Outcome;
use crate::args::vault::{At, CheckVault, Init, KeyCommand, SecretFrom, VaultCommand};
use crate::exit::{Exit, Trouble, told};
use crate::location::Location;
use crate::render;
use anchorlog_operations::sets::ProofKeys;
use anchorlog_vault::restic::{CreateOptions, Depth, Id, KEY_FILE_COST, ResticVault, Secret};
use anchorlog_vault::{Error, SetId, Vault as _};
use serde_json::json;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

pub fn run(command: &VaultCommand, as_json: bool, quiet: bool) -> Outcome {
    match command {
        VaultCommand::Init(init) => make(init, as_json),
        VaultCommand::Key(key) => keys(&key.command, as_json),
        VaultCommand::Forget(forget) => super::forget::run(forget, as_json),
        VaultCommand::Copy(copy) => super::copy::run(copy, as_json, quiet),
        #[cfg(feature = "prune")]
        VaultCommand::Prune(prune) => super::prune::run(prune, as_json, quiet),
        VaultCommand::Unlock(unlock) => super::unlock::run(unlock, as_json),
        VaultCommand::Check(check) => check_vault(check, as_json, quiet),
        VaultCommand::ExtendLock(extend) => object_lock::extend(extend, as_json, quiet),
    }
}

/// Opens the vault that the arguments name.
pub fn open(at: &At) -> Result<ResticVault, Trouble> {
    open_with(&at.vault, &at.secret)
}

/// Opens a vault where naming one is not always needed.
pub fn open_with(vault: &Path, from: &SecretFrom) -> Result<ResticVault, Trouble> {
    let secret = secret(from)?;
    Location::of(vault)?.open(&secret).map_err(|error| trouble(&error))
}

/// The secret of the arguments, or of the environment.
pub fn secret(from: &SecretFrom) -> Result<Secret, Trouble> {
    if let Some(path) = from.key_file.as_ref().or(from.password_file.as_ref()) {
        return secret_in(path);
    }
    match std::env::var("ANCHORLOG_PASSWORD") {
        Ok(password) if !password.is_empty() => Ok(Secret::password(password)),
        _ => Err(Trouble::usage(
            "neither a password nor a key is given",
            "Name a file with --password-file or --key-file, or set ANCHORLOG_PASSWORD.",
        )),
    }
}

/// The secret in a file.
pub fn secret_in(path: &Path) -> Result<Secret, Trouble> {
    let bytes = fs::read(path).map_err(|error| Trouble::key_file(path, &error))?;
    let empty = || Trouble::usage(format!("{} holds no text", path.display()), "Name the file with the password or key.");
    Secret::key_file(&bytes).ok_or_else(empty)
}

fn new_key_file(path: &Path) -> Result<Secret, Trouble> {
    let text = Secret::new_key_file().map_err(|error| Trouble::key_file(path, &error))?;
    write_key_file(path, &text)?;
    secret_in(path)
}

/// Makes a key file that only its owner may read; one that is there stays.
pub(super) fn write_key_file(path: &Path, text: &str) -> Result<(), Trouble> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Trouble::usage(
            format!("{} is there already, and no key is ever overwritten", path.display()),
            "If it is what a `vault init` made that failed then, give it with --key-file; else name another file.",
        ),
        _ => Trouble::key_file(path, &error),
    })
}

/// What a try of a password costs.
const PASSWORD_COST: u8 = 17;

fn make(init: &Init, as_json: bool) -> Outcome {
    let location = Location::of(&init.vault)?;
    let secret = match &init.new_key_file {
        Some(path) => new_key_file(path)?,
        None => secret(&init.secret)?,
    };
    let options = CreateOptions {
        chunk_size: init.chunk.saturating_mul(1024),
        append_only: init.append_only,
        object_lock: object_lock::wanted(init),
        kdf_cost: if init.new_key_file.is_some() { KEY_FILE_COST } else { PASSWORD_COST },
        ..CreateOptions::default()
    };
    let proof_key = init.new_proof_key.as_deref().map(proof_key::make).transpose()?;
    let vault = location.create(&secret, options).map_err(|error| trouble(&error))?;
    let signs = proof_key::settle(&vault, proof_key.as_ref())?;
    let mut out = io::stdout().lock();
    if as_json {
        let at = vault.backend().location();
        let line = json!({ "vault": at, "chunk": options.chunk_size, "append_only": options.append_only, "proof_key": signs });
        writeln!(out, "{line}")?;
        return Ok(Exit::Done);
    }
    writeln!(out, "{} is a vault now.", vault.backend().location())?;
    if let Some(path) = &init.new_key_file {
        writeln!(out, "Its key is {}: keep a copy elsewhere. Without it nothing in the vault can be read.", path.display())?;
    }
    if let Some(signs) = signs {
        writeln!(out, "Proofs are signed, and verified with the key {signs}: note it down elsewhere.")?;
    }
    if let Some(path) = &init.new_proof_key {
        writeln!(out, "What signs them is {}: backups and drills take it with --proof-key.", path.display())?;
    }
    Ok(Exit::Done)
}

fn keys(command: &KeyCommand, as_json: bool) -> Outcome {
    let mut out = io::stdout().lock();
    match command {
        KeyCommand::List(list) => {
            let keys = open(&list.at)?.keys().map_err(|error| trouble(&error))?;
            for key in keys {
                let id = key.id.to_string();
                if as_json {
                    let line =
                        json!({ "key": id, "host": key.host, "user": key.user, "created": key.created, "in_use": key.in_use });
                    writeln!(out, "{line}")?;
                } else {
                    let mark = if key.in_use { '*' } else { ' ' };
                    writeln!(out, "{mark} {} {} by {}@{}", id.get(..8).unwrap_or(&id), key.created, key.user, key.host)?;
                }
            }
        }
        KeyCommand::Proof(proof) => return proof_key::show(proof, as_json),
        KeyCommand::Add(add) => {
            let vault = open(&add.at)?;
            let (secret, cost) = match (&add.make_key_file, &add.new_password_file) {
                (Some(path), _) => (new_key_file(path)?, KEY_FILE_COST),
                (None, Some(path)) => (secret_in(path)?, PASSWORD_COST),
                (None, None) => {
                    return Err(Trouble::usage("no new password or key is named", "Name one with --new-password-file."));
                }
            };
            let id = vault.add_key(&secret, cost).map_err(|error| trouble(&error))?.to_string();
            if as_json {
                writeln!(out, "{}", json!({ "key": id }))?;
            } else {
                writeln!(out, "key {} opens the vault now", id.get(..8).unwrap_or(&id))?;
            }
        }
        KeyCommand::Remove(remove) => {
            let vault = open(&remove.at)?;
            let keys = vault.keys().map_err(|error| trouble(&error))?;
            let ids: Vec<Id> = keys.iter().map(|key| key.id).collect();
            let found: Vec<Id> = ids.into_iter().filter(|id| id.to_string().starts_with(&remove.key)).collect();
            let [id] = found[..] else {
                let message = format!("{} keys begin with {}", found.len(), remove.key);
                return Err(Trouble::usage(
                    message,
                    "Name one key as `vault key list` shows it, with as many digits as it takes.",
                ));
            };
            vault.remove_key(id).map_err(|error| trouble(&error))?;
            if !as_json {
                writeln!(out, "The key is gone. Who kept a copy of it may still read copies of this vault.")?;
            }
        }
    }
    Ok(Exit::Done)
}

/// That all which the sets need is there, and is what was written, as far as the user wants it read.
fn check_vault(check: &CheckVault, as_json: bool, quiet: bool) -> Outcome {
    let vault = open(&check.at)?;
    let depth = match (check.data, check.share) {
        (true, _) => Depth::All,
        (false, Some((number, of))) => Depth::Share { number: number - 1, of },
        (false, None) => Depth::Metadata,
    };
    let report = vault.check(depth).map_err(|error| trouble(&error))?;
    let keys = ProofKeys::read(&vault).map_err(|error| trouble(&error))?;
    let mut out = io::stdout().lock();
    for damage in &report.damage {
        let line = json!({ "damage": { "place": damage.place.to_string(), "reason": damage.reason } });
        if as_json { writeln!(out, "{line}")? } else { writeln!(out, "damaged: {damage}")? }
    }
    if as_json {
        let line = json!({ "snapshots": report.snapshots, "packs": report.packs, "unreferenced_packs": report.unreferenced_packs,
            "bytes_read": report.bytes_read, "damaged": report.damage.len(), "proof_keys": keys.public });
        writeln!(out, "{line}")?;
    } else {
        let read = if depth == Depth::Metadata {
            "the data was not read: --data does that".into()
        } else {
            format!("{} were read", render::bytes(report.bytes_read))
        };
        writeln!(out, "{} snapshots, {} packs, {} damaged places; {read}", report.snapshots, report.packs, report.damage.len())?;
        for key in &keys.public {
            writeln!(out, "proofs are signed with {key}")?;
        }
        if report.unreferenced_packs > 0 {
            writeln!(out, "note: {} packs are in no index: what stopped programs left", report.unreferenced_packs)?;
        }
    }
    let protection =
        if vault.object_lock().is_some() { object_lock::told(&vault, &mut out, as_json, quiet)? } else { Exit::Done };
    Ok(if report.damage.is_empty() { protection } else { Exit::Findings })
}

/// A set by the beginning of its name, or the newest.
pub fn find(vault: &ResticVault, text: &str) -> Result<SetId, Trouble> {
    let all = vault.sets().map_err(|error| trouble(&error))?;
    let ids: Vec<SetId> = all.into_iter().filter_map(Result::ok).map(|set| set.id).collect();
    let found: Vec<&SetId> = match text {
        "latest" => ids.last().into_iter().collect(),
        text => ids.iter().filter(|id| id.as_str().starts_with(text)).collect(),
    };
    match found[..] {
        [id] => Ok(id.clone()),
        [] => Err(Trouble::usage(format!("there is no set {text}"), "`anchorlog sets ls` lists them.")),
        _ => Err(Trouble::usage(format!("{} sets begin with {text}", found.len()), "Name one with more of its digits.")),
    }
}

/// What an error of the vault means to its user.
pub fn trouble(error: &Error) -> Trouble {
    let say = |hint: &str| told(None, error.to_string(), hint);
    match error {
        Error::NoVault(_) => {
            Trouble::usage(error.to_string(), "Check the path, or make a vault there with `anchorlog vault init`.")
        }
        Error::NotEmpty(_) => Trouble::refused(say("Name a folder or prefix that does not exist yet, or is empty.")),
        Error::WrongKey => Trouble::refused(say("Check the password or key; `anchorlog vault key list` shows who may open it.")),
        Error::NoSet(_) | Error::NoStream(..) => Trouble::usage(error.to_string(), "`anchorlog sets ls` lists what there is."),
        Error::Held(..) => Trouble::refused(say(
            "`anchorlog sets release` gives a held set free; one that others need goes with them: name them too.",
        )),
        Error::Locked(_) => Trouble::refused(say(
            "Wait until it is done, and try again; `anchorlog vault unlock --dry-run` shows who is at work. A lock whose program is gone \
             is passed over at once on its own machine, after thirty minutes elsewhere.",
        )),
        Error::Damaged(_) => Trouble::failed(say(
            "`anchorlog vault check --data` tells what else is damaged. Move the damaged objects away: a new full set of the same data then stores anew what they held.",
        )),
        Error::Unsupported(_) => Trouble::refused(say("The vault is as it was: choose another one, or other options.")),
        Error::Source(..) => Trouble::failed(say("Nothing was published. Look after the source, and try again.")),
        Error::Storage(_, error) if error.kind() == io::ErrorKind::TimedOut => Trouble::failed(say(
            "The storage could not be reached for long. Give the same command again when it can: sets are whole or not there, and nothing has to be cleaned up.",
        )),
        _ => Trouble::failed(say("Look after the storage of the vault, and try again.")),
    }
}

/// The end of a size: "12 MiB new of 2 GiB".
pub fn stored(bytes: u64, stored: u64) -> String {
    format!("{}, of which the vault had all but {}", render::bytes(bytes), render::bytes(stored))
}
