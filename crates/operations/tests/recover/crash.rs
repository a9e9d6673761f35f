//! Every crash state of the sets: recovered once, and everything that the set says of the result compared.

use super::cases::is_wanted;
use super::common::{
    Recovery, ambient, compare_dump, databases, digests, dump_of, findings_of, for_each, gather, header_of, names, none_wrong,
    recover,
};
use anchorlog_database::canonical::Tables;
use anchorlog_format::database::DatabaseState;
use anchorlog_format::database::flush_map::FlushMapHeader;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::names::{self as log_names, Role};
use anchorlog_operations::recover::{Options, Place, Report, Verdict, make, plan};
use anchorlog_testkit::data::{EngineSet, copy_folder, engine_sets};
use anchorlog_testkit::dump_text::engine_dumps;
use anchorlog_testkit::header_text::{header_lines, header_texts, lines_of_the_header};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder as a crash left it, and where the set keeps what the engine made of it.
struct Crash {
    name: String,
    before: PathBuf,
    /// The engine's files where recovery changed them.
    after: Option<PathBuf>,
    dump: PathBuf,
    catalog: Option<PathBuf>,
    headers: Option<PathBuf>,
    error: i32,
}

fn crash_of(set: &EngineSet) -> Option<Crash> {
    let folder = set.folder();
    let meta = set.meta();
    let code = |key: &str| meta[key].as_i64().map_or(0, |code| i32::try_from(code).unwrap());
    let present = |name: &str| Some(folder.join(name)).filter(|path| path.exists());
    if folder.join("before/log").is_dir() {
        return Some(Crash {
            name: set.name.clone(),
            before: folder.join("before"),
            after: present("after"),
            dump: folder.join("dump.jsonl"),
            catalog: present("catalog.jsonl"),
            headers: present("mh.txt"),
            error: code("expected_recovery_error"),
        });
    }
    // The production state of a backed-up database is a crash state as well; the set keeps its dump alone.
    let (before, dump) = (folder.join("production"), folder.join("dump-production.jsonl"));
    (before.is_dir() && dump.is_file()).then(|| Crash {
        name: set.name.clone(),
        before,
        after: None,
        dump,
        catalog: None,
        headers: None,
        error: code("production_recovery"),
    })
}

fn crashes() -> Vec<Crash> {
    engine_sets().iter().filter(|set| is_wanted(&set.name)).filter_map(crash_of).collect()
}

// traps ops-3 O11, O12
#[test]
fn every_crash_is_recovered_to_what_the_engine_made_of_it_and_only_once() {
    let crashes = crashes();
    none_wrong(crashes.len(), &for_each(&crashes, |crash| compared(crash)));
}

fn compared(crash: &Crash) -> Vec<String> {
    let mut problems = Vec::new();
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let untouched = digests(&crash.before);
    let recovery = recover(&crash.before, &out, &Options::default());
    if digests(&crash.before) != untouched {
        problems.push("the source was changed".into());
    }
    if crash.error < 0 {
        problems.extend(refused_as_the_engine_did(crash, &recovery, place.path()));
    } else {
        match &recovery.made {
            Ok(report) => {
                problems.extend(same_content(crash, &out));
                problems.extend(same_headers(crash, &out));
                problems.extend(sound(crash, &out));
                problems.extend(can_be_started(&recovery, report, &out));
                problems.extend(reported(crash, report, &out));
                problems.extend(nothing_is_left_to_do(&out, &place.path().join("again")));
                if names(place.path()) != ["again", "out"] {
                    problems.push(format!("more than the results is left: {:?}", names(place.path())));
                }
            }
            Err(error) => problems.push(format!("not recovered: {error}; {:?}", recovery.plan.faults)),
        }
    }
    problems.into_iter().map(|problem| format!("{}: {problem}", crash.name)).collect()
}

fn refused_as_the_engine_did(crash: &Crash, recovery: &Recovery, place: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    if recovery.code() != Some(crash.error) || recovery.plan.engine.0 != crash.error {
        problems.push(format!("{} planned, {:?} made, {} expected", recovery.plan.engine, recovery.code(), crash.error));
    }
    if !names(place).is_empty() {
        problems.push(format!("a refusal leaves {:?}", names(place)));
    }
    problems
}

/// Rows, columns and index entries, line for line.
fn same_content(crash: &Crash, out: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let ours = databases(out);
    let dumps = [(Some(&crash.dump), Tables::Users), (crash.catalog.as_ref(), Tables::Engines)];
    for (path, tables) in dumps {
        let Some(path) = path else { continue };
        let theirs = engine_dumps(path);
        if theirs.is_empty() && fs::metadata(path).unwrap().len() > 0 {
            problems.push(format!("{} cannot be read", path.display()));
        }
        for (name, text) in theirs {
            match ours.get(&name) {
                Some(database) => compare_dump(&name, database, &text, tables, &mut problems),
                None => problems.push(format!("{name} is not in the result")),
            }
        }
    }
    problems
}

/// Fields of our making (`log-8 §3`): the checksum and the signatures of flushes. Counts of growth and the log of the last write, which
/// two replays need not agree in, do agree.
const OF_THE_RUN: [&str; 6] = [
    "Expected Checksum",
    "Actual Checksum",
    "Checksum",
    "Database Header Flush Signature",
    "Flush Map Header Flush Signature",
    "RBS Header Flush Signature",
];

/// A line without what each run makes anew; that there is a time, or none, must agree.
fn comparable(line: &str) -> Option<String> {
    let label = line.split(':').next().unwrap_or_default();
    if label == "Format ulVersion" {
        // The version of the file must agree, that of the engine which wrote it last need not.
        return Some(line.split("  (attached by").next().unwrap_or_default().to_owned());
    }
    if OF_THE_RUN.contains(&label) {
        return None;
    }
    if label.ends_with("Signature") {
        return Some(line.to_owned());
    }
    let words: Vec<&str> = line.split(' ').collect();
    let is_time = |word: &&str| word.len() == 10 && word.bytes().filter(|byte| *byte == b'/').count() == 2;
    let Some(at) = words.iter().position(is_time) else { return Some(line.to_owned()) };
    let time = if words[at] == "00/00/1900" { "never" } else { "some time" };
    Some(format!("{} {time}", words[..at].join(" ")))
}

fn same_headers(crash: &Crash, out: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let Some(headers) = &crash.headers else { return problems };
    let text = String::from_utf8_lossy(&fs::read(headers).unwrap()).into_owned();
    let ours = databases(out);
    for theirs in header_texts(&text) {
        let Some(database) = ours.get(&theirs.file) else { continue };
        let lines = header_lines(&header_of(database).header);
        let lines: Vec<String> = lines.iter().filter_map(|line| comparable(line)).collect();
        let expected: Vec<String> = lines_of_the_header(&theirs).iter().filter_map(|line| comparable(line)).collect();
        for (ours, theirs_line) in lines.iter().zip(&expected).filter(|(ours, theirs)| ours != theirs) {
            problems.push(format!("{} header: {ours}; the engine: {theirs_line}", theirs.file));
        }
        if lines.len() != expected.len() || lines.len() < 60 {
            problems.push(format!("{} header: {} lines, the engine: {}", theirs.file, lines.len(), expected.len()));
        }
    }
    problems
}

/// No error; and warnings only where the engine's own result gives the same.
fn sound(crash: &Crash, out: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, database) in databases(out) {
        let ours: Vec<String> = findings_of(&database).iter().map(ToString::to_string).collect();
        if ours.is_empty() {
            continue;
        }
        let layers = [crash.after.as_ref(), Some(&crash.before)];
        let theirs = layers.into_iter().flatten().find_map(|layer| databases(layer).remove(&name));
        let expected: Vec<String> = theirs.iter().flat_map(|path| findings_of(path)).map(|finding| finding.to_string()).collect();
        if crash.after.is_none() || ours != expected {
            problems.push(format!("{name}: {ours:?}, the engine's own: {expected:?}"));
        }
    }
    problems
}

/// What the engine needs to start: the layout of the source, one current log behind the last archive, the checkpoint at its last record, no
/// reserve logs, and flush maps that belong to the databases as they are now.
fn can_be_started(recovery: &Recovery, report: &Report, out: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    for path in digests(out).keys().filter(|path| path.contains(".anchorlog")) {
        problems.push(format!("{path} is none of the engine's files"));
    }
    for (name, database) in databases(out) {
        let header = header_of(&database).header;
        if header.state != DatabaseState::CleanShutdown || !header.broken_rules().is_empty() {
            problems.push(format!("{name}: {} {:?}", header.state, header.broken_rules()));
        }
        if !header.map_flush.is_none() {
            let map = fs::read(database.with_extension("jfm")).unwrap_or_default();
            match FlushMapHeader::from_page(&map).map(|map| (map.accept_for(&header), map.is_clean())) {
                Ok((Ok(()), true)) => {}
                found => problems.push(format!("{name}: its flush map is not usable: {found:?}")),
            }
        }
    }
    let Some(stream) = &recovery.plan.stream else { return problems };
    if report.run.is_none() {
        return problems;
    }
    let folder = out.join(&stream.place);
    let listed = names(&folder);
    let role = |name: &String| log_names::parse(name).map(|parsed| parsed.role);
    for name in listed.iter().filter(|name| matches!(role(name), Some(Role::Reserve))) {
        problems.push(format!("{name}: a reserve log is left"));
    }
    let current = listed.iter().find(|name| matches!(role(name), Some(Role::Current(_))));
    let Some(current) = current else {
        problems.push("there is no current log".into());
        return problems;
    };
    let bytes = fs::read(folder.join(current)).unwrap();
    let log = LogFile::open(&bytes).unwrap();
    let last = log.records().map(Result::unwrap).filter(|record| !record.record_type().is_padding()).last();
    let last = last.map(|record| (record.writer_position, record.record_type()));
    let closed = last.is_some_and(|(_, kind)| kind.closes_log());
    let checkpoint = fs::read(folder.join(format!("{}.chk", stream.base)));
    let checkpoint = checkpoint.or_else(|_| fs::read(folder.join(format!("{}.jcp", stream.base)))).unwrap_or_default();
    match (Checkpoint::check(&checkpoint), last) {
        (Ok(checkpoint), Some((position, _))) if checkpoint.position == position && closed => {
            if checkpoint.signature != log.header().signature {
                problems.push("the checkpoint is of another stream".into());
            }
        }
        (checkpoint, last) => {
            problems
                .push(format!("the checkpoint is at {:?}, the log ends with {last:?}", checkpoint.map(|found| found.position)));
        }
    }
    problems
}

/// The report says what became of the files.
fn reported(crash: &Crash, report: &Report, out: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    if report.outputs != digests(out) {
        problems.push("the digests of the report are not those of the result".into());
    }
    let sources = digests(&crash.before);
    if report.inputs.iter().any(|(path, digest)| sources.get(path) != Some(digest)) {
        problems.push("the digests of the report are not those of the sources".into());
    }
    if report.run.as_ref().is_some_and(|run| run.commits_left_out > 0 || !run.left_out.is_empty()) {
        problems.push("something was left out".into());
    }
    let before = databases(&crash.before);
    for database in &report.databases {
        let name = Path::new(&database.path).file_name().unwrap().to_string_lossy().into_owned();
        let was_clean = before.get(&name).is_some_and(|path| header_of(path).header.state == DatabaseState::CleanShutdown);
        let changed = report.inputs.get(&database.path) != report.outputs.get(&database.path);
        let verdict = if was_clean && !changed { Verdict::AlreadyClean } else { Verdict::Recovered };
        if database.verdict != verdict {
            problems.push(format!("{}: {}, not {verdict}: {}", database.path, database.verdict, database.reason));
        }
        if database.proof.is_none_or(|proof| proof.errors > 0 || proof.pages == 0) {
            problems.push(format!("{} is not proved", database.path));
        }
    }
    problems
}

/// Recovering the result changes no byte of it.
fn nothing_is_left_to_do(out: &Path, again: &Path) -> Vec<String> {
    let second = recover(out, again, &Options::default());
    match &second.made {
        Err(error) => vec![format!("the result cannot be recovered again: {error}")],
        Ok(report) => {
            let mut problems = Vec::new();
            if report.databases.iter().any(|database| database.verdict != Verdict::AlreadyClean) {
                problems.push("the result is not already clean".into());
            }
            if digests(out) != digests(again) {
                problems.push("a second recovery changed the result".into());
            }
            problems
        }
    }
}

#[test]
fn the_same_input_clock_and_seed_give_the_same_bytes_of_the_whole_folder() {
    // One set of each kind is enough: what a run could take from its surroundings lies in few places.
    let kinds =
        ["micro-insert", "micro-tx-uncommitted-big", "micro-multi-db", "micro-createdb", "mixed-4k-1db", "rollforward-clean"];
    let crashes: Vec<Crash> = crashes().into_iter().filter(|crash| kinds.contains(&crash.name.as_str())).collect();
    let wrong = for_each(&crashes, |crash| {
        let made = |_: usize| {
            let place = tempfile::tempdir().unwrap();
            let out = place.path().join("out");
            let sources = gather(&crash.before);
            let planned = plan(&sources, &Options::default()).unwrap();
            make(&planned, &sources, &Place::Out(out.clone()), &ambient(), &mut ()).unwrap();
            digests(&out)
        };
        if made(1) == made(2) { Vec::new() } else { vec![format!("{}: two runs differ", crash.name)] }
    });
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_clean_database_alone_is_already_clean_and_copied_as_it_is() {
    let mut seen = 0;
    for set in engine_sets().iter().filter(|set| is_wanted(&set.name) && set.folder().join("clean").is_dir()) {
        let place = tempfile::tempdir().unwrap();
        let (clean, out) = (set.folder().join("clean"), place.path().join("out"));
        let recovery = recover(&clean, &out, &Options::default());
        let report = recovery.report();
        assert!(report.run.is_none() && report.databases.iter().all(|database| database.verdict == Verdict::AlreadyClean));
        assert_eq!(digests(&clean), digests(&out), "{}", set.name);
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn a_format_newer_than_known_is_refused_with_the_version_found() {
    for set in engine_sets().iter().filter(|set| ["micro-insert", "lost-4k-1db"].contains(&set.name.as_str())) {
        let place = tempfile::tempdir().unwrap();
        let (source, out) = (place.path().join("source"), place.path().join("out"));
        let before = ["before", "base"].map(|below| set.folder().join(below)).into_iter().find(|path| path.is_dir()).unwrap();
        copy_folder(&before, &source).unwrap();
        let path = source.join("db/db1.edb");
        let mut file = fs::read(&path).unwrap();
        let mut page = header_of(&path);
        page.header.update = 7777;
        let (size, bytes) = (page.page_size().bytes(), page.to_bytes());
        file[..size].copy_from_slice(&bytes);
        file[size..2 * size].copy_from_slice(&bytes);
        fs::write(&path, file).unwrap();
        let recovery = recover(&source, &out, &Options::default());
        assert_eq!((recovery.code(), recovery.plan.engine.0), (Some(-1209), -1209));
        let said = recovery.plan.faults.iter().any(|fault| fault.finding.message.contains("7777"));
        assert!(said && !out.exists(), "{:?}", recovery.plan.faults);
    }
}

/// What a set's dump says is what a person sees: the numbers of rows agree with the report's.
#[test]
fn the_proof_counts_the_rows_that_the_dump_shows() {
    let mut compared = 0;
    for crash in crashes().iter().filter(|crash| crash.error == 0 && crash.catalog.is_some()).take(5) {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let recovery = recover(&crash.before, &out, &Options::default());
        for database in &recovery.report().databases {
            let path = out.join(&database.path);
            let rows = |tables| {
                let dump = dump_of(&path, tables);
                let lines = dump.lines().filter(|line| line.contains(",\"rows\":"));
                lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["rows"].as_u64().unwrap()).sum::<u64>()
            };
            let shown: BTreeMap<&str, u64> = [("all", rows(Tables::Users) + rows(Tables::Engines))].into();
            let proved = database.proof.map(|proof| proof.rows);
            assert_eq!(proved, shown.get("all").copied(), "{}", crash.name);
            compared += 1;
        }
    }
    assert!(compared > 0);
}
