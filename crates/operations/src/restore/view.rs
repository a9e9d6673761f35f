//! Databases as they are behind a replay, without one file being written: what replay changes lies in memory, and beyond a bound in a file
//! that goes with the view.

use crate::recover::{self, MakeError, Sources};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Generation;
use anchorlog_replay::ambient::Ambient;
use anchorlog_replay::run::{self, Watch};
use anchorlog_storage::overlay::OverlayFolder;
use anchorlog_storage::publish::WorkFolder;
use anchorlog_storage::{File, Folder};
use std::path::Path;
use std::sync::Arc;

/// Bytes of changes in memory.
const MEMORY: usize = 64 << 20;

/// The files behind a replay.
pub(crate) struct View {
    folder: Arc<OverlayFolder>,
    /// What the run did; none where nothing was to be replayed.
    pub report: Option<run::Report>,
    /// Holds the changes that memory has no room for, until it is dropped.
    _spill: WorkFolder,
}

struct Follow<'a>(&'a mut dyn FnMut() -> bool);

impl Watch for Follow<'_> {
    fn generation(&mut self, _: Generation, _: usize, _: usize) -> bool {
        (self.0)()
    }
}

impl View {
    /// Replays what was planned over `sources`, which stay as they are. `scratch`: where the changes go for which memory has no room.
    /// `goes_on` ends it with `false`.
    ///
    /// # Errors
    /// [`MakeError`]: a precondition that does not hold, damaged pages, the storage.
    pub fn replay(
        plan: &recover::Plan,
        sources: &Sources,
        scratch: &Path,
        ambient: &Ambient,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Self, MakeError> {
        if let Some(broken) = plan.preconditions.iter().find(|condition| !condition.holds) {
            let fault = plan.engine_fault().or_else(|| plan.faults.first());
            let jet = broken.jet.or_else(|| fault.and_then(|fault| fault.finding.jet));
            return Err(recover::refused(format!("{}: {}", broken.rule, broken.found), jet));
        }
        let unwritten = |error| recover::failed(&format!("{}: no room for what replay changes", scratch.display()), &error);
        let spill = WorkFolder::begin(scratch, "view").map_err(unwritten)?;
        let file = spill.folder().create(Path::new("changes")).map_err(unwritten)?;
        let folder = Arc::new(OverlayFolder::new(sources.folder(), MEMORY, Some(file)));
        let report = if plan.replays() {
            let run = run::replay(&plan.setup(sources, folder.clone()), ambient, &mut Follow(goes_on));
            Some(run.map_err(|failure| match failure.error.jet {
                run::INTERRUPTED => MakeError::Interrupted,
                jet => MakeError::Failed { reason: failure.error.to_string(), jet: Some(jet) },
            })?)
        } else {
            None
        };
        Ok(Self { folder, report, _spill: spill })
    }
    /// A file as it is behind the replay.
    ///
    /// # Errors
    /// Any error of opening it.
    pub fn open(&self, path: &Path) -> Result<Arc<dyn File>, MakeError> {
        self.folder.open(path).map_err(|error| MakeError::Failed {
            reason: format!("{}: {error}", path.display()),
            jet: Some(JetCode::FILE_NOT_FOUND),
        })
    }
}
