//! Carrying a page restore out: the pages are brought forward aside, the database is copied, and the copy is proved before it is published.

use super::plan::Plan;
use crate::recover::{Place, Progress, clear_place, work_place};
use crate::restore::View;
use crate::restore::set::{Error, go_on, storage};
use anchorlog_checksum::{PageVerdict, verify_page};
use anchorlog_database::{Database, check};
use anchorlog_format::database::{DatabaseState, HeaderPage};
use anchorlog_format::finding::{Finding, Severity};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::Page;
use anchorlog_format::units::{Dbtime, Generation, PageNumber};
use anchorlog_replay::ambient::Ambient;
use anchorlog_storage::File;
use anchorlog_storage::Folder as _;
use anchorlog_storage::copy::copy_file;
use anchorlog_storage::publish::WorkFolder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of pages in memory while the result is proved.
const CACHE: usize = 64 << 20;
/// Findings kept: beyond that, `verify` tells them all.
const FINDINGS_MAX: usize = 10_000;

/// A page restore that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The result: a copy of the database, under its own name.
    pub out: PathBuf,
    /// The set from which the pages come.
    pub set: String,
    /// Generations that were redone over them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<(Generation, Generation)>,
    /// The pages.
    pub pages: Vec<RestoredPage>,
    /// SHA-256 of the database as it was, and of the result.
    pub sha256: (String, String),
    /// What a check of the whole result found, notes aside.
    pub findings: Vec<Finding>,
}

/// A page that was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoredPage {
    /// Its number.
    pub page: PageNumber,
    /// Its page time now.
    pub dbtime: Dbtime,
    /// Whether it was damaged: its checksum or its number did not hold.
    pub was_damaged: bool,
    /// SHA-256 of it before and now.
    pub sha256: (String, String),
}

impl Report {
    /// Whether damage is left in the result, by consent.
    #[must_use]
    pub fn has_damage(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

fn failed(reason: String, jet: JetCode) -> Error {
    Error::Failed { reason, jet: Some(jet), findings: Vec::new() }
}

/// Carries a plan out into the folder `out`, which does not exist or is empty. The database and the set are only read.
///
/// # Errors
/// [`Error`]: nothing is published then.
pub fn make(plan: &Plan, out: &Path, ambient: &Ambient, progress: &mut dyn Progress) -> Result<Report, Error> {
    let broken: Vec<_> = plan.refusals().cloned().collect();
    if !broken.is_empty() {
        return Err(Error::Refused(broken));
    }
    let (Some(header), Some(source)) = (&plan.header, &plan.source) else {
        return Err(failed("the plan has no database".into(), JetCode::INVALID_PARAMETER));
    };
    let place = clear_place(&Place::Out(out.to_owned()))?;
    let out = place.path().to_owned();
    if out.exists() && !std::fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_none()) {
        let reason = format!("{} exists and is not an empty folder: nothing is ever overwritten", out.display());
        return Err(failed(reason, JetCode::FILE_ALREADY_EXISTS));
    }
    let (parent, name) = work_place(&place)?;
    let work = WorkFolder::begin(&parent, &name).map_err(storage(parent.display().to_string()))?;
    let images = forward(plan, header, &parent, ambient, progress)?;
    let images = match images {
        Some(view) => pages_of(plan, header, &*view.open(&source.identified.path)?)?,
        None => pages_of(plan, header, &*source.open().map_err(storage(source.path.display().to_string()))?)?,
    };
    let mut report = put(plan, header, &images, &work, progress)?;
    prove(plan, &work, &mut report, progress)?;
    go_on(progress.phase("publishing", 1))?;
    let file = plan.database.file_name().map(PathBuf::from).unwrap_or_default();
    work.publish_as(&out).map_err(storage(out.display().to_string()))?;
    report.out = out.join(file);
    Ok(report)
}

/// The set's database in the state of the damaged one; `None` where it has it already.
fn forward(
    plan: &Plan,
    header: &HeaderPage,
    scratch: &Path,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Option<View>, Error> {
    let Some((redo, sources)) = &plan.redo else { return Ok(None) };
    go_on(progress.phase("replaying", 0))?;
    let view = View::replay(redo, sources, scratch, ambient, &mut || progress.goes_on())?;
    let place = plan.source.as_ref().map(|source| source.identified.path.as_path());
    let reports = view.report.iter().flat_map(|run| &run.databases);
    let after = reports.filter(|database| database.path.as_deref() == place).find_map(|database| database.header.as_ref());
    let wanted = &header.header;
    // Only a database that comes to the very position is what the damaged one was; a dirty one goes on with its own redo.
    if wanted.state == DatabaseState::CleanShutdown {
        let came = after.map(|after| (after.header.state, after.header.consistent_position));
        if came != Some((wanted.state, wanted.consistent_position)) {
            let came = came.map_or_else(|| "no database".into(), |(state, at)| format!("the state \"{state}\" since {at}"));
            let reason = format!(
                "redo came to {came}, and the database is clean since {}: these logs do not lead to it",
                wanted.consistent_position
            );
            return Err(failed(reason, JetCode::CONSISTENT_TIME_MISMATCH));
        }
    }
    Ok(Some(view))
}

/// The images, each with its number, verified.
fn pages_of(plan: &Plan, header: &HeaderPage, file: &dyn File) -> Result<Vec<(PageNumber, Vec<u8>)>, Error> {
    let size = header.page_size();
    let mut images = Vec::with_capacity(plan.pages.len());
    for &page in &plan.pages {
        let mut image = vec![0; size.bytes()];
        let read = file.read_at(size.offset_of(page), &mut image).map_err(storage(format!("page {page} of the set")))?;
        let refused = |reason: String, jet| Err(failed(format!("page {page} of the set: {reason}"), jet));
        if read < image.len() || !matches!(verify_page(&image, page.0), PageVerdict::Valid(_)) {
            return refused("it does not hold there either, or was never written".into(), JetCode::READ_VERIFY_FAILURE);
        }
        let dbtime = Page::new(&image).map_or(Dbtime(0), |view| view.dbtime());
        // What a dirty database was given out since its header was written only its logs know.
        if header.header.state == DatabaseState::CleanShutdown && dbtime > header.header.dbtime {
            let reason = format!("its time {dbtime} is above {}, the last that the database gave out", header.header.dbtime);
            return refused(reason, JetCode::CONSISTENT_TIME_MISMATCH);
        }
        images.push((page, image));
    }
    Ok(images)
}

/// Copies the database, and puts the pages in.
fn put(
    plan: &Plan,
    header: &HeaderPage,
    images: &[(PageNumber, Vec<u8>)],
    work: &WorkFolder,
    progress: &mut dyn Progress,
) -> Result<Report, Error> {
    go_on(progress.phase("copying", 1))?;
    let name = plan.database.file_name().map(PathBuf::from).unwrap_or_default();
    let shown = plan.database.display().to_string();
    let stamp = || std::fs::metadata(&plan.database).ok().and_then(|data| Some((data.len(), data.modified().ok()?)));
    let (before, mut digest) = (stamp(), Sha256::new());
    let copied = copy_file(&plan.database, &work.path().join(&name), &mut |bytes| {
        digest.update(bytes);
        progress.goes_on()
    });
    copied.map_err(storage(shown.clone()))?;
    if before.is_none() || stamp() != before {
        return Err(failed(format!("{shown} was changed while it was copied: stop what uses it"), JetCode::FILE_ACCESS_DENIED));
    }
    let file = work.folder().open_write(&name).map_err(storage(shown.clone()))?;
    let size = header.page_size();
    let mut pages = Vec::with_capacity(images.len());
    for (page, image) in images {
        let (mut old, offset) = (vec![0; size.bytes()], size.offset_of(*page));
        let read = file.read_at(offset, &mut old).map_err(storage(shown.clone()))?;
        old.truncate(read);
        file.write_at(offset, image).map_err(storage(shown.clone()))?;
        pages.push(RestoredPage {
            page: *page,
            dbtime: Page::new(image).map_or(Dbtime(0), |view| view.dbtime()),
            was_damaged: !matches!(verify_page(&old, page.0), PageVerdict::Valid(_)),
            sha256: (hex::encode(Sha256::digest(&old)), hex::encode(Sha256::digest(image))),
        });
    }
    file.sync().map_err(storage(shown.clone()))?;
    let after = sha256_of(&*file, progress).map_err(storage(shown))?;
    Ok(Report {
        out: PathBuf::new(),
        set: plan.set.to_string(),
        generations: plan.generations,
        pages,
        sha256: (hex::encode(digest.finalize()), after),
        findings: Vec::new(),
    })
}

fn sha256_of(file: &dyn File, progress: &mut dyn Progress) -> std::io::Result<String> {
    let (mut digest, mut buffer, mut offset) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let read = file.read_at(offset, &mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(&buffer[..read]);
        offset += read as u64;
        if !progress.goes_on() {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
    }
}

/// Everything that `verify` finds in the result. Errors refuse it, unless the user keeps the damage.
fn prove(plan: &Plan, work: &WorkFolder, report: &mut Report, progress: &mut dyn Progress) -> Result<(), Error> {
    struct Follow<'a>(&'a mut dyn Progress, Vec<Finding>, bool);
    impl check::Watch for Follow<'_> {
        fn finding(&mut self, finding: Finding) {
            if finding.severity > Severity::Note && self.1.len() < FINDINGS_MAX {
                self.1.push(finding);
            }
        }
        fn progress(&mut self, _: &'static str, _: u64, _: u64) -> bool {
            self.2 &= self.0.goes_on();
            self.2
        }
    }
    go_on(progress.phase("proving", 1))?;
    let name = plan.database.file_name().map(PathBuf::from).unwrap_or_default();
    let shown = name.display().to_string();
    let file: Arc<dyn File> = work.folder().open(&name).map_err(storage(shown.clone()))?;
    let database = Database::open(shown.clone(), file, CACHE).map_err(|error| failed(format!("{shown}: {error}"), error.jet))?;
    let mut follow = Follow(progress, Vec::new(), true);
    check::check_with(&database, &check::Options::default(), &mut follow);
    go_on(follow.2)?;
    report.findings = follow.1;
    let mut errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let Some(first) = errors.next().filter(|_| !plan.options.keep_damage) else { return Ok(()) };
    let reason = format!(
        "the result is not sound ({} findings, the first: {}: {}): nothing is published; name the other damaged pages as well, or keep \
         the damage with --keep-damage",
        errors.count() + 1,
        first.place,
        first.message
    );
    Err(Error::Failed { reason, jet: first.jet, findings: report.findings.clone() })
}
