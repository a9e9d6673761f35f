//! The plan of a recovery: what belongs together, from where to where it is replayed, what it needs, what stands in its way.

use super::sources::takes_part;
use super::{DatabaseOutcome, RecoverError, Request, Sources, Target, Verdict};
use crate::identify::{Content, Identified};
use anchorlog_format::database::header::DatabaseHeader;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{LogPosition, Signature};
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::logs::Logs;
use anchorlog_replay::naming::{Candidate, Naming};
use anchorlog_replay::run::{self, Ending, Failure, Options, Setup, Watch};
use anchorlog_replay::stop::Stop;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::Folder;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A recovery that was planned.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Where the files come from.
    pub source: String,
    /// Where the result goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// What becomes of each database.
    pub databases: Vec<DatabaseOutcome>,
    /// The log streams.
    pub streams: Vec<StreamPlan>,
    /// The steps, in order, each with what it requires.
    pub steps: Vec<Step>,
    /// Files that go into the result.
    pub files: Vec<FileCopy>,
    /// Everything that stands in the way or is worth knowing.
    pub faults: Vec<Finding>,
    /// The code that Microsoft's engine would return; 0 is success.
    pub engine_code: i32,
    /// Bytes that the result needs on disk.
    pub bytes_needed: u64,
    /// Things to know before the result is used.
    pub warnings: Vec<String>,
    #[serde(skip)]
    pub(super) sources: Sources,
    #[serde(skip)]
    pub(super) request: Request,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What is done.
    pub action: String,
    /// What must hold for it.
    pub requires: String,
    /// Whether it holds.
    pub holds: bool,
}

/// A file that is copied.
#[derive(Clone, Debug, Serialize)]
pub struct FileCopy {
    /// Its path in the result.
    pub path: String,
    /// What it is.
    pub kind: String,
    /// Bytes.
    pub size: u64,
}

/// One log stream of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct StreamPlan {
    /// Its folder and base name.
    pub stream: String,
    /// How its run would end.
    pub outcome: String,
    /// The code that Microsoft's engine would return for it.
    pub code: i32,
    /// Where redo begins.
    pub start: LogPosition,
    /// Behind the last record.
    pub end: LogPosition,
    /// Generations replayed.
    pub generations: Vec<anchorlog_format::units::Generation>,
    /// Generations that would be lost: last found, last committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<(anchorlog_format::units::Generation, anchorlog_format::units::Generation)>,
    #[serde(skip)]
    pub(super) files: StreamFiles,
    #[serde(skip)]
    pub(super) options: Options,
    #[serde(skip)]
    pub(super) naming: Naming,
    #[serde(skip)]
    pub(super) left_out: Vec<PathBuf>,
}

/// Plans a recovery. Nothing is changed.
///
/// # Errors
/// [`RecoverError::Usage`] where the request cannot be understood. A plan that cannot be carried out is no error: see [`Plan::refusal`].
pub fn plan(request: &Request, ambient: &Ambient, watch: &mut dyn Watch) -> Result<Plan, RecoverError> {
    let (sources, shown) = sources_of(request)?;
    let identified = sources.identify().map_err(|error| RecoverError::Usage(format!("{shown}: {error}")))?;
    let mut plan = Plan {
        source: shown,
        out: request.out.as_ref().map(|out| out.display().to_string()),
        databases: Vec::new(),
        streams: Vec::new(),
        steps: Vec::new(),
        files: Vec::new(),
        faults: Vec::new(),
        engine_code: 0,
        bytes_needed: 0,
        warnings: Vec::new(),
        sources,
        request: request.clone(),
    };
    plan.find_streams(&identified)?;
    plan.run_streams(&identified, ambient, watch)?;
    plan.judge_databases(&identified);
    plan.collect_files(&identified);
    plan.check_place();
    plan.warn_of_products(&identified);
    Ok(plan)
}

impl Plan {
    /// Why the plan cannot be carried out; `None` where it can.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let refused = self.databases.iter().find(|database| database.verdict == Verdict::Refused);
        let step = || self.steps.iter().find(|step| !step.holds).map(|step| step.requires.clone());
        match refused {
            Some(database) => Some(format!("{}: {}", database.path, database.reason)),
            None if self.databases.is_empty() => Some("no database is here, and no log creates one".into()),
            None => step(),
        }
    }
    /// The code of the first refusal.
    #[must_use]
    pub fn refusal_code(&self) -> Option<JetCode> {
        self.faults.iter().find_map(|fault| fault.jet.filter(|jet| jet.is_error()))
    }

    /// Log streams by their names, wherever logs lie; only those that hold a log by content.
    fn find_streams(&mut self, identified: &[Identified]) -> Result<(), RecoverError> {
        let logs: BTreeSet<&Path> = identified
            .iter()
            .filter(|file| matches!(file.content, Content::Log(_) | Content::DamagedLog(_)))
            .map(|file| file.path.as_path())
            .collect();
        let named_like_logs: BTreeSet<PathBuf> =
            identified.iter().map(|file| file.path.parent().unwrap_or(Path::new("")).to_path_buf()).collect();
        let mut found = Vec::new();
        for folder in named_like_logs {
            let streams = StreamFiles::find(&self.sources, &folder).map_err(|error| RecoverError::Usage(error.to_string()))?;
            found.extend(streams);
        }
        let has_log = |stream: &StreamFiles| {
            stream.current.iter().chain(stream.archives.values()).any(|path| logs.contains(path.as_path()))
        };
        found.retain(has_log);
        if let Some(base) = &self.request.base {
            found.retain(|stream| stream.naming.base.eq_ignore_ascii_case(base));
            if found.is_empty() {
                return Err(RecoverError::Usage(format!("no log stream with the base name {base} is in {}", self.source)));
            }
        }
        // Of a stream with files of both extensions the one with a current log counts.
        let key = |stream: &StreamFiles| (stream.folder.clone(), stream.naming.base.to_lowercase());
        let with_current: BTreeSet<_> = found.iter().filter(|stream| stream.current.is_some()).map(key).collect();
        found.retain(|stream| stream.current.is_some() || !with_current.contains(&key(stream)));
        for files in found {
            self.streams.push(StreamPlan {
                stream: files.folder.join(&files.naming.base).display().to_string(),
                outcome: String::new(),
                code: 0,
                start: LogPosition::NONE,
                end: LogPosition::NONE,
                generations: Vec::new(),
                lost: None,
                files,
                options: Options::default(),
                naming: Naming::default(),
                left_out: Vec::new(),
            });
        }
        Ok(())
    }

    /// Plans each stream's run.
    fn run_streams(&mut self, identified: &[Identified], ambient: &Ambient, watch: &mut dyn Watch) -> Result<(), RecoverError> {
        let candidates: Vec<Candidate> = identified.iter().filter_map(candidate_of).collect();
        let folder: Arc<dyn Folder> = Arc::new(self.sources.clone());
        for at in 0..self.streams.len() {
            let naming = Naming { candidates: candidates.clone(), map: self.request.map.clone() };
            let options = self.options_for(&folder, &self.streams[at].files)?;
            let logs = Logs { folder: folder.clone(), files: self.streams[at].files.clone() };
            let setup = Setup { logs, folder: folder.clone(), naming: naming.clone(), options: options.clone() };
            let result = run::plan(&setup, ambient, watch);
            let (report, failure) = match result {
                Ok(report) => (report, None),
                Err(Failure { error, report }) => (*report, Some(error)),
            };
            let code =
                failure.as_ref().map_or_else(|| code_of(&report.ending, report.warning, options.undo), |error| error.jet.0);
            let outcome = failure.as_ref().map_or_else(|| describe(&report.ending).to_owned(), ToString::to_string);
            let lost = report.lost.map(|lost| (lost.last_found, lost.last_committed));
            if let Some(error) = &failure {
                self.faults.push(error.finding());
            }
            if code != 0 && self.engine_code == 0 {
                self.engine_code = code;
            }
            for note in &report.notes {
                self.faults.push(Finding::note(Place::file(self.streams[at].stream.clone()), note.clone()));
            }
            self.check_consent(&report, failure.is_some());
            let refused = failure.map(|error| error.to_string());
            self.add_databases(&report, refused, &options);
            let stream = &mut self.streams[at];
            stream.outcome = outcome;
            stream.code = code;
            stream.start = report.start;
            stream.end = report.end;
            stream.generations.clone_from(&report.generations);
            stream.lost = lost;
            stream.left_out = left_out(&stream.files, &report, &options);
            stream.options = options;
            stream.naming = naming;
        }
        Ok(())
    }

    fn options_for(&self, folder: &Arc<dyn Folder>, files: &StreamFiles) -> Result<Options, RecoverError> {
        let request = &self.request;
        let defaults = Options::default();
        let stop = match request.to {
            None => None,
            Some(Target::Position(position)) => Some(Stop::from_position(position)),
            Some(Target::Time(_)) => {
                _ = (folder, files);
                return Err(RecoverError::Usage("--to TIME is not understood here".into()));
            }
        };
        Ok(Options {
            undo: !request.without_undo,
            stop,
            accept_loss: request.accept_loss.is_some(),
            set_bad_logs_aside: request.accept_loss.is_some(),
            allow_missing_current: request.accept_loss.is_some(),
            ignore_missing_databases: request.ignore_missing_database,
            create: !request.no_create,
            cache_bytes: request.cache_bytes.unwrap_or(defaults.cache_bytes),
            ..defaults
        })
    }

    /// Consent to loss names the generation that the plan computed, and a limit is a limit.
    fn check_consent(&mut self, report: &run::Report, failed: bool) {
        let Some(lost) = report.lost else { return };
        let place = Place::file(self.source.clone());
        match self.request.accept_loss {
            Some(generation) if generation != lost.last_found => {
                let message = format!(
                    "--accept-loss names generation {generation}, but what is at hand ends with generation {}: nothing is given up unseen",
                    lost.last_found
                );
                let hint =
                    format!("give --accept-loss {} if the loss of the generations behind it is acceptable", lost.last_found);
                self.faults.push(Finding::error(place, JetCode::COMMITTED_LOG_FILES_MISSING, message).with_hint(hint));
                self.steps.push(Step {
                    action: "give up committed transactions".into(),
                    requires: format!("consent names generation {}", lost.last_found),
                    holds: false,
                });
            }
            Some(_) if self.request.max_lost_logs.is_some_and(|limit| lost.count() > limit) => {
                let limit = self.request.max_lost_logs.unwrap_or(0);
                let message = format!("{} generations would be lost, more than the limit of {limit}", lost.count());
                self.faults.push(Finding::error(place, JetCode::COMMITTED_LOG_FILES_MISSING, message));
                self.steps.push(Step {
                    action: "give up committed transactions".into(),
                    requires: format!("at most {limit} generations are lost"),
                    holds: false,
                });
            }
            Some(_) => {}
            None if failed => {
                if let Some(fault) = self.faults.last_mut() {
                    fault.hint = format!(
                        "find generations {} to {}; or give --accept-loss {} to go without them",
                        lost.last_found.0 + 1,
                        lost.last_committed,
                        lost.last_found
                    );
                }
            }
            None => {}
        }
    }

    /// The databases that a stream's run concerns.
    fn add_databases(&mut self, report: &run::Report, refused: Option<String>, options: &Options) {
        for database in &report.databases {
            let Some(path) = &database.path else { continue };
            let shown = path.display().to_string();
            let header = database.header.as_ref().map(|page| &page.header);
            let (verdict, reason) = match (&refused, database.passed_over) {
                (Some(reason), _) => (Verdict::Refused, reason.clone()),
                (None, Some(_)) => continue,
                (None, None) => verdict_of(report, options, database.created),
            };
            let outcome = DatabaseOutcome {
                path: shown.clone(),
                logged: Some(database.logged.clone()),
                verdict,
                reason,
                state_before: if database.created { "missing".into() } else { String::new() },
                state_after: None,
                required: None,
                committed: None,
                consistent_before: None,
                consistent_after: None,
                page_size: header.map(|header| header.page_size),
            };
            self.databases.retain(|other| other.path != shown);
            self.databases.push(outcome);
        }
        if let Some(reason) = refused
            && report.databases.iter().all(|database| database.path.is_none())
        {
            self.steps.push(Step { action: "replay the logs".into(), requires: reason, holds: false });
        }
    }

    /// What the files say of themselves; and the databases that no log concerns.
    fn judge_databases(&mut self, identified: &[Identified]) {
        for file in identified {
            let path = file.path.display().to_string();
            if !self.wanted(&file.path) {
                continue;
            }
            let (header, damaged) = match &file.content {
                Content::Database { page, .. } => (Some(&page.header), false),
                Content::DamagedDatabase { .. } => (None, true),
                _ => continue,
            };
            let known = self.databases.iter_mut().find(|database| database.path == path);
            let outcome = match known {
                Some(outcome) => outcome,
                None => {
                    let (verdict, reason) = untouched(header, damaged, &self.streams);
                    if verdict == Verdict::Refused {
                        let jet = if damaged { JetCode::READ_VERIFY_FAILURE } else { JetCode::DATABASE_DIRTY_SHUTDOWN };
                        self.faults.push(Finding::error(Place::file(path.clone()), jet, reason.clone()));
                    }
                    self.databases.push(DatabaseOutcome {
                        path: path.clone(),
                        logged: None,
                        verdict,
                        reason,
                        state_before: String::new(),
                        state_after: None,
                        required: None,
                        committed: None,
                        consistent_before: None,
                        consistent_after: None,
                        page_size: None,
                    });
                    let last = self.databases.len() - 1;
                    &mut self.databases[last]
                }
            };
            if let Some(header) = header {
                outcome.state_before = header.state.to_string();
                outcome.page_size = Some(header.page_size);
                if header.state.is_dirty() {
                    outcome.required = Some((header.min_required, header.max_required));
                    outcome.committed = Some(header.max_committed);
                }
                outcome.consistent_before = Some(header.consistent_position);
            } else {
                outcome.state_before = "header damaged".into();
            }
        }
        self.databases.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// Databases that the user did not name are left alone, where any were named.
    fn wanted(&self, path: &Path) -> bool {
        self.request.databases.is_empty()
            || self.request.databases.iter().any(|named| self.sources.place(path).is_some_and(|place| same_file(place, named)))
    }

    /// Everything that takes part goes into the result; what a stop or a lost log leaves behind does not.
    fn collect_files(&mut self, identified: &[Identified]) {
        let left_out: BTreeSet<PathBuf> = self.streams.iter().flat_map(|stream| stream.left_out.clone()).collect();
        let streams: BTreeMap<&Path, &StreamPlan> =
            self.streams.iter().map(|stream| (stream.files.folder.as_path(), stream)).collect();
        for file in identified {
            let is_database = matches!(file.content, Content::Database { .. } | Content::DamagedDatabase { .. });
            let beside_log = file.path.parent().is_some_and(|folder| streams.contains_key(folder));
            let named_like_log = anchorlog_format::log::names::parse(&file.name()).is_some() && beside_log;
            let part = takes_part(&file.content) || (named_like_log && file.size > 0);
            if !part || left_out.contains(&file.path) || (is_database && !self.wanted(&file.path)) {
                continue;
            }
            self.bytes_needed += file.size;
            self.files.push(FileCopy { path: file.path.display().to_string(), kind: file.content.describe(), size: file.size });
        }
    }

    fn check_place(&mut self) {
        let (holds, requires, place) = match (&self.request.out, self.request.in_place, &self.request.source) {
            (Some(out), false, _) => {
                let free = !out.exists() || std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
                (free, format!("{} does not exist, or is an empty folder", out.display()), Some(out.clone()))
            }
            (None, true, Some(source)) => {
                let writable = std::fs::metadata(source).is_ok_and(|metadata| !metadata.permissions().readonly());
                (writable, format!("{} may be written", source.display()), Some(source.clone()))
            }
            _ => return,
        };
        let action = if self.request.in_place {
            "set the originals aside and put the result in their place"
        } else {
            "publish the result"
        };
        let copy = Step {
            action: format!("copy {} files, {} bytes, into a working folder", self.files.len(), self.bytes_needed),
            requires: format!("{} bytes are free", self.bytes_needed),
            holds: place
                .as_ref()
                .and_then(|place| anchorlog_storage::space::free_bytes(place).ok())
                .is_none_or(|free| free >= self.bytes_needed),
        };
        if !copy.holds {
            let message = format!("the result needs {} bytes, more than are free", self.bytes_needed);
            self.faults.push(Finding::error(Place::file(self.source.clone()), JetCode(-1808), message));
        }
        self.steps.push(copy);
        for stream in &self.streams {
            self.steps.push(Step {
                action: format!("replay {} from {}: {}", stream.stream, stream.start, stream.outcome),
                requires: "every log from there on is at hand, whole, and continues the one before".into(),
                holds: stream.code >= 0 || matches!(stream.code, -579 | -584),
            });
        }
        self.steps.push(Step {
            action: "prove the result: every page, tree, record and long value".into(),
            requires: if self.request.keep_damage { "nothing: damage is kept".into() } else { "no error is found".into() },
            holds: true,
        });
        self.steps.push(Step { action: action.into(), requires, holds });
    }

    fn warn_of_products(&mut self, identified: &[Identified]) {
        if identified.iter().any(|file| file.name().eq_ignore_ascii_case("ntds.dit")) {
            self.warnings.push(
                "ntds.dit is an Active Directory database: put back on a domain controller, an older state makes its update numbers run \
                 back (USN rollback), and replication stops silently. Use it for reading, or follow Microsoft's procedure for a restored \
                 domain controller."
                    .into(),
            );
        }
    }
}

fn sources_of(request: &Request) -> Result<(Sources, String), RecoverError> {
    let usage = |path: &Path, error: &std::io::Error| RecoverError::Usage(format!("{}: {error}", path.display()));
    let mut sources = Sources::default();
    let mut shown = Vec::new();
    if let Some(source) = &request.source {
        if !source.is_dir() {
            return Err(RecoverError::Usage(format!(
                "{} is not a folder: name the folder that holds databases and logs",
                source.display()
            )));
        }
        sources.add_folder(source, Path::new("")).map_err(|error| usage(source, &error))?;
        shown.push(source.display().to_string());
    }
    let inside = |place: &Path, sources: &Sources| {
        sources.paths().any(|path| sources.place(path).is_some_and(|known| same_file(known, place)))
    };
    for database in &request.databases {
        if !database.is_file() {
            return Err(RecoverError::Usage(format!("{} is not a file", database.display())));
        }
        if !inside(database, &sources) {
            for path in [database.clone(), database.with_extension("jfm")] {
                if let Some(name) = path.file_name().filter(|_| path.is_file()) {
                    sources.add_file(path.clone(), PathBuf::from(name));
                }
            }
            shown.push(database.display().to_string());
        }
    }
    if let Some(logs) = &request.logs {
        if !logs.is_dir() {
            return Err(RecoverError::Usage(format!("{} is not a folder", logs.display())));
        }
        let within = request.source.as_ref().is_some_and(|source| is_below(logs, source));
        if !within {
            let name = logs.file_name().map_or_else(|| PathBuf::from("log"), PathBuf::from);
            sources.add_folder(logs, &name).map_err(|error| usage(logs, &error))?;
            shown.push(logs.display().to_string());
        }
    }
    if shown.is_empty() {
        return Err(RecoverError::Usage("name a folder, or a database with --database and its logs with --logs".into()));
    }
    Ok((sources, shown.join(" + ")))
}

fn is_below(path: &Path, root: &Path) -> bool {
    match (path.canonicalize(), root.canonicalize()) {
        (Ok(path), Ok(root)) => path.starts_with(root),
        _ => false,
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn candidate_of(file: &Identified) -> Option<Candidate> {
    match &file.content {
        Content::Database { page, .. } => Some(Candidate { path: file.path.clone(), signature: Some(page.header.signature) }),
        Content::DamagedDatabase { .. } => Some(Candidate { path: file.path.clone(), signature: None::<Signature> }),
        _ => None,
    }
}

/// The verdict on a database that a run concerned and that was not passed over.
fn verdict_of(report: &run::Report, options: &Options, created: bool) -> (Verdict, String) {
    let generations = match (report.generations.first(), report.generations.last()) {
        (Some(first), Some(last)) => format!("generations {first} to {last} are replayed"),
        _ => "no log has anything for it".into(),
    };
    let made = if created { "made anew from its logged creation, " } else { "" };
    match report.ending {
        Ending::Recovered | Ending::Clean if report.lost.is_some() || report.warning.is_some() => {
            (Verdict::RecoveredLossAccepted, format!("{made}{generations}; what was committed later is given up"))
        }
        Ending::Recovered | Ending::Clean => (Verdict::Recovered, format!("{made}{generations}")),
        Ending::WithoutUndo => (Verdict::ReplayedStaysDirty, format!("{made}{generations}; open transactions stay open")),
        Ending::Stopped => (Verdict::ReplayedStaysDirty, format!("{made}{generations}, up to the stop")),
        Ending::NothingToDo | Ending::NoLogs => {
            _ = options;
            (Verdict::AlreadyClean, "the log ends cleanly".into())
        }
    }
}

/// The verdict on a database that no run concerns.
fn untouched(header: Option<&DatabaseHeader>, damaged: bool, streams: &[StreamPlan]) -> (Verdict, String) {
    let Some(header) = header.filter(|_| !damaged) else {
        return (Verdict::Refused, "both copies of its header are damaged, and no log creates it anew".into());
    };
    match header.state {
        DatabaseState::CleanShutdown => (Verdict::AlreadyClean, "it was closed clean; no log is needed".into()),
        _ if header.is_temporary() => {
            (Verdict::Refused, "it is a temporary database: it means nothing outside the process that made it".into())
        }
        DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched if header.is_streamed_backup() => {
            (Verdict::Refused, "it is part of a streaming backup and must be restored with the logs of its set".into())
        }
        DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched => {
            let needs = format!("it is dirty and needs generations {} to {}", header.min_required, header.max_required);
            let why = if streams.is_empty() { "no logs are here" } else { "none of the logs here was applied to it" };
            (Verdict::Refused, format!("{needs} of the log stream {}; {why}", header.log_signature))
        }
        state => (Verdict::Refused, format!("its state is \"{state}\"")),
    }
}

/// Logs that do not go into the result: set aside by consent, or behind a stop.
fn left_out(files: &StreamFiles, report: &run::Report, options: &Options) -> Vec<PathBuf> {
    let mut out = report.set_aside.clone();
    if options.stop.is_some()
        && let Some(last) = report.generations.last()
    {
        out.extend(files.archives.iter().filter(|(generation, _)| *generation > last).map(|(_, path)| path.clone()));
        let current_replayed = files.archives.get(last).is_none();
        if !current_replayed {
            out.extend(files.current.clone());
        }
    }
    out
}

pub(super) fn describe(ending: &Ending) -> &'static str {
    match ending {
        Ending::NoLogs => "no logs are here",
        Ending::NothingToDo => "the log ends cleanly and the checkpoint agrees: nothing is to be done",
        Ending::Clean => "everything is redone; the log ends cleanly, so nothing is to be undone",
        Ending::Recovered => "everything is redone, and what had not committed is undone",
        Ending::WithoutUndo => "everything is redone; open transactions stay open",
        Ending::Stopped => "redone up to the stop",
    }
}

/// What Microsoft's engine returns for an ending.
fn code_of(ending: &Ending, warning: Option<JetCode>, undo: bool) -> i32 {
    match ending {
        Ending::WithoutUndo | Ending::Stopped => -579,
        Ending::Clean | Ending::NothingToDo if !undo => -584,
        _ => warning.map_or(0, |jet| jet.0),
    }
}
