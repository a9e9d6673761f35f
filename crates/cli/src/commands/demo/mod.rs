//! `anchorlog demo`: a small database that Microsoft's engine left when its process was stopped, recovered step by step; then backed up,
//! damaged, restored and proved.

mod backup;

use crate::Outcome;
use crate::args::Demo;
use crate::exit::{Exit, Trouble, told};
use crate::progress::Shown;
use crate::{now, render};
use anchorlog_format::jet::JetCode;
use anchorlog_operations::dump::{Tables, dump};
use anchorlog_operations::recover::{Inputs, Options, Place, Sources, make, plan};
use anchorlog_operations::survey::survey;
use anchorlog_operations::verify::verify_file;
use anchorlog_storage::DiskFolder;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const PACKED: &[u8] = include_bytes!("../../../demo/crash.tar.lz4");
/// The rows as Microsoft's engine recovered them.
const ENGINE_DUMP: &str = "engine-dump.jsonl";

pub fn run(arguments: &Demo, as_json: bool) -> Outcome {
    let temporary = tempfile::tempdir()?;
    let root = match &arguments.keep {
        Some(keep) => keep.clone(),
        None => temporary.path().to_path_buf(),
    };
    let (crashed, recovered) = (root.join("crashed"), root.join("recovered"));
    if let Some(there) =
        ["crashed", "recovered", "vault", "restored"].map(|name| root.join(name)).iter().find(|path| path.exists())
    {
        let message = format!("{} exists already", there.display());
        return Err(Trouble::usage(message, "Name a folder that does not hold an earlier demo."));
    }
    let engine = unpack(&crashed)?;
    let mut out = io::stdout().lock();
    let mut say = |text: &str| if as_json { Ok(()) } else { writeln!(out, "{text}") };

    say("== 1. What a crash left: anchorlog inspect crashed\n")?;
    let folder = DiskFolder::read_only(&crashed);
    let found = survey(&folder, "crashed").map_err(|error| Trouble::reading(&crashed, &error))?;
    say(&render::survey::text(&found))?;

    let Some(database) = found.databases.first().map(|database| PathBuf::from(&database.path)) else {
        return Err(failed("the demo's own database was not found"));
    };
    say("== 2. What a reader sees that ignores the logs: anchorlog dump crashed/db/db1.edb\n")?;
    let before = rows(&crashed, &database)?;
    say(&counts(&before))?;

    say("== 3. The plan: anchorlog recover crashed --out recovered --dry-run\n")?;
    let sources = Sources::gather(&Inputs { folder: crashed.clone(), ..Inputs::default() })?;
    let planned = plan(&sources, &Options::default()).map_err(|error| failed(&error.to_string()))?;
    say(&render::recover::plan(&planned))?;

    say("== 4. The recovery: anchorlog recover crashed --out recovered\n")?;
    let report = make(&planned, &sources, &Place::Out(recovered.clone()), &now::ambient(), &mut Shown::Quiet)
        .map_err(|error| failed(&error.to_string()))?;
    say(&render::recover::report(&report))?;

    say("== 5. The proof: anchorlog verify recovered/db/db1.edb\n")?;
    let mut findings = Vec::new();
    let proof = verify_file(&DiskFolder::read_only(&recovered), &database, "recovered", &mut |finding| findings.push(finding));
    let proof = proof.map_err(|error| Trouble::reading(&recovered, &error))?;
    say(&format!("{} errors, {} warnings", proof.errors, proof.warnings))?;

    say("\n== 6. What changed\n")?;
    let after = rows(&recovered, &database)?;
    let changed = difference(&before, &after);
    say(&changed.text)?;
    let equal = after.lines == engine;
    say(if equal {
        "Every row, value and index entry is what Microsoft's own engine recovers from the same files."
    } else {
        "THE RESULT DIFFERS from what Microsoft's own engine recovers from the same files."
    })?;
    let second = backup::run(&root, &crashed, &database, &mut say)?;
    let same = second.rows.lines == engine;
    say(if same && second.errors.0 > 0 {
        "The same rows again: out of the vault, with its logs replayed."
    } else {
        "THE RESTORED DATABASE DIFFERS from what Microsoft's own engine recovers."
    })?;
    say(&match arguments.keep {
        Some(_) => format!("\nThe files lie in {}.", root.display()),
        None => "\nThe files of this demo are gone now; `anchorlog demo --keep DIR` keeps them.".to_owned(),
    })?;
    if as_json {
        let value = json!({
            "survey": found, "plan": planned, "report": report, "proof": proof,
            "rows_before": before.per_table, "rows_after": after.per_table,
            "rows_added": changed.added, "rows_removed": changed.removed, "equal_to_the_engine": equal,
            "backup": second.json, "restored_equal_to_the_engine": same,
        });
        writeln!(out, "{value}")?;
    }
    let good = equal && same && proof.errors == 0 && second.errors.0 > 0 && second.errors.1 == 0;
    Ok(if good { Exit::Done } else { Exit::Failed })
}

/// Unpacks the crashed files; returns the engine's own dump.
fn unpack(target: &Path) -> Result<Vec<String>, Trouble> {
    let bytes = lz4_flex::decompress_size_prepended(PACKED).map_err(|error| failed(&error.to_string()))?;
    fs::create_dir_all(target).map_err(|error| Trouble::reading(target, &error))?;
    tar::Archive::new(bytes.as_slice()).unpack(target).map_err(|error| Trouble::reading(target, &error))?;
    let dump = target.join(ENGINE_DUMP);
    let text = fs::read_to_string(&dump).map_err(|error| Trouble::reading(&dump, &error))?;
    fs::remove_file(&dump).map_err(|error| Trouble::reading(&dump, &error))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// A dump: all its lines, and the rows of each table.
struct Rows {
    lines: Vec<String>,
    per_table: BTreeMap<String, usize>,
}

fn rows(folder: &Path, database: &Path) -> Result<Rows, Trouble> {
    let mut bytes = Vec::new();
    dump(&DiskFolder::read_only(folder), database, "the demo's database", Tables::Users, &mut bytes)
        .map_err(|error| failed(&error.to_string()))?;
    let lines: Vec<String> = String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
    let mut per_table = BTreeMap::new();
    for line in &lines {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        if let Some(table) = value["table"].as_str() {
            per_table.entry(table.to_owned()).or_insert(0);
        } else if value["bookmark"].is_string() {
            *per_table.entry(value["t"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
        }
    }
    Ok(Rows { lines, per_table })
}

fn counts(rows: &Rows) -> String {
    let lines = rows.per_table.iter().map(|(table, count)| format!("  {table}: {count} rows\n"));
    lines.collect()
}

struct Changed {
    text: String,
    added: usize,
    removed: usize,
}

/// Rows that only the logs knew, and rows that never committed.
fn difference(before: &Rows, after: &Rows) -> Changed {
    let keyed = |rows: &Rows| -> BTreeMap<(String, String), String> {
        let parse = |line: &String| serde_json::from_str::<Value>(line).ok().map(|value| (value, line.clone()));
        let of_row = |(value, line): (Value, String)| {
            Some(((value["t"].as_str()?.to_owned(), value["bookmark"].as_str()?.to_owned()), line))
        };
        rows.lines.iter().filter_map(parse).filter_map(of_row).collect()
    };
    let (before, after) = (keyed(before), keyed(after));
    let added = after.keys().filter(|key| !before.contains_key(*key)).count();
    let removed = before.keys().filter(|key| !after.contains_key(*key)).count();
    let changed = after.iter().filter(|(key, line)| before.get(*key).is_some_and(|old| old != *line)).count();
    let text = format!(
        "  {added} rows were committed, and only in the logs: they are in the database now\n  \
         {removed} rows had reached the database, but never committed: they are gone\n  \
         {changed} rows have other values now\n  {} rows are as they were\n",
        after.len() - added - changed
    );
    Changed { text, added, removed }
}

fn failed(message: &str) -> Trouble {
    Trouble::failed(told(Some(JetCode::INTERNAL_ERROR), message, ""))
}
