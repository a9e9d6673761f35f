//! The logs of production, which may go on where the sets end (`ops-3 §4`).

use super::arrange::{LOGS, moved};
use super::{LeftOut, Options};
use crate::identify::identify;
use crate::recover::{Precondition, Source};
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::names::Extension;
use anchorlog_format::units::Generation;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::DiskFolder;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Where logs of production are seen that are no part of the result.
const ONLY_READ: &str = ".anchorlog-production";

/// What the folder gave.
#[derive(Default)]
pub(super) struct Production {
    pub sources: Vec<Source>,
    /// Logs that the sets have as well, or that lie in front of them.
    pub overlap: BTreeMap<Generation, PathBuf>,
    pub left_out: Vec<LeftOut>,
    pub leaves_current: bool,
}

/// Adds the logs of production behind those of the sets.
pub(super) fn add_production(
    root: &Path,
    (base, extension): (&str, Extension),
    high: Generation,
    options: &Options,
    files: &mut StreamFiles,
    conditions: &mut Vec<Precondition>,
) -> io::Result<Production> {
    if !root.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is no folder", root.display())));
    }
    let folder = DiskFolder::read_only(root);
    let streams = StreamFiles::find(&folder, Path::new(""))?;
    let own = |stream: &StreamFiles| {
        stream.naming.base.eq_ignore_ascii_case(base)
            && stream.naming.extension == extension
            && (stream.current.is_some() || !stream.archives.is_empty())
    };
    let mut production = Production::default();
    let Some(stream) = streams.into_iter().find(own) else {
        let found = format!("{} holds no log of the base name {base}", root.display());
        let rule = "the production folder has logs of the instance";
        let jet = Some(JetCode::BAD_RESTORE_TARGET_INSTANCE);
        conditions.push(Precondition { id: "C2", rule, holds: false, found, jet });
        return Ok(production);
    };
    let source = |path: &Path, place: PathBuf| -> io::Result<Source> {
        let source = Source::on_disk(root.join(path), identify(&folder, path)?);
        Ok(moved(&source, place))
    };
    let name = |path: &Path| path.file_name().map(PathBuf::from).unwrap_or_default();
    for (generation, path) in &stream.archives {
        if *generation <= high {
            let place = Path::new(ONLY_READ).join(name(path));
            production.sources.push(source(path, place.clone())?);
            production.overlap.insert(*generation, place);
        } else {
            let place = Path::new(LOGS).join(name(path));
            production.sources.push(source(path, place.clone())?);
            files.archives.insert(*generation, place);
            files.naming.wide |= stream.naming.wide;
        }
    }
    match &stream.current {
        Some(current) if options.closed_logs_only => {
            production.leaves_current = true;
            production.left_out.push(LeftOut::new(&root.join(current), "the instance runs: its current log is left alone"));
        }
        Some(current) => {
            let place = files.path(&files.naming.current());
            production.sources.push(source(current, place.clone())?);
            files.current = Some(place);
        }
        None => {}
    }
    Ok(production)
}
