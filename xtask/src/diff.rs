//! `cargo xtask diff SET`: our recovery of a crash set against the engine's, page by page and node by node.

use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::page::{Page, compare};
use anchorlog_format::units::{LogTime, PageNumber, PageSize};
use anchorlog_operations::recover::{self, Inputs, Options, Place, Sources};
use anchorlog_replay::ambient::Ambient;
use anchorlog_testkit::data::{self, EngineSet};
use std::fs;
use std::path::Path;

/// Figures of one comparison.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Pages compared.
    pages: u64,
    /// Of these, different for the engine.
    different: u64,
    /// Of these, the same in every byte.
    identical: u64,
}

/// Compares one set, or `all` of those that have a crash state.
pub fn run(name: &str) -> Result<(), String> {
    let sets = match name {
        "all" => data::engine_sets(),
        name => vec![data::engine_set(name).ok_or(format!("no set {name} is here"))?],
    };
    let (mut total, mut failed) = (Counts::default(), 0);
    for set in sets {
        for (without_undo, theirs) in [(false, "after"), (true, "after-redo")] {
            match compare_set(&set, without_undo, theirs) {
                Ok(None) => {}
                Ok(Some(counts)) => {
                    println!(
                        "{} {theirs}: {} pages, {} differ, {} identical in every byte",
                        set.name, counts.pages, counts.different, counts.identical
                    );
                    total.pages += counts.pages;
                    total.different += counts.different;
                    total.identical += counts.identical;
                }
                Err(reason) => {
                    failed += 1;
                    println!("{} {theirs}: {reason}", set.name);
                }
            }
        }
    }
    println!(
        "{} pages, {} differ, {} identical in every byte, {failed} not recovered",
        total.pages, total.different, total.identical
    );
    if total.different == 0 && failed == 0 { Ok(()) } else { Err("not equal".into()) }
}

/// `None` for a set that has no such state.
fn compare_set(set: &EngineSet, without_undo: bool, theirs: &str) -> Result<Option<Counts>, String> {
    let folder = set.folder();
    let before = folder.join("before");
    let expected = set.meta()["recovery"]["jet_init"].as_i64();
    if !before.join("db").is_dir() || !folder.join(theirs).is_dir() || (!without_undo && expected.is_some_and(|code| code < 0)) {
        return Ok(None);
    }
    let work = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = work.path().join("out");
    let inputs = Inputs { folder: before.clone(), databases: Vec::new(), logs: None };
    let sources = Sources::gather(&inputs).map_err(|error| error.to_string())?;
    let options = Options { without_undo, ..Options::default() };
    let plan = recover::plan(&sources, &options).map_err(|error| error.to_string())?;
    let ambient = Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7);
    recover::make(&plan, &sources, &Place::Out(out.clone()), &ambient, &mut ()).map_err(|error| error.to_string())?;
    let mut counts = Counts::default();
    for entry in fs::read_dir(out.join("db")).map_err(|error| error.to_string())?.flatten() {
        if entry.path().extension().is_some_and(|ending| ending.eq_ignore_ascii_case("edb")) {
            let name = entry.file_name();
            // What recovery left as it was is not kept a second time.
            let engines = [folder.join(theirs).join("db").join(&name), before.join("db").join(&name)];
            let engines = engines.iter().find(|path| path.exists()).ok_or(format!("{name:?} is not in the set"))?;
            compare_database(&entry.path(), engines, &mut counts)?;
        }
    }
    Ok(Some(counts))
}

fn compare_database(ours: &Path, theirs: &Path, counts: &mut Counts) -> Result<(), String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (a, b) = (read(ours)?, read(theirs)?);
    let name = ours.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let size = HeaderPage::elect(&b[..b.len().min(HeaderPage::ELECTION_BYTES)]).map_err(|error| error.to_string())?.0.page_size();
    if a.len() != b.len() {
        println!("  {name}: {} bytes against {}", a.len(), b.len());
        counts.different += 1;
    }
    for number in (1..).map(PageNumber) {
        let (x, y) = (page_at(&a, size, number), page_at(&b, size, number));
        let Some((x, y)) = x.zip(y) else { return Ok(()) };
        counts.pages += 1;
        counts.identical += u64::from(x.bytes() == y.bytes());
        let found = compare::differences(x, y);
        if !found.is_empty() {
            counts.different += 1;
            println!("  {name} page {number}, ours against the engine's:");
            for line in found {
                println!("    {}", line.chars().take(240).collect::<String>());
            }
        }
    }
    Ok(())
}

fn page_at(file: &[u8], size: PageSize, number: PageNumber) -> Option<Page<'_>> {
    let start = usize::try_from(size.offset_of(number)).ok()?;
    Page::new(file.get(start..start.checked_add(size.bytes())?)?)
}
