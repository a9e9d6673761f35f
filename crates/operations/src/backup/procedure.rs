//! The whole procedure around a backup: dismount, copy, mount again; or take a snapshot, copy, drop it.

use super::hooks::Hooks;
use super::make::{Report, make_with};
use super::{Error, Inputs, Options, Progress, Sources, offline, snapshot};
use crate::sets::History;
use anchorlog_replay::ambient::Ambient;
use anchorlog_vault::Vault;
use std::io;

/// What stands around the copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// The databases are dismounted, and mounted again as soon as they are copied: an [`offline`] backup.
    Dismount,
    /// A snapshot is taken, and dropped once its set is made: a [`snapshot`] backup.
    Snapshot,
}

impl Around {
    /// What [`Hooks::before`] and [`Hooks::behind`] do here.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Dismount => ["dismounting", "mounting again"],
            Self::Snapshot => ["taking the snapshot", "dropping the snapshot"],
        }
    }
}

/// Plans and makes a backup between both hooks. What a hook fails with becomes a remark of the report; without its snapshot there is no backup.
///
/// # Errors
/// [`Error`]: no set was published. The hook behind was called all the same.
pub fn run(
    around: Around,
    inputs: &Inputs,
    vault: &dyn Vault,
    options: &Options,
    hooks: &mut dyn Hooks,
    ambient: &Ambient,
    progress: &mut dyn Progress,
) -> Result<Report, Error> {
    let history = History::read(vault)?;
    let failed_before = hooks.before().err();
    let (mut called, mut failed_behind) = (false, None);
    let mut behind = || {
        if !std::mem::replace(&mut called, true) {
            failed_behind = hooks.behind().err();
        }
    };
    let of_folder = |error| Error::Source(inputs.folder.display().to_string(), error);
    let mut act = |copied: &mut dyn FnMut()| {
        if let (Around::Snapshot, Some(why)) = (around, &failed_before) {
            return Err(of_folder(io::Error::other(format!("the snapshot was not taken: {why}"))));
        }
        let sources = Sources::gather(inputs).map_err(of_folder)?;
        // The logs, read behind the databases, are the snapshot's as well: it stays to the end.
        let mut later = || ();
        let (plan, copied): (_, &mut dyn FnMut()) = match around {
            Around::Dismount => (offline::plan(&sources, &history, options), copied),
            Around::Snapshot => {
                let plan = snapshot::plan(&sources, &history, options);
                (plan.map_err(|error| of_folder(io::Error::other(error)))?, &mut later)
            }
        };
        make_with(&plan, &sources, vault, ambient, progress, copied)
    };
    let report = act(&mut behind);
    behind();
    let failures = around.words().into_iter().zip([failed_before, failed_behind]);
    let failures = failures.filter_map(|(word, why)| Some(format!("{word}: {}", why?)));
    report.map(|mut report| {
        report.remarks.extend(failures);
        report
    })
}
