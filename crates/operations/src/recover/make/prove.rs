//! The proof of the result, and what its damage means.

use super::{MakeError, Progress, failed, go_on};
use crate::recover::report::Report;
use crate::recover::{Plan, Verdict};
use anchorlog_database::{Database, check};
use anchorlog_format::finding::{Finding, Place, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_replay::run::BadPage;
use anchorlog_storage::Folder;
use anchorlog_storage::publish::WorkFolder;
use std::collections::BTreeSet;
use std::path::Path;

/// Findings kept for one database: beyond that, `verify` tells them all.
const FINDINGS_MAX: usize = 10_000;

/// Bytes of pages in memory while the result is proved.
const PROOF_CACHE: usize = 64 << 20;

/// Keeps what is found, and asks whether to go on.
struct Follow<'a> {
    progress: &'a mut dyn Progress,
    found: Vec<Finding>,
    goes_on: bool,
}

impl check::Watch for Follow<'_> {
    fn finding(&mut self, finding: Finding) {
        if finding.severity > Severity::Note && self.found.len() < FINDINGS_MAX {
            self.found.push(finding);
        }
    }
    fn progress(&mut self, _: &'static str, _: u64, _: u64) -> bool {
        self.goes_on &= self.progress.goes_on();
        self.goes_on
    }
}

/// Proves the result: everything that verify finds. Of a database that stays dirty, what redo to come cannot mend.
pub(super) fn prove(work: &WorkFolder, report: &mut Report, progress: &mut dyn Progress) -> Result<(), MakeError> {
    let total = report.databases.len();
    go_on(progress.phase("proving", total))?;
    let folder = work.folder();
    for (at, database) in report.databases.iter_mut().enumerate() {
        go_on(progress.step(&database.path, at, total))?;
        let path = Path::new(&database.path);
        // Replay without undo makes no database whose creation the logs do not finish.
        if database.verdict == Verdict::Refused || (database.verdict == Verdict::StaysDirty && !folder.exists(path)) {
            continue;
        }
        let what = format!("{} could not be read back", database.path);
        let file = folder.open(path).map_err(|error| failed(&what, &error))?;
        let opened = match Database::open(database.path.clone(), file, PROOF_CACHE) {
            Ok(opened) => opened,
            Err(error) => {
                let place = Place::file(database.path.clone());
                report.findings.push(Finding::error(place, error.jet, format!("it cannot be opened: {error}")));
                continue;
            }
        };
        let mut follow = Follow { progress, found: Vec::new(), goes_on: true };
        let counts = check::check_with(&opened, &check::Options::default(), &mut follow);
        go_on(follow.goes_on)?;
        report.findings.append(&mut follow.found);
        database.proof = Some(counts);
    }
    Ok(())
}

/// Damage stops the publication, unless it is kept by consent; what a record made anew is no damage any more.
pub(super) fn judge_damage(plan: &Plan, report: &mut Report) -> Result<(), MakeError> {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let Some(first) = report.findings.iter().find(is_error) else { return Ok(()) };
    if !plan.options.keep_damage {
        return Err(damaged(first.jet, std::mem::take(&mut report.findings)));
    }
    for database in &mut report.databases {
        let own = |finding: &&Finding| finding.place.file.as_deref() == Some(database.path.as_str());
        let errors = report.findings.iter().filter(is_error).filter(own).count();
        if errors > 0 {
            database.reason = format!("{}; {errors} findings of damage are kept by consent", database.reason);
            database.verdict = Verdict::DamageKept;
        }
    }
    Ok(())
}

pub(super) fn finding_of(bad: &BadPage) -> Finding {
    let place = Place::file(bad.database.display().to_string()).page(bad.page).position(bad.position);
    Finding::error(place, bad.jet, bad.reason.clone())
}

pub(super) fn damaged(jet: Option<JetCode>, findings: Vec<Finding>) -> MakeError {
    let pages: BTreeSet<_> = findings.iter().filter_map(|finding| Some((&finding.place.file, finding.place.page?))).collect();
    let reason = match pages.len() {
        0 => format!("the result is not sound ({} findings)", findings.len()),
        1 => "a page is damaged".to_owned(),
        count => format!("{count} pages are damaged"),
    };
    MakeError::Refused {
        reason: format!("{reason}: nothing is published; --keep-damage publishes it all the same"),
        jet,
        findings,
    }
}
