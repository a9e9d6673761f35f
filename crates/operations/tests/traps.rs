//! Traps of the recovery run (`log-5 §21`) and of its endings (`log-8 §13`) that a plan must not fall into, each by its id.

use anchorlog_format::database::{DatabaseHeader, DatabaseState};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::units::{BackupInfo, DatabaseId, Dbtime, Generation, LogPosition, LogTime, ObjectId, PageSize, Signature};
use anchorlog_operations::recover::{Inputs, MakeError, Options, Place, Plan, Report, Sources, Verdict, make, plan};
use anchorlog_operations::verify::verify_file;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::attach::{Context, FileState, Logged, Outcome, Source, Why, decide_attach, decide_create};
use anchorlog_replay::stop::Stop;
use anchorlog_storage::DiskFolder;
use anchorlog_testkit::data;
use anchorlog_testkit::steps;
use std::fs;
use std::path::{Path, PathBuf};

/// A copy of a part of a set, to be changed.
struct Case {
    root: tempfile::TempDir,
    set: PathBuf,
}

impl Case {
    /// `None` where the set is not in a bare clone.
    fn of(name: &str, below: &str) -> Option<Self> {
        let set = data::engine_set(name)?.folder();
        let root = tempfile::tempdir().unwrap();
        data::copy_folder(&set.join(below), root.path()).unwrap();
        Some(Self { root, set })
    }
    fn lost(name: &str) -> Option<Self> {
        Self::of(name, "base")
    }
    /// The crash state that every checkout has: required 1 to 0xB, committed 0xB, checkpoint in 1, logs 1 to 0xA and the current one.
    fn one() -> Self {
        Self::lost("lost-4k-1db").expect("the set is in every checkout")
    }
    fn step(self, step: &str) -> Self {
        steps::apply(step, self.root.path(), &self.set);
        self
    }
    fn plan(&self, options: &Options) -> Plan {
        let inputs = Inputs { folder: self.root.path().to_owned(), ..Inputs::default() };
        plan(&Sources::gather(&inputs).unwrap(), options).unwrap()
    }
    fn code(&self, options: &Options) -> i32 {
        self.plan(options).engine.0
    }
    fn usual(&self) -> i32 {
        self.code(&Options::default())
    }
    /// Changes the header of a log and gives it the right checksum again.
    fn forge(self, log: &str, change: impl Fn(&mut LogHeader)) -> Self {
        let path = self.root.path().join(log);
        let mut bytes = fs::read(&path).unwrap();
        let mut header = LogHeader::read(&bytes).unwrap();
        change(&mut header);
        bytes[..LogHeader::SIZE].copy_from_slice(&header.to_bytes());
        fs::write(path, bytes).unwrap();
        self
    }
}

fn accepting(generation: u32) -> Options {
    Options { accept_loss: Some(Generation(generation)), ..Options::default() }
}

fn without_undo() -> Options {
    Options { without_undo: true, ..Options::default() }
}

fn replayed(plan: &Plan) -> Vec<String> {
    plan.generations.iter().map(ToString::to_string).collect()
}

#[test]
fn w1_a_clean_log_end_without_a_checkpoint_is_replayed_all_the_same() {
    let case = Case::of("micro-clean", "before").expect("the set is in every checkout");
    assert!(!case.plan(&Options::default()).replays());
    let case = case.step("remove log/edb.chk");
    let found = case.plan(&Options::default());
    assert!(found.replays() && found.possible);
    assert_eq!(found.engine, JetCode::SUCCESS);
}

#[test]
fn w2_a_checkpoint_into_a_missing_log_is_528_and_an_unreadable_one_falls_back_to_the_lowest_log() {
    let case = Case::one().step("remove log/edb00001.log");
    assert_eq!(case.usual(), -528);
    let chk = case.root.path().join("log/edb.chk");
    fs::write(&chk, vec![1; 8192]).unwrap();
    let found = case.plan(&Options::default());
    assert_eq!(found.engine.0, -543);
    assert_eq!(found.start, Some(LogPosition::new(2, 1, 0)));
}

#[test]
fn w3_a_missing_current_log_is_fine_only_with_the_next_one_in_preparation_or_by_consent() {
    let case = Case::one().step("remove log/edb.log");
    assert_eq!(case.usual(), -543, "the log in preparation is there: the end of the logs is what counts");
    let case = case.step("remove log/edbtmp.log");
    assert_eq!(case.usual(), -528);
    let allowed = Options { allow_missing_current: true, ..Options::default() };
    assert_eq!(case.code(&allowed), -543);
}

#[test]
fn z14_accepting_loss_allows_a_missing_current_log_as_well() {
    let case = Case::one().step("remove log/edb.log").step("remove log/edbtmp.log");
    assert_eq!(case.code(&accepting(0xB)), -543);
}

#[test]
fn w5_a_missing_last_required_log_is_found_at_the_end_after_all_others() {
    let found = Case::one().step("remove log/edb.log").plan(&Options::default());
    assert_eq!(found.engine.0, -543);
    assert_eq!(replayed(&found), ["0x1 to 0xa"]);
}

#[test]
fn w6_a_missing_first_required_log_is_found_at_the_attach_before_any_replay() {
    let found = Case::one().step("remove log/edb.chk").step("remove log/edb00001.log").plan(&Options::default());
    assert_eq!(found.engine.0, -543);
    assert_eq!(replayed(&found), Vec::<String>::new());
}

#[test]
fn w6_a_patched_database_is_not_held_to_its_first_required_log() {
    let (mut header, logged) = attached();
    header.min_required = Generation(1);
    let context = Context { stream: stream(), position: LogPosition::new(5, 1, 0) };
    let refused = decide_attach(FileState::Header(&header), &logged, context);
    assert!(matches!(refused, Outcome::Refuse(jet, _) if jet.0 == -543));
    header.state = DatabaseState::DirtyAndPatched;
    assert_eq!(decide_attach(FileState::Header(&header), &logged, context), Outcome::Now);
}

/// Waypoint set: required 1 to 9, committed 0xD.
fn waypoint() -> Option<Case> {
    Case::lost("lost-4k-waypoint")
}

#[test]
fn w7_what_only_committed_logs_lack_has_its_own_codes() {
    let Some(missing) = waypoint() else { return };
    let missing = missing.step("remove log/edb.log");
    assert_eq!((missing.usual(), missing.code(&accepting(0xD))), (-582, 585));
    let sequence = waypoint().expect("the set is here").step("remove log/edb0000C.log");
    assert_eq!((sequence.usual(), sequence.code(&accepting(0xC))), (-582, 587));
    let corrupt = waypoint().expect("the set is here").step("xor 0xff into byte 30000 of log/edb0000B.log");
    assert_eq!((corrupt.usual(), corrupt.code(&accepting(0xB))), (-586, 587));
    let required = waypoint().expect("the set is here").step("xor 0xff into byte 30000 of log/edb00005.log");
    assert_eq!((required.usual(), required.code(&accepting(5))), (-501, -501), "the required range is never given up");
}

#[test]
fn w8_the_right_number_with_another_creation_time_is_the_wrong_log() {
    let later = LogTime::utc(2030, 1, 1, 0, 0, 0, 0);
    let chain = Case::one().forge("log/edb00005.log", |header| header.created = later);
    assert_eq!(chain.usual(), -515);
    let last = Case::one().forge("log/edb.log", |header| header.created = later);
    assert_eq!(last.usual(), -543);
}

#[test]
fn w11_a_damaged_later_log_is_refused_before_its_first_record_and_a_damaged_first_one_only_where_it_breaks() {
    let later = Case::one().step("xor 0xff into byte 30000 of log/edb00003.log").plan(&Options::default());
    assert_eq!((later.engine.0, replayed(&later)), (-501, vec!["0x1 to 0x2".to_owned()]));
    let first = Case::one().step("xor 0xff into byte 30000 of log/edb00001.log").plan(&Options::default());
    assert_eq!((first.engine.0, replayed(&first)), (-501, vec!["0x1".to_owned()]));
    assert!(first.end.is_some_and(|end| end.generation == Generation(1)));
}

#[test]
fn w18_before_redo_the_consistent_position_counts_only_for_the_same_stream() {
    let (mut header, mut logged) = attached();
    header.consistent_position = LogPosition::new(1, 1, 1);
    header.log_signature = Signature::new(99, LogTime::NONE);
    logged.consistent = LogPosition::NONE;
    let context = Context { stream: stream(), position: LogPosition::new(2, 1, 0) };
    assert_eq!(decide_attach(FileState::Header(&header), &logged, context), Outcome::Defer(Why::OtherStream));
    // An attach record that names the database's former stream, and where it was clean there, fits.
    logged.source = Source::AttachRecord;
    logged.log_signature = header.log_signature;
    logged.consistent = header.consistent_position;
    assert_eq!(decide_attach(FileState::Header(&header), &logged, context), Outcome::Now);
}

#[test]
fn w19_a_newer_copy_is_passed_over_and_an_older_one_is_551() {
    let (mut header, mut logged) = attached();
    logged.source = Source::AttachRecord;
    logged.consistent = LogPosition::new(2, 1, 0);
    let context = Context { stream: stream(), position: LogPosition::new(3, 1, 0) };
    header.consistent_position = LogPosition::new(4, 1, 0);
    assert_eq!(decide_attach(FileState::Header(&header), &logged, context), Outcome::Defer(Why::CleanLater));
    header.consistent_position = LogPosition::new(1, 5, 0);
    let older = decide_attach(FileState::Header(&header), &logged, context);
    assert!(matches!(older, Outcome::Refuse(jet, _) if jet.0 == -551), "{older:?}");
}

#[test]
fn w20_a_logged_creation_makes_a_missing_file_only_where_its_folder_is() {
    let (_, mut logged) = attached();
    logged.source = Source::CreateRecord;
    let context = Context { stream: stream(), position: logged.attach };
    let at = |place_exists| decide_create(FileState::Missing { place_exists }, &logged, context);
    assert_eq!((at(true), at(false)), (Outcome::Create, Outcome::Defer(Why::Missing)));
}

#[test]
fn w21_a_database_that_was_left_out_by_a_map_is_1216_even_where_missing_ones_do_not_matter() {
    let case = Case::lost("lost-4k-3db").expect("the set is in every checkout");
    let options = Options {
        map: vec![(r"R:\db\db1.edb".into(), "db/db1.edb".into())],
        only_mapped: true,
        ignore_missing_database: true,
        ..Options::default()
    };
    assert_eq!(case.code(&options), -1216);
    assert_eq!(case.code(&Options { only_mapped: false, ..options }), 0);
}

#[test]
fn w26_a_stop_at_a_generation_means_all_of_it_and_skips_the_checks_of_the_end() {
    let case = Case::one().step("remove log/edb.log");
    let stop = |position| Options { stop: Some(Stop::from_position(position)), ..Options::default() };
    let whole = case.plan(&stop(LogPosition::new(3, 0, 0)));
    assert_eq!((whole.engine.0, replayed(&whole)), (-579, vec!["0x1 to 0x3".to_owned()]), "the missing last log does not matter");
    let inside = case.plan(&stop(LogPosition::new(3, 2, 0)));
    assert_eq!(inside.engine.0, -579);
    assert!(inside.end < whole.end);
}

fn made(case: &Case, place: &Place) -> Result<Report, MakeError> {
    let sources = Sources::gather(&Inputs { folder: case.root.path().to_owned(), ..Inputs::default() }).unwrap();
    let ambient = Ambient::repeatable(LogTime::utc(2030, 1, 2, 3, 4, 5, 6), 7);
    make(&plan(&sources, &Options::default()).unwrap(), &sources, place, &ambient, &mut ())
}

#[test]
fn g27_the_current_log_may_lie_there_as_an_archive_too_as_long_as_both_are_the_same() {
    let plain = Case::one().plan(&Options::default());
    let copied = Case::one().step("copy log/edb.log to log/edb0000B.log");
    let found = copied.plan(&Options::default());
    assert_eq!((found.engine.0, found.possible, found.end), (0, true, plain.end), "{:?}", found.faults);
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    made(&copied, &Place::Out(out.clone())).unwrap();
    assert!(out.join("log/edb.log").is_file() && !out.join("log/edb0000B.log").exists());
    let later = LogTime::utc(2030, 1, 1, 0, 0, 0, 0);
    for different in [
        Case::one().step("copy log/edb.log to log/edb0000B.log").forge("log/edb0000B.log", |header| header.created = later),
        Case::one().step("copy log/edb.log to log/edb0000B.log").step("xor 0xff into byte 30000 of log/edb0000B.log"),
    ] {
        let found = different.plan(&Options::default());
        assert!(found.engine.0 < 0 && !found.possible, "{}", found.engine);
    }
}

#[test]
fn z26_a_refusal_writes_no_checkpoint_though_the_engine_leaves_a_fresh_one() {
    let case = Case::one().step("remove log/edb.chk").step("remove log/edb00001.log");
    let found = case.plan(&Options::default());
    assert_eq!((found.engine.0, found.possible), (-543, false));
    assert!(made(&case, &Place::InPlace(case.root.path().to_owned())).is_err());
    assert!(!case.root.path().join("log/edb.chk").exists());
}

#[test]
fn z15_a_gap_is_515_with_a_current_log_and_528_without() {
    let case = Case::one().step("remove log/edb00005.log");
    assert_eq!(case.usual(), -515);
    assert_eq!(case.step("remove log/edb.log").usual(), -528);
}

#[test]
fn z16_a_log_of_wrong_length_is_refused_by_its_header_and_none_of_its_records_is_replayed() {
    let found = Case::one().step("truncate log/edb00003.log to 32768 bytes").plan(&Options::default());
    assert_eq!((found.engine.0, replayed(&found)), (-541, vec!["0x1 to 0x2".to_owned()]));
}

#[test]
fn z17_an_empty_current_log_is_4001_and_not_a_missing_one() {
    assert_eq!(Case::one().step("truncate log/edb.log to 0 bytes").usual(), -4001);
}

#[test]
fn z18_a_wrong_page_size_is_told_by_the_log_before_the_database_is_looked_at() {
    let options = Options { page_size: PageSize::from_field(8192), ..Options::default() };
    assert_eq!(Case::one().code(&options), -1213);
    assert_eq!(Case::one().step("remove db/db1.edb").code(&options), -1213);
}

#[test]
fn z20_two_files_that_are_one_database_are_1222() {
    let case = Case::lost("lost-4k-3db").expect("the set is in every checkout");
    assert_eq!(case.step("copy db/db1.edb to db/db2.edb").usual(), -1222);
}

#[test]
fn z21_a_missing_or_damaged_database_is_made_anew_where_its_creation_is_logged_and_may_be_refused() {
    let Some(case) = waypoint() else { return };
    let case = case.step("remove db/db1.edb");
    let found = case.plan(&Options::default());
    assert_eq!((found.engine.0, found.databases[0].verdict), (0, Verdict::Recovered));
    let refused = case.plan(&Options { no_create: true, ..Options::default() });
    assert!(!refused.possible && refused.databases.iter().all(|database| database.verdict == Verdict::Refused));
}

#[test]
fn z22_without_undo_a_missing_required_log_and_a_missing_database_win_over_the_usual_ending() {
    assert_eq!(Case::one().code(&without_undo()), -579);
    assert_eq!(Case::one().step("remove log/edb.log").code(&without_undo()), -543);
    assert_eq!(Case::one().step("remove db/db1.edb").code(&without_undo()), -1216);
}

// trap ops-3 O22
#[test]
fn z23_584_needs_a_clean_log_end_and_clean_databases_alone_are_579() {
    let clean = Case::of("micro-clean", "before").expect("the set is in every checkout");
    assert_eq!(clean.code(&without_undo()), -584);
    let Some(detached) = Case::of("micro-detach-before-crash", "before") else { return };
    assert_eq!(detached.code(&without_undo()), -579);
}

#[test]
fn z25_the_first_lost_generation_is_the_one_behind_the_last_found() {
    let Some(case) = waypoint() else { return };
    let case = case.step("remove log/edb.log").step("remove log/edbtmp.log").step("remove log/edb0000C.log");
    let loss = case.plan(&Options::default()).loss.expect("the plan says what would be lost");
    assert_eq!((loss.first, loss.last), (Generation(0xC), Some(Generation(0xD))));
}

#[test]
fn z28_damage_below_the_checkpoint_is_not_seen_and_without_it_the_lowest_log_is_the_start() {
    let Some(case) = Case::lost("lost-4k-shallow") else { return };
    let case = case.step("xor 0xff into byte 30000 of log/edb00003.log");
    assert_eq!(case.usual(), 0);
    let found = case.step("remove log/edb.chk").plan(&Options::default());
    assert_eq!((found.engine.0, found.start), (-501, Some(LogPosition::new(1, 1, 0))));
}

// trap db-1 D22
// trap ops-2 O2
#[test]
fn d22_a_file_out_of_an_online_backup_is_544_and_not_550() {
    let case = Case::of("backup-stream-4k", "full").expect("the set is in every checkout");
    // The set has no current log; what the engine says of the database comes once that does not matter.
    let found = case.plan(&Options { allow_missing_current: true, ..Options::default() });
    assert_eq!((found.engine.0, found.possible), (-544, false));
}

// trap db-1 D15
// trap ops-2 O3
#[test]
fn d15_the_trailer_of_a_streamed_copy_is_no_bad_page() {
    let case = Case::of("backup-stream-4k", "full").expect("the set is in every checkout");
    let mut codes = Vec::new();
    let folder = DiskFolder::read_only(case.root.path());
    verify_file(&folder, Path::new("db1.edb"), "db1.edb", &mut |finding| codes.push((finding.jet, finding.place.page))).unwrap();
    let pages = fs::metadata(case.root.path().join("db1.edb")).unwrap().len() / 4096 - 2;
    let last = u32::try_from(pages).unwrap();
    assert!(codes.iter().all(|(_, page)| page.is_none_or(|page| page.0 != last)), "{codes:?}");
}

// trap db-1 D24
#[test]
fn d24_the_slot_in_a_header_names_only_its_last_attachment() {
    let (mut header, logged) = attached();
    let context = Context { stream: stream(), position: LogPosition::new(2, 1, 0) };
    header.slot = 5;
    assert_eq!(decide_attach(FileState::Header(&header), &logged, context), Outcome::Now);
}

// trap db-1 D13
#[test]
fn d13_logs_of_before_an_attach_without_logging_are_those_of_another_database() {
    let (mut header, mut logged) = attached();
    let context = Context { stream: stream(), position: LogPosition::new(2, 1, 0) };
    header.signature = Signature::new(1234, LogTime::NONE);
    assert_eq!(decide_attach(FileState::Header(&header), &logged, context), Outcome::Defer(Why::OtherDatabase));
    logged.source = Source::CreateRecord;
    assert_eq!(decide_create(FileState::Header(&header), &logged, context), Outcome::Defer(Why::OtherDatabase));
}

fn stream() -> Signature {
    Signature::new(7, LogTime::NONE)
}

/// A dirty database and the entry of the attach list that fits it.
fn attached() -> (DatabaseHeader, Logged) {
    let header = DatabaseHeader {
        state: DatabaseState::DirtyShutdown,
        signature: Signature::new(1, LogTime::NONE),
        log_signature: stream(),
        attach_position: LogPosition::new(2, 1, 0x268),
        min_required: Generation(5),
        max_required: Generation(6),
        current_backup: BackupInfo::default(),
        ..DatabaseHeader::default()
    };
    let logged = Logged {
        source: Source::List,
        database: DatabaseId(1),
        path: r"R:\db\db1.edb".into(),
        signature: header.signature,
        log_signature: stream(),
        attach: header.attach_position,
        consistent: LogPosition::NONE,
        dbtime: Dbtime(0),
        object: ObjectId(0),
        create_version: Some((2, 0)),
    };
    (header, logged)
}
