//! The replay of the copies, and which logs are part of its result.

use super::{MakeError, Progress, damaged, failed, finding_of, go_on};
use crate::recover::{Plan, Sources};
use anchorlog_format::finding::Finding;
use anchorlog_format::log::file::{FILE_SIZE_MAX, LogFile};
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::record::RecordType;
use anchorlog_format::units::{Generation, LogPosition};
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::run::{self, Failure, Watch};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::publish::WorkFolder;
use anchorlog_storage::{Folder, read_all};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Follow<'a> {
    progress: &'a mut dyn Progress,
}

impl Watch for Follow<'_> {
    fn generation(&mut self, generation: Generation, index: usize, of: usize) -> bool {
        self.progress.step(&format!("generation {generation}"), index, of)
    }
}

pub(super) fn replay(
    plan: &Plan,
    sources: &Sources,
    work: &WorkFolder,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Option<run::Report>, MakeError> {
    if !plan.replays() {
        return Ok(None);
    }
    let generations: u32 = plan.generations.iter().map(|range| range.last.0 - range.first.0 + 1).sum();
    go_on(progress.phase("replaying", generations as usize))?;
    let folder: Arc<dyn Folder> = Arc::new(work.folder());
    let mut setup = plan.setup(sources, folder);
    // All damage is looked for before it is refused: what replay needs, and what only the proof of the result meets.
    setup.options.keep_damage = true;
    let run = run::replay(&setup, ambient, &mut Follow { progress });
    run.map(Some).map_err(|failure| failure_of(&failure, plan.options.keep_damage))
}

fn failure_of(failure: &Failure, keep_damage: bool) -> MakeError {
    let error = &failure.error;
    if error.jet == run::INTERRUPTED {
        return MakeError::Interrupted;
    }
    if failure.report.earliest_stop.is_some() {
        // Only the pages tell that a database is newer than the stop.
        return MakeError::Refused { reason: error.reason.clone(), jet: Some(error.jet), findings: vec![error.finding()] };
    }
    let findings: Vec<Finding> = failure.report.bad_pages.iter().map(finding_of).collect();
    match failure.report.bad_pages.first() {
        // What fails behind a bad page fails because of it.
        Some(first) if !keep_damage => damaged(Some(first.jet), findings),
        _ => MakeError::Failed { reason: error.to_string(), jet: Some(error.jet) },
    }
}

/// Logs that do not continue the stream, or lie behind a stop, do not go into the result, and no generation goes there twice: the copy of
/// a log that recovery writes on would soon differ from it. Returns which they are.
pub(super) fn leave_out(plan: &Plan, made: Option<&run::Report>, work: &WorkFolder) -> Result<Vec<String>, MakeError> {
    let folder = work.folder();
    let mut behind = match plan.options.stop.filter(|_| plan.options.without_undo) {
        Some(stop) => logs_behind(&folder, &plan.files, stop.generation()),
        None => Vec::new(),
    };
    if made.is_some() {
        behind.extend(plan.files.doubled.iter().cloned());
    }
    let set_aside = made.map(|report| report.set_aside.as_slice()).unwrap_or_default();
    // What the run set aside it has removed itself.
    for path in &behind {
        match folder.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("a log could not be left out", &error)),
            _ => {}
        }
    }
    let left_out: BTreeSet<&PathBuf> = behind.iter().chain(set_aside).collect();
    Ok(left_out.into_iter().map(|path| path.display().to_string()).collect())
}

/// Transactions that the logs at hand commit behind the last record redone, as far as these logs can be read.
pub(super) fn commits_behind(plan: &Plan, sources: &Sources, end: LogPosition) -> u64 {
    let archives = plan.files.archives.range(end.generation..).map(|(_, path)| path);
    let mut commits = 0;
    for path in archives.chain(&plan.files.current) {
        let bytes = sources.open(path).and_then(|file| read_all(&*file, FILE_SIZE_MAX));
        let Ok(bytes) = bytes else { continue };
        let Ok(log) = LogFile::open(&bytes) else { continue };
        let behind = log.records_from(end).map_while(Result::ok).filter(|record| record.writer_position >= end);
        commits += behind.filter(|record| record.record_type() == RecordType::COMMIT_OUTERMOST).count() as u64;
    }
    commits
}

/// Logs behind a generation.
fn logs_behind(folder: &dyn Folder, files: &StreamFiles, last: Generation) -> Vec<PathBuf> {
    let generation_of = |path: &Path| {
        let mut start = vec![0; LogHeader::SIZE];
        let read = folder.open(path).and_then(|file| file.read_at(0, &mut start)).unwrap_or(0);
        LogHeader::check(&start[..read]).ok().map(|header| header.generation)
    };
    let archives = files.archives.iter().filter(|(generation, _)| **generation > last).map(|(_, path)| path);
    let current = files.current.iter().filter(|path| generation_of(path).is_none_or(|generation| generation > last));
    // The next log in preparation may hold an old life; it is made anew when it is needed.
    archives.chain(current).chain(&files.temporary).cloned().collect()
}
