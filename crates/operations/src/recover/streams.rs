//! Which log stream a recovery replays: the one that the databases belong to, or the only one there is.

use super::sources::Sources;
use crate::identify::Content;
use anchorlog_format::log::file::FILE_SIZE_MAX;
use anchorlog_format::log::names::{Extension, Naming};
use anchorlog_format::units::Signature;
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_storage::{Folder, read_all};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The stream that was chosen.
#[derive(Clone, Debug)]
pub enum StreamChoice {
    /// There is no log at all.
    None,
    /// This one.
    One(Box<StreamFiles>, Signature),
    /// Several could be meant: place and base name of each.
    Several(Vec<String>),
}

/// Finds the streams of the files and chooses one.
pub(super) fn choose(sources: &Sources) -> io::Result<StreamChoice> {
    let mut found = Vec::new();
    for place in places(sources) {
        for mut stream in StreamFiles::find(sources, &place)? {
            if is_stream(sources, &stream) {
                forget_copy_of_current(sources, &mut stream);
                let signature = signature_of(sources, &stream);
                found.push((stream, signature));
            }
        }
    }
    // Files of both extensions: the one with a current log is the stream in use (`log-1 §1`).
    if found.len() > 1 {
        let with_current: BTreeSet<_> = found.iter().filter(|(s, _)| s.current.is_some()).map(|(s, _)| key(s)).collect();
        found.retain(|(stream, _)| stream.current.is_some() || !with_current.contains(&key(stream)));
    }
    if found.len() > 1 {
        let wanted: BTreeSet<[u8; 28]> = sources.iter().filter_map(log_signature).collect();
        let named: Vec<_> = found.iter().filter(|(_, signature)| wanted.contains(&signature.0)).cloned().collect();
        if !named.is_empty() {
            found = named;
        }
    }
    Ok(match found.len() {
        0 => StreamChoice::None,
        1 => found.pop().map_or(StreamChoice::None, |(stream, signature)| StreamChoice::One(Box::new(stream), signature)),
        _ => StreamChoice::Several(
            found.iter().map(|(stream, _)| format!("{} in {}", stream.naming.base, shown(&stream.folder))).collect(),
        ),
    })
}

/// The current log may have been copied under the name that it will have as an archive; one that differs stays, to be refused (trap G27).
fn forget_copy_of_current(sources: &Sources, stream: &mut StreamFiles) {
    let Some(current) = &stream.current else { return };
    let Some(Content::Log(header)) = sources.get(current).map(|source| &source.identified.content) else { return };
    let content = |path: &Path| sources.open(path).and_then(|file| read_all(&*file, FILE_SIZE_MAX)).ok();
    if let Some(archive) = stream.archives.get(&header.generation).cloned()
        && content(&archive).is_some_and(|bytes| content(current) == Some(bytes))
    {
        stream.archives.remove(&header.generation);
        stream.doubled.push(archive);
    }
}

/// A stream without a file, for the place where its logs would lie.
pub(super) fn no_stream(sources: &Sources) -> StreamFiles {
    let place = sources.log_place.clone().unwrap_or_default();
    StreamFiles::empty(place, Naming { base: "edb".into(), extension: Extension::Log, wide: false })
}

fn key(stream: &StreamFiles) -> (PathBuf, String) {
    (stream.folder.clone(), stream.naming.base.to_lowercase())
}

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { "the folder itself".into() } else { folder.display().to_string() }
}

fn places(sources: &Sources) -> Vec<PathBuf> {
    if let Some(place) = &sources.log_place {
        return vec![place.clone()];
    }
    let parents = sources.iter().map(|source| source.identified.path.parent().unwrap_or(Path::new("")).to_path_buf());
    parents.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Whether the files are logs indeed: `cbs.log` is a name like a stream's, too.
fn is_stream(sources: &Sources, stream: &StreamFiles) -> bool {
    let logs = || stream.current.iter().chain(stream.archives.values());
    let is_log = |path: &PathBuf| {
        sources.get(path).is_some_and(|source| matches!(source.identified.content, Content::Log(_) | Content::DamagedLog(_)))
    };
    let has_checkpoint = stream
        .checkpoint
        .as_ref()
        .and_then(|path| sources.get(path))
        .is_some_and(|source| matches!(source.identified.content, Content::Checkpoint(..) | Content::DamagedCheckpoint(_)));
    // An empty or cut-off current log beside a checkpoint is a stream as well, to be refused for what it is (trap Z17).
    logs().any(is_log) || (has_checkpoint && logs().next().is_some())
}

/// The stream's signature as the engine sees it: that of the current log, else of the newest archive.
fn signature_of(sources: &Sources, stream: &StreamFiles) -> Signature {
    let candidates = stream.current.iter().chain(stream.archives.values().rev());
    let signatures = candidates.filter_map(|path| match &sources.get(path)?.identified.content {
        Content::Log(header) => Some(header.signature),
        _ => None,
    });
    signatures.into_iter().next().unwrap_or_default()
}

fn log_signature(source: &super::sources::Source) -> Option<[u8; 28]> {
    match &source.identified.content {
        Content::Database { page, .. } => Some(page.header.log_signature.0),
        _ => None,
    }
}
