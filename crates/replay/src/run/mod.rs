//! The recovery run as a whole (`log-5`): where it starts, from log to log, which databases take part, how it ends.
//!
//! A run is either planned or made. Both walk the same logs through the same decisions; a planned run changes no file and
//! looks at no page, so it finds every refusal that does not lie in a page before anything is touched.

mod close;
mod create;
mod databases;
mod end;
mod fetch;
mod records;
mod release;
mod resize;
mod stamps;
mod start;
mod stop;
mod walk;

pub use crate::redo::Hook;
pub use crate::redo::damage::BadPage;
pub use end::LostLogs;
pub use start::Start;

use crate::ambient::Ambient;
use crate::attach::Why;
use crate::error::{ReplayError, Result};
use crate::hard;
use crate::logs::Logs;
use crate::naming::Naming;
use crate::redo::Redo;
use crate::stop::Stop;
use crate::stream::link::LogLink;
use crate::stream::replacing::replacement_of;
use crate::undo::Undone;
use crate::versions::{BlobStore, Versions};
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::record::RecordType;
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
    /// Threads that change pages; the result is the same with any number.
    pub threads: usize,
    /// Tests delay work on pages with it.
    pub hook: Option<Hook>,
    /// The files are the databases and logs themselves, no copies that are published whole: what is written keeps the order of
    /// `log-6 §7`, so that a crash at any moment leaves what the next run completes. Needs room beside the databases for every page that
    /// changes. Not with `undo_at_stop` or `set_bad_logs_aside`, which cut logs.
    pub in_place: bool,
    /// Hard recovery: the databases come out of an online backup whose logs are this range; redo begins at its first. Databases that are no
    /// candidates take no part, and what is missing at the end does not matter. Not with `in_place`, nor with a stop.
    pub hard: Option<hard::Set>,
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
            threads: 1,
            hook: None,
            in_place: false,
            hard: None,
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
    /// What the log behind it must join on to.
    pub link: Option<LogLink>,
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
    let mut redo = Redo::new(
        crate::cache::PageCache::new(setup.options.cache_bytes),
        Versions::new(BlobStore::new(setup.options.version_bytes, spill)),
    );
    redo.use_threads(setup.options.threads, setup.options.hook.clone());
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
        link: None,
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
        if options.hard.is_some() && (options.in_place || options.stop.is_some()) {
            return Err(ReplayError::new(JetCode(-1003), "a backup set is recovered on a copy, and to the end of its logs"));
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
}
