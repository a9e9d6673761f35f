//! The second half of the demo: the crashed files are backed up, damaged, restored, rolled forward and proved.

use super::{Rows, failed, rows};
use crate::commands::{restore, vault};
use crate::exit::Trouble;
use crate::{now, render};
use anchorlog_operations::backup::{self, Inputs, Options, Sources};
use anchorlog_operations::restore::set::{self, Forward, Target};
use anchorlog_operations::sets::History;
use anchorlog_operations::verify::verify_file;
use anchorlog_storage::DiskFolder;
use anchorlog_vault::Vault;
use anchorlog_vault::restic::{CreateOptions, KEY_FILE_COST, ResticVault, Secret};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Where the demo damages its database: the middle of page 4, the root of the catalog.
const DAMAGE: (usize, usize) = (5 * 4096 + 1000, 600);

/// What came of it.
pub(super) struct Outcome {
    /// The rows of the restored database.
    pub rows: Rows,
    /// Errors that the damage made, and those of the result.
    pub errors: (u64, u64),
    pub json: Value,
}

/// Backs `crashed` up into a vault below `root`, damages its database, and restores it into `root/restored`.
pub(super) fn run(
    root: &Path,
    crashed: &Path,
    database: &Path,
    say: &mut dyn FnMut(&str) -> std::io::Result<()>,
) -> Result<Outcome, Trouble> {
    say("\n== 7. A backup of the crashed files: anchorlog backup snapshot crashed --vault vault --scratch .\n")?;
    let key = Secret::new_key_file().map_err(|error| failed(&error.to_string()))?;
    let secret = Secret::key_file(key.as_bytes()).ok_or_else(|| failed("a new key is empty"))?;
    let place = root.join("vault");
    let made = ResticVault::create(&place, &secret, CreateOptions { kdf_cost: KEY_FILE_COST, ..CreateOptions::default() })
        .map_err(|error| vault::trouble(&error))?;
    let made: Arc<dyn Vault> = Arc::new(made);
    let sources = Sources::gather(&Inputs { folder: crashed.to_owned(), ..Inputs::default() })?;
    let options = Options { scratch: Some(root.to_owned()), host: now::host(), ..Options::default() };
    let plan = backup::snapshot::plan(&sources, &History::default(), &options).map_err(|error| failed(&error.to_string()))?;
    let report = backup::make(&plan, &sources, &*made, &now::ambient(), &mut ()).map_err(|error| failed(&error.to_string()))?;
    say(&render::backup::report(&report))?;

    say("== 8. The disaster: bytes of the database are overwritten; anchorlog verify crashed/db/db1.edb\n")?;
    let file = crashed.join(database);
    let mut bytes = fs::read(&file).map_err(|error| Trouble::reading(&file, &error))?;
    let (start, length) = DAMAGE;
    if let Some(hit) = bytes.get_mut(start..start + length) {
        hit.fill(0xDB);
    }
    fs::write(&file, bytes).map_err(|error| Trouble::reading(&file, &error))?;
    let mut found = Vec::new();
    let damaged = verify_file(&DiskFolder::read_only(crashed), database, "crashed", &mut |finding| found.push(finding));
    let damaged = damaged.map_err(|error| Trouble::reading(&file, &error))?;
    if let Some(first) = found.iter().find(|finding| finding.severity == anchorlog_format::finding::Severity::Error) {
        say(&render::finding(first))?;
    }
    say(&format!("{} errors", damaged.errors))?;

    say("\n== 9. The restore, rolled forward: anchorlog restore set latest --vault vault --out restored\n")?;
    let history = History::read(&*made).map_err(|error| vault::trouble(&error))?;
    let restored = root.join("restored");
    let options = set::Options { forward: Forward::Set, threads: 1, ..set::Options::default() };
    let plan = set::plan(&made, &history, &report.set, &Target::New(restored.clone()), &options).map_err(restore::failed)?;
    let result = set::make(&plan, &now::ambient(), &mut ()).map_err(restore::failed)?;
    say(&render::restore_set::report(&result))?;
    let mut findings = Vec::new();
    let proof = verify_file(&DiskFolder::read_only(&restored), database, "restored", &mut |finding| findings.push(finding));
    let proof = proof.map_err(|error| Trouble::reading(&restored, &error))?;
    let json = json!({ "set": report.set.as_str(), "level": report.level, "restore": result, "damage": damaged });
    Ok(Outcome { rows: rows(&restored, database)?, errors: (damaged.errors, proof.errors), json })
}
