//! The recovery run as a whole (`log-5`): where it starts, from log to log, which databases take part, how it ends.
//!
//! A run is either planned or made. Both walk the same logs through the same decisions; a planned run changes no file and
//! looks at no page, so it finds every refusal that does not lie in a page before anything is touched.

mod databases;
mod end;
mod release;
mod start;
mod stop;

pub use crate::redo::damage::BadPage;
pub use end::LostLogs;
pub use start::Start;

use crate::ambient::Ambient;
use crate::attach::Why;
use crate::error::{ReplayError, Result};
use crate::logs::{self, Logs};
use crate::naming::Naming;
use crate::redo::Redo;
use crate::stop::{Reached, Stop};
use crate::stream::replacing::replacement_of;
use crate::undo::Undone;
use crate::versions::{BlobStore, Versions};
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::header::{Expected, LogHeader};
use anchorlog_format::log::record::{Operation, RecordType};
use anchorlog_format::log::scan::ReadContext;
use anchorlog_format::log::version::LogVersion;
use anchorlog_format::units::{DatabaseId, Generation, LogPosition, LogTime, PageSize, Signature};
use anchorlog_storage::{File, Folder};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is replayed.
pub struct Setup {
    /// The log stream.
    pub logs: Logs,
    /// Where the databases lie; a made run writes there.
    pub folder: Arc<dyn Folder>,
    /// Which file a logged name means.
    pub naming: Naming,
    /// How.
    pub options: Options,
}

/// How a run goes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Take back what had not committed, and close the databases clean.
    pub undo: bool,
    /// Stop there.
    pub stop: Option<Stop>,
    /// Undo at the stop, so that the databases are clean there and the log ends there; without it they stay dirty at the stop.
    pub undo_at_stop: bool,
    /// Committed transactions in logs that are missing may be lost (`JET_bitReplayIgnoreLostLogs`).
    pub accept_loss: bool,
    /// Logs that do not continue the stream, or are damaged, may be set aside where only committed ones are concerned; with
    /// `accept_loss` (`JET_paramDeleteOutOfRangeLogs`).
    pub set_bad_logs_aside: bool,
    /// The current log may be missing (`JET_bitAllowMissingCurrentLog`).
    pub allow_missing_current: bool,
    /// Databases that are missing at the end do not matter (`JET_bitReplayIgnoreMissingDB`).
    pub ignore_missing_databases: bool,
    /// Databases that the user did not map are passed over.
    pub only_mapped: bool,
    /// A database whose creation is logged may be made anew.
    pub create: bool,
    /// Bad pages do not stop the run: the records on them are passed over, and the report names them.
    pub keep_damage: bool,
    /// Page size that databases and logs must have.
    pub page_size: Option<PageSize>,
    /// Bytes of page images in memory.
    pub cache_bytes: usize,
    /// Bytes of before images in memory.
    pub version_bytes: usize,
    /// The files are the databases and logs themselves, no copies that are published whole: what is written keeps the order of
    /// `log-6 §7`, so that a crash at any moment leaves what the next run completes. Needs room beside the databases for every page that
    /// changes. Not with `undo_at_stop` or `set_bad_logs_aside`, which cut logs.
    pub in_place: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            undo: true,
            stop: None,
            undo_at_stop: false,
            accept_loss: false,
            set_bad_logs_aside: false,
            allow_missing_current: false,
            ignore_missing_databases: false,
            only_mapped: false,
            create: true,
            keep_damage: false,
            page_size: None,
            cache_bytes: 256 << 20,
            version_bytes: 64 << 20,
            in_place: false,
        }
    }
}

/// How a run ended that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// No logs at all: nothing was done.
    NoLogs,
    /// The stream ends cleanly and the checkpoint says so: nothing is to be done.
    NothingToDo,
    /// Everything was redone; the log ended cleanly, so nothing was to be undone (−584 where undo was not wanted).
    Clean,
    /// Everything was redone, and what had not committed was undone.
    Recovered,
    /// Everything was redone; undo was not wanted (−579).
    WithoutUndo,
    /// The stop was reached (−579).
    Stopped,
}

/// What becomes of one database.
#[derive(Clone, Debug)]
pub struct DatabaseReport {
    /// Its file below the folder; `None` where none was found.
    pub path: Option<PathBuf>,
    /// As the log names it.
    pub logged: String,
    /// Its signature in the log.
    pub signature: Signature,
    /// The header after the run.
    pub header: Option<HeaderPage>,
    /// Why it was passed over, at the end.
    pub passed_over: Option<Why>,
    /// Whether the run made it from its logged creation.
    pub created: bool,
    /// Whether any log was applied to it.
    pub replayed: bool,
}

/// What a run did, or would do.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// A warning that Microsoft's engine gives in place of success: 585, 587.
    pub warning: Option<JetCode>,
    /// Where redo began.
    pub start: LogPosition,
    /// Behind the last record redone.
    pub end: LogPosition,
    /// The generations replayed.
    pub generations: Vec<Generation>,
    /// Log files that are no part of the result: they do not continue the stream, or lie behind the stop. A made run removes them from
    /// its folder.
    pub set_aside: Vec<PathBuf>,
    /// Where a stop was refused because a database is newer: before this position none is possible. With a database that the log
    /// attaches behind the stop, a stop there may turn out to be too early still, and then says how far.
    pub earliest_stop: Option<LogPosition>,
    /// Databases.
    pub databases: Vec<DatabaseReport>,
    /// Generations that the databases say were committed and that were given up.
    pub lost: Option<LostLogs>,
    /// Records by type.
    pub records: BTreeMap<RecordType, u64>,
    /// Page changes.
    pub page_changes: u64,
    /// Transactions and changes taken back.
    pub undone: Undone,
    /// Pages compared with what scans of the database saw, as the log has it.
    pub pages_scanned: u64,
    /// Bytes of before images that lay in the working folder at most, because memory had no room for them.
    pub spilled: u64,
    /// Pages that records or undo needed and that could not be used, in the order in which they were met.
    pub bad_pages: Vec<BadPage>,
    /// Notes worth telling.
    pub notes: Vec<String>,
}

/// A failure, with what was known by then.
#[derive(Debug)]
pub struct Failure {
    /// The error.
    pub error: ReplayError,
    /// What had been done.
    pub report: Box<Report>,
}

/// From this format on, each growth of a file is a record.
const GROWTH_LOGGED: LogVersion = LogVersion::segmented(5, 4);

/// The code of a run that its watcher ended; no code of the engine.
pub const INTERRUPTED: JetCode = JetCode(-1);

/// Before images that memory has no room for.
const SPILL: &str = ".anchorlog-versions";

/// Follows a run: for progress, and to interrupt it.
pub trait Watch {
    /// A log is about to be replayed; `false` interrupts the run.
    fn generation(&mut self, generation: Generation, index: usize, of: usize) -> bool;
}

/// Watches nothing.
impl Watch for () {
    fn generation(&mut self, _: Generation, _: usize, _: usize) -> bool {
        true
    }
}

/// One run.
pub(crate) struct Run<'a> {
    pub setup: &'a Setup,
    pub ambient: &'a Ambient,
    pub watch: &'a mut dyn Watch,
    /// Whether files are changed.
    pub make: bool,
    pub naming: Naming,
    pub redo: Redo,
    /// The stream as the ending goes on with it.
    pub logs: Logs,
    pub slots: BTreeMap<DatabaseId, databases::Slot>,
    /// The last generation from which a database may hold changes, as its header said when it was attached.
    pub required: BTreeMap<DatabaseId, Generation>,
    /// Files of the attached databases, in a made run.
    pub open: BTreeMap<DatabaseId, databases::OpenFiles>,
    /// Headers of databases that were closed again in this run, or made by it.
    pub closed: BTreeMap<PathBuf, HeaderPage>,
    pub stream: Signature,
    /// The log being replayed.
    pub header: Option<LogHeader>,
    pub log_path: PathBuf,
    /// XOR of its segment checksums.
    pub accumulated: u64,
    /// The last ShutDownMark.
    pub mark: Option<LogPosition>,
    pub last_is_mark: bool,
    /// The last record, padding aside: its position and type.
    pub last: Option<(LogPosition, RecordType)>,
    /// Records met, by the number of their type.
    pub records: [u64; 256],
    pub report: Report,
    /// Whether the current log was not there: undo begins a new generation then.
    pub current_missing: bool,
    /// Committed logs are missing or damaged, by consent.
    pub loss_accepted: bool,
    /// The generation in which the log ends that undo wrote, and when it was made.
    pub log_end: Option<(Generation, LogTime)>,
}

/// Plans a run: nothing is changed, no page is looked at.
///
/// # Errors
/// The error that the run would end with, as far as it does not lie in a page.
pub fn plan(setup: &Setup, ambient: &Ambient, watch: &mut dyn Watch) -> std::result::Result<Report, Failure> {
    run(setup, ambient, watch, false)
}

/// Makes a run: the databases and logs below the folders of the setup are changed.
///
/// # Errors
/// The error that the run ended with; the files are then half way, and of no use.
pub fn replay(setup: &Setup, ambient: &Ambient, watch: &mut dyn Watch) -> std::result::Result<Report, Failure> {
    run(setup, ambient, watch, true)
}

fn run(setup: &Setup, ambient: &Ambient, watch: &mut dyn Watch, make: bool) -> std::result::Result<Report, Failure> {
    let folder = setup.folder.clone();
    let spill = move || -> io::Result<Arc<dyn File>> {
        // Of a run that a crash ended.
        _ = folder.remove(Path::new(SPILL));
        folder.create(Path::new(SPILL))
    };
    let redo = Redo::new(
        crate::cache::PageCache::new(setup.options.cache_bytes),
        Versions::new(BlobStore::new(setup.options.version_bytes, spill)),
    );
    let report = Report {
        ending: Ending::NoLogs,
        warning: None,
        start: LogPosition::NONE,
        end: LogPosition::NONE,
        generations: Vec::new(),
        set_aside: Vec::new(),
        earliest_stop: None,
        databases: Vec::new(),
        lost: None,
        records: BTreeMap::new(),
        page_changes: 0,
        undone: Undone::default(),
        pages_scanned: 0,
        spilled: 0,
        bad_pages: Vec::new(),
        notes: Vec::new(),
    };
    let mut run = Run {
        setup,
        ambient,
        watch,
        make,
        naming: setup.naming.clone(),
        redo,
        logs: setup.logs.clone(),
        slots: BTreeMap::new(),
        required: BTreeMap::new(),
        open: BTreeMap::new(),
        closed: BTreeMap::new(),
        stream: Signature::NONE,
        header: None,
        log_path: PathBuf::new(),
        accumulated: 0,
        mark: None,
        last_is_mark: false,
        last: None,
        records: [0; 256],
        report,
        current_missing: false,
        loss_accepted: false,
        log_end: None,
    };
    let result = run.go();
    let report = run.finish_report();
    if make {
        _ = setup.folder.remove(Path::new(SPILL));
        _ = run.logs.folder.remove(&replacement_of(&run.logs.files));
    }
    match result {
        Ok(()) => Ok(report),
        Err(error) => Err(Failure { error, report: Box::new(report) }),
    }
}

impl Run<'_> {
    fn go(&mut self) -> Result<()> {
        let options = &self.setup.options;
        if options.in_place && (options.set_bad_logs_aside || (options.stop.is_some() && options.undo_at_stop)) {
            return Err(ReplayError::new(JetCode(-1003), "logs are never cut in place: work on a copy"));
        }
        let Some(start) = self.find_start()? else { return Ok(()) };
        self.report.start = start.position;
        self.attach_list(&start)?;
        match self.redo_logs(&start) {
            Ok(stopped) => self.end(stopped)?,
            Err(error) if error.jet == INTERRUPTED => return Err(error),
            // Microsoft's engine stops at the first bad page: whatever was found behind it comes second.
            Err(error) => return self.refuse_bad_pages().and(Err(error)),
        }
        self.refuse_bad_pages()
    }

    /// Bad pages are a refusal, all of them at once, unless the user keeps the damage.
    pub(crate) fn refuse_bad_pages(&self) -> Result<()> {
        match self.redo.refusal().filter(|_| !self.setup.options.keep_damage) {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Redo from generation to generation (`log-5 §7`); `true` when the stop was reached.
    fn redo_logs(&mut self, start: &Start) -> Result<bool> {
        let mut path = start.path.clone();
        let mut from = start.position;
        let highest = self.setup.logs.highest_archive().map_or(0, |generation| generation.0) + 1;
        let total = usize::try_from(highest.saturating_sub(start.position.generation.0) + 1).unwrap_or(usize::MAX);
        loop {
            let bytes = self.setup.logs.read(&path)?;
            let next = {
                let log = logs::open(&bytes, &path)?;
                let first = self.header.is_none();
                let generation = log.header().generation;
                if !self.watch.generation(generation, self.report.generations.len(), total) {
                    return Err(ReplayError::new(INTERRUPTED, "interrupted").at(from));
                }
                let sound = self.check_log(&log, &path, first)?;
                if !sound {
                    return Ok(false);
                }
                self.begin_log(&log, &path)?;
                if self.redo_log(&log, from)? {
                    return Ok(true);
                }
                self.check_damage(&log, &path)?;
                self.check_required_time(log.header())?;
                if self.setup.logs.is_current(&path) {
                    return Ok(false);
                }
                generation
            };
            match self.next_log(next)? {
                Some(found) => path = found,
                None => return Ok(false),
            }
            from = LogPosition::NONE;
        }
    }

    /// The links of the chain, and the damage of a log, before its first record (`log-5 §7.3`). `false`: the log is set aside by consent.
    fn check_log(&mut self, log: &LogFile<'_>, path: &Path, first: bool) -> Result<bool> {
        let header = log.header();
        if first {
            return Ok(true);
        }
        let Some(previous) = self.header.clone() else { return Ok(true) };
        let wanted = Generation(previous.generation.0 + 1);
        if header.generation != wanted || header.previous_created != previous.created {
            let reason = if header.generation == wanted {
                format!(
                    "the log {} says that generation {} was made at {}, but the one at hand was made at {}: they are of different histories",
                    path.display(),
                    previous.generation,
                    header.previous_created,
                    previous.created
                )
            } else {
                format!(
                    "generation {wanted} is missing: behind generation {} comes {} ({})",
                    previous.generation,
                    header.generation,
                    path.display()
                )
            };
            return self.bad_log(wanted, path, JetCode::INVALID_LOG_SEQUENCE, JetCode::COMMITTED_LOG_FILES_MISSING, reason);
        }
        if header.version().has_accumulated_checksum() && header.previous_accumulated != self.accumulated {
            let reason = format!(
                "the log {} expects other contents of generation {} than the file at hand has: they are of different histories",
                path.display(),
                previous.generation
            );
            return Err(ReplayError::new(JetCode::LOG_SEQUENCE_CHECKSUM_MISMATCH, reason).in_file(path.display().to_string()));
        }
        let refusal = log.end().refusal(ReadContext::Soft, self.setup.logs.is_current(path));
        if let Some(jet) = refusal
            && !self.stops_inside(header.generation)
        {
            let reason = damage(log, path);
            return self.bad_log(wanted, path, jet, JetCode::COMMITTED_LOG_FILE_CORRUPT, reason);
        }
        Ok(true)
    }

    /// A log that cannot be used: what it means depends on which databases need it (`log-5 §14`).
    fn bad_log(&mut self, generation: Generation, path: &Path, jet: JetCode, committed: JetCode, reason: String) -> Result<bool> {
        let last_good = Generation(generation.0 - 1);
        let verdict = self.requirements(last_good);
        let acceptable = verdict.is_none() || verdict == Some(JetCode::COMMITTED_LOG_FILES_MISSING);
        if acceptable && self.setup.options.accept_loss && self.setup.options.set_bad_logs_aside {
            self.report.warning = Some(JetCode::WARN_COMMITTED_LOG_FILES_REMOVED);
            let files = &self.setup.logs.files;
            let above = files.archives.range(generation..).map(|(_, path)| path);
            let mut bad: Vec<PathBuf> =
                std::iter::once(&path.to_path_buf()).chain(above).chain(&files.current).cloned().collect();
            bad.sort();
            bad.dedup();
            self.set_logs_aside(bad)?;
            self.current_missing = true;
            self.loss_accepted = true;
            return Ok(false);
        }
        let jet = if verdict == Some(JetCode::COMMITTED_LOG_FILES_MISSING) { committed } else { jet };
        Err(ReplayError::new(jet, reason).in_file(path.display().to_string()).at(LogPosition::new(generation.0, 0, 0)))
    }

    /// These logs are no part of the result.
    fn set_logs_aside(&mut self, paths: Vec<PathBuf>) -> Result<()> {
        for path in &paths {
            if self.make {
                let named = |error: io::Error| ReplayError::from(error).in_file(path.display().to_string());
                self.setup.logs.folder.remove(path).map_err(named)?;
            }
            let files = &mut self.logs.files;
            files.archives.retain(|_, other| other != path);
            files.doubled.retain(|other| other != path);
            if files.current.as_ref() == Some(path) {
                files.current = None;
            }
        }
        self.report.set_aside.extend(paths);
        Ok(())
    }

    /// The first log of a run is replayed up to its damage, and then refused (trap W11).
    fn check_damage(&mut self, log: &LogFile<'_>, path: &Path) -> Result<()> {
        match log.end().refusal(ReadContext::Soft, self.setup.logs.is_current(path)) {
            Some(jet) => Err(ReplayError::new(jet, damage(log, path)).in_file(path.display().to_string()).at(log.end().position)),
            None => Ok(()),
        }
    }

    /// At the first record of a generation (`log-5 §7.2`).
    fn begin_log(&mut self, log: &LogFile<'_>, path: &Path) -> Result<()> {
        let header = log.header().clone();
        let generation = header.generation;
        self.redo.files_grow_on_touch = header.version() < GROWTH_LOGGED;
        self.redo.commit_contexts_have_flags = header.version().has_commit_context_flags();
        self.accumulated = log.end().accumulated;
        let ids: Vec<DatabaseId> = self.redo.databases.keys().copied().collect();
        for id in ids {
            self.redo.position = header.first_position();
            self.redo.leave_required_range(id, generation)?;
            if let Some(database) = self.redo.databases.get_mut(&id) {
                let own = &mut database.header.header;
                own.recovering = own.recovering.max(generation);
                if generation > own.max_committed {
                    own.max_committed = generation;
                    own.max_committed_time = header.created;
                }
                if generation > own.max_required {
                    own.max_required = generation;
                    if own.has(anchorlog_format::database::version::Feature::MaxRequiredTime) {
                        own.max_required_time = header.created;
                    }
                }
            }
        }
        self.make_log_durable(path)?;
        self.log_path = path.to_path_buf();
        self.header = Some(header);
        self.report.generations.push(generation);
        Ok(())
    }

    /// The records of one log; `true` when the stop was reached.
    fn redo_log(&mut self, log: &LogFile<'_>, from: LogPosition) -> Result<bool> {
        for record in log.records_from(from) {
            let record = record.map_err(|fault| {
                ReplayError::new(JetCode::LOG_FILE_CORRUPT, format!("the log {}: {fault}", self.log_path.display()))
                    .in_file(self.log_path.display().to_string())
                    .at(fault.position)
            })?;
            let position = record.writer_position;
            if let Some(stop) = &self.setup.options.stop
                && stop.reached(position) == Reached::Behind
            {
                return Ok(true);
            }
            let kind = record.record_type();
            self.records[usize::from(kind.0)] += 1;
            self.report.end = record.end;
            // Pages are of no concern to a plan: only what decides over whole databases is looked at.
            if self.make || concerns_databases(kind) {
                let operation = record.operation().map_err(|error| {
                    ReplayError::new(error.jet(), format!("a record of type {kind:?} cannot be read: {error}")).at(position)
                })?;
                refuse_unknown(&operation, kind).map_err(|error| error.at(position))?;
                self.dispatch(position, &record.bytes, &operation).map_err(|error| error.at(position))?;
            }
            if !kind.is_padding() && kind != RecordType::LEGACY_CHECKSUM {
                self.last = Some((position, kind));
                self.note_shutdown(kind, position);
            }
        }
        let generation = log.header().generation;
        Ok(self.setup.options.stop.as_ref().is_some_and(|stop| stop.ends_with(generation)))
    }

    fn dispatch(&mut self, position: LogPosition, raw: &[u8], operation: &Operation<'_>) -> Result<()> {
        self.redo.position = position;
        match operation {
            Operation::CreateDatabase(create) => self.create_database(position, create),
            Operation::CreateDatabaseFinish(finish) => self.finish_creation(position, finish.database),
            Operation::AttachDatabase(attach) => self.attach_database(position, attach),
            Operation::DetachDatabase(detach) => self.detach_database(position, detach.database),
            Operation::ReAttachDatabase(attach) => self.reattach_database(position, attach.database),
            Operation::SetDatabaseVersion(set) => self.set_version(set),
            Operation::ExtendDatabase(extend) => self.extend(position, extend),
            Operation::ShrinkDatabase(shrink) | Operation::ShrinkDatabase2(shrink) => {
                self.shrink(position, shrink.database, shrink.last_page, shrink.pages, None)
            }
            Operation::ShrinkDatabase3(shrink) => {
                self.shrink(position, shrink.database, shrink.last_page, shrink.pages, Some(shrink.dbtime))
            }
            Operation::TrimDatabase(trim) => self.trim(trim),
            Operation::ExtentFreed(freed) => self.extent_freed(freed.database, freed.first, freed.pages),
            Operation::ExtentFreed2(freed) => self.extent_freed(freed.database, freed.first, freed.pages),
            Operation::Backup(backup) => self.backup(position, backup),
            // A run of the engine begins; the one before may have ended without a word.
            Operation::Init(_) => {
                self.redo.forget_sessions();
                Ok(())
            }
            Operation::Term(_) | Operation::RecoveryQuit(_) => self.terminate(),
            Operation::RecoveryQuitKeepAttachments(_) => {
                self.redo.forget_sessions();
                Ok(())
            }
            Operation::ShutDownMark(_) => {
                self.mark = Some(position);
                Ok(())
            }
            _ => self.redo.redo(position, raw, operation),
        }
    }

    /// Some records stand behind a shutdown mark without making it worthless (trap W13, V33).
    fn note_shutdown(&mut self, kind: RecordType, _position: LogPosition) {
        const NEUTRAL: [u8; 10] = [17, 19, 20, 21, 22, 46, 51, 57, 60, 61];
        if kind == RecordType::SHUT_DOWN_MARK {
            self.last_is_mark = true;
        } else if !NEUTRAL.contains(&kind.0) {
            self.last_is_mark = false;
        }
    }

    /// Whether the stop lies in a generation, so that its damage may lie behind it.
    fn stops_inside(&self, generation: Generation) -> bool {
        self.setup.options.stop.as_ref().is_some_and(|stop| stop.lies_inside(generation))
    }

    /// What must hold of every log of the stream.
    pub(crate) fn expected(&self) -> Expected {
        Expected { signature: Some(self.stream), page_size: self.setup.options.page_size, ..Expected::default() }
    }
}

/// Records that decide over whole databases, and those that end runs.
fn concerns_databases(kind: RecordType) -> bool {
    matches!(
        kind.0,
        1 | 2 | 14 | 15 | 16 | 18 | 23 | 26 | 49 | 50 | 52 | 53 | 54 | 55 | 68 | 72 | 78 | 79 | 80 | 81 | 92 | 94 | 99
    )
}

/// Types that redo refuses (`log-4 §21`).
fn refuse_unknown(operation: &Operation<'_>, kind: RecordType) -> Result<()> {
    match operation {
        Operation::ConvertOld(_) => {
            Err(ReplayError::new(JetCode::BAD_LOG_VERSION, "a tree conversion of a log format that cannot be replayed"))
        }
        Operation::BeginDistributed(_) | Operation::PrepareCommit(_) | Operation::PrepareRollback(_) => Err(ReplayError::new(
            JetCode::LOG_CORRUPTED,
            format!("a record of type {kind:?}, which no engine of this format redoes"),
        )),
        _ => Ok(()),
    }
}

fn damage(log: &LogFile<'_>, path: &Path) -> String {
    match &log.end().corruption {
        Some(corruption) => format!(
            "the log {} is damaged at segment {:#x} ({:?}); its records are good up to {}",
            path.display(),
            corruption.segment,
            corruption.reason,
            log.end().position
        ),
        None => format!("the log {} ends in a torn write at {}", path.display(), log.end().position),
    }
}
