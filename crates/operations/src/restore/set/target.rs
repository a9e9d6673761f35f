//! What lies in the target already, what stands in the way, and what must hold before it is touched (P25 to P27, P29, P32 to P34).

use super::databases::Restored;
use super::options::{Options, Target};
use crate::backup::{Predicate, Refusal, is_in_use};
use crate::identify::Content;
use crate::recover::{Inputs, Source, Sources, open_on_disk};
use anchorlog_format::database::{DatabaseHeader, DatabaseState};
use anchorlog_format::log::names::{self, Role};
use anchorlog_format::units::Signature;
use anchorlog_storage::File;
use anchorlog_storage::publish::is_cut_off;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of the target.
#[derive(Clone, Debug, Default)]
pub(super) struct Existing {
    pub sources: Option<Sources>,
    /// Why the folder cannot be used as it is asked for, if so.
    pub taken: Option<String>,
}

impl Existing {
    /// Looks; a folder that is published anew must not be there, or be empty.
    ///
    /// # Errors
    /// Any error of listing and reading.
    pub(super) fn look(target: &Target) -> io::Result<Self> {
        match target {
            Target::Over(root) if root.is_dir() => {
                let sources = Sources::gather(&Inputs { folder: root.clone(), ..Inputs::default() })?;
                Ok(Self { sources: Some(sources), taken: None })
            }
            Target::Over(_) => Ok(Self::default()),
            Target::New(out) => {
                let empty = !out.exists() || std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
                let taken = format!("{} exists and is not an empty folder", out.display());
                Ok(Self { sources: None, taken: (!empty).then_some(taken) })
            }
        }
    }
    pub(super) fn files(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().flat_map(Sources::iter)
    }
    /// Databases that are there, with their headers where these can be read.
    pub(super) fn databases(&self) -> impl Iterator<Item = (&Source, Option<&DatabaseHeader>)> {
        self.files().filter_map(|source| match &source.identified.content {
            Content::Database { page, .. } if page.header.is_temporary() => None,
            Content::Database { page, .. } => Some((source, Some(&page.header))),
            Content::DamagedDatabase { .. } => Some((source, None)),
            _ => None,
        })
    }
    /// Logs, checkpoints, and logs that wait for use: what belongs to a stream by name and content. Other files may have such a name.
    pub(super) fn of_streams(&self) -> impl Iterator<Item = &Source> {
        let bases: BTreeSet<(PathBuf, String)> = self
            .files()
            .filter(|source| is_of_stream(&source.identified.content))
            .filter_map(|source| Some((folder_of(source), names::parse(&source.identified.name())?.base.to_lowercase())))
            .collect();
        self.files().filter(move |source| {
            let Some(name) = names::parse(&source.identified.name()) else {
                return is_of_stream(&source.identified.content);
            };
            let beside = bases.contains(&(folder_of(source), name.base.to_lowercase()));
            is_of_stream(&source.identified.content)
                || (beside || name.role == Role::Reserve)
                    && matches!(source.identified.content, Content::Unknown | Content::Empty | Content::Prepared)
        })
    }
    /// Files that a restored file replaces, and the flush map of a database that is replaced.
    pub(super) fn in_the_way(&self, restored: &[Restored]) -> Vec<&Source> {
        let places: BTreeSet<String> = restored.iter().flat_map(Restored::files).map(|file| lower(&file.place)).collect();
        let maps: BTreeSet<String> = restored.iter().map(|database| lower(&database.file.place.with_extension("jfm"))).collect();
        self.files()
            .filter(|source| {
                let place = lower(&source.identified.path);
                let map = matches!(source.identified.content, Content::FlushMap(_) | Content::DamagedFlushMap(_));
                places.contains(&place) || (map && maps.contains(&place))
            })
            .collect()
    }
    /// Databases that stay.
    pub(super) fn staying(&self, restored: &[Restored]) -> Vec<(&Source, Option<&DatabaseHeader>)> {
        let gone: BTreeSet<&Path> =
            self.in_the_way(restored).into_iter().map(|source| source.identified.path.as_path()).collect();
        self.databases().filter(|(source, _)| !gone.contains(source.identified.path.as_path())).collect()
    }
}

fn is_of_stream(content: &Content) -> bool {
    matches!(content, Content::Log(_) | Content::DamagedLog(_) | Content::Checkpoint(..) | Content::DamagedCheckpoint(_))
}

fn folder_of(source: &Source) -> PathBuf {
    source.identified.path.parent().map(Path::to_path_buf).unwrap_or_default()
}

pub(super) fn lower(path: &Path) -> String {
    path.display().to_string().to_lowercase()
}

/// Nothing has the files of the target open that are replaced or take part (P25, P32).
pub(super) fn closed(id: &'static str, target: &Target, existing: &Existing, options: &Options) -> Vec<Predicate> {
    let next = "Stop or dismount what uses it.";
    let mut found = Vec::new();
    if is_cut_off(target.path()) {
        let read = "an earlier publication was cut off here: old and new files lie side by side";
        let next = "Give the command again: the next run completes that publication first.";
        found.push(Predicate::marks(id, target.path().display().to_string(), read, Refusal::Exists, next));
    }
    if let Some(taken) = &existing.taken {
        let next = "Name another folder, or restore over this one: what stands there is set aside then.";
        found.push(Predicate::refuses(id, target.path().display().to_string(), taken, Refusal::Exists, next));
    }
    for (source, _) in existing.databases() {
        let shown = source.path.display().to_string();
        found.push(if is_in_use(&source.path) {
            Predicate::refuses(id, shown, "another program has it open", Refusal::InUse, next)
        } else if options.assume_dismounted {
            Predicate::held(id, shown, "the user vouches that nothing has it open")
        } else {
            Predicate::held(id, shown, "it can be locked against others")
        });
    }
    if found.is_empty() {
        found.push(Predicate::held(id, target.path().display().to_string(), "no database is there"));
    }
    found
}

pub(super) fn list<'p>(paths: impl Iterator<Item = &'p Path>) -> String {
    let all: Vec<String> = paths.map(|path| path.display().to_string()).collect();
    match all.len() {
        0 => "nothing".into(),
        1..=20 => all.join(", "),
        count => format!("{} and {} more", all[..20].join(", "), count - 20),
    }
}

/// P29: behind the restore nothing but clean databases.
pub(super) fn only_clean(existing: &Existing, restored: &[Restored]) -> Predicate {
    let staying = existing.staying(restored);
    let dirty: Vec<String> = staying.iter().filter_map(|(source, header)| unclean(source, *header)).collect();
    if dirty.is_empty() {
        let read = format!("{} databases stay, all clean; no log and no checkpoint is left beside them", staying.len());
        return Predicate::held("P29", "", read);
    }
    let next = "Recover them with their logs first, or restore into another folder.";
    Predicate::refuses("P29", "", dirty.join("; "), Refusal::NotClean, next)
}

/// Why a database that stays is not clean, if so.
fn unclean(source: &Source, header: Option<&DatabaseHeader>) -> Option<String> {
    let shown = source.identified.path.display();
    match header {
        None => Some(format!("{shown}: neither the header nor its shadow holds")),
        Some(header) if header.state == DatabaseState::CleanShutdown => None,
        Some(header) => Some(format!("{shown} has the state \"{}\"", header.state)),
    }
}

/// P33: every other database of the group.
pub(super) fn others_clean(existing: &Existing, restored: &[Restored]) -> Vec<Predicate> {
    let next = "Recover it with its logs, or set it aside; then restore.";
    let judge = |(source, header): (&Source, Option<&DatabaseHeader>)| {
        let shown = source.identified.path.display().to_string();
        match unclean(source, header) {
            Some(read) => Predicate::refuses("P33", shown, read, Refusal::OtherDb, next),
            None => match unmatched(existing, header) {
                Some(read) => Predicate::refuses("P33", shown, read, Refusal::OtherDb, next),
                None => Predicate::held("P33", shown, "it is clean, and stays as it is"),
            },
        }
    };
    existing.staying(restored).into_iter().map(judge).collect()
}

fn unmatched(existing: &Existing, header: Option<&DatabaseHeader>) -> Option<String> {
    let header = header.filter(|header| !header.streaming_signature.is_none())?;
    let streaming = existing.files().filter(|source| matches!(source.identified.content, Content::StreamingFile));
    // Its content says that it is one; which one, its header.
    let headers = streaming.filter_map(|source| {
        let bytes = existing.sources.as_ref().and_then(|sources| {
            use anchorlog_storage::Folder as _;
            let file = sources.open(&source.identified.path).ok()?;
            let mut start = vec![0; anchorlog_format::database::HeaderPage::ELECTION_BYTES];
            let read = file.read_at(0, &mut start).ok()?;
            start.truncate(read);
            Some(start)
        })?;
        anchorlog_format::database::HeaderPage::elect(&bytes).ok().map(|(page, _)| page.header)
    });
    let wanted = header.streaming_signature;
    let mut own = headers.filter(|other| other.signature == wanted || other.streaming_signature == wanted);
    match own.next() {
        None => Some("its streaming file is not there".into()),
        Some(other) if other.consistent_position != header.consistent_position => {
            Some("its streaming file is of another moment".into())
        }
        Some(_) => None,
    }
}

/// The file among what is at hand that may hold most of what goes to a place; none where there is none.
pub(super) fn copy_at_hand(onto: Option<&Path>, place: &Path, restored: &[Restored]) -> Option<Arc<dyn File>> {
    let onto = onto?;
    let named = |folder: &Path| place.file_name().map(|name| folder.join(name));
    let one = matches!(restored, [only] if only.file.place == place);
    let candidates = if onto.is_file() {
        vec![onto.to_owned()]
    } else {
        [Some(onto.join(place)), named(onto)].into_iter().flatten().collect()
    };
    let path = candidates.into_iter().find(|path| path.is_file() && (one || !onto.is_file()))?;
    open_on_disk(&path).ok()
}

/// What is to be compared is there, and is for one database alone where it is one file.
pub(super) fn at_hand(options: &Options, restored: &[Restored]) -> Option<Predicate> {
    let onto = options.onto.as_deref()?;
    let shown = onto.display().to_string();
    let next = "Name the damaged database, or the folder in which the damaged ones lie.";
    let refuses = |read: &str| Predicate::refuses("onto", shown.clone(), read, Refusal::Path, next);
    Some(match restored {
        _ if !onto.exists() => refuses("it is not there"),
        several if onto.is_file() && several.len() != 1 => refuses("it is one file, and several databases are restored"),
        _ => Predicate::held("onto", shown, "what of it is as the set has it is not read from the vault"),
    })
}

/// P34: with nothing mounted the group's next start reads the checkpoint: it must point into the current log.
pub(super) fn checkpoint(existing: &Existing) -> Vec<Predicate> {
    let mut found = Vec::new();
    let current = |wanted: &Signature| {
        existing.files().find_map(|source| match &source.identified.content {
            Content::Log(header) if header.signature == *wanted => {
                let name = names::parse(&source.identified.name())?;
                matches!(name.role, Role::Current(_)).then_some(header.generation)
            }
            _ => None,
        })
    };
    let streams: BTreeSet<[u8; 28]> = existing
        .files()
        .filter_map(|source| match &source.identified.content {
            Content::Log(header) => Some(header.signature.0),
            _ => None,
        })
        .collect();
    for signature in streams.into_iter().map(Signature) {
        let shown = signature.to_string();
        let next = "Run recovery of the group first, or restore into an empty folder.";
        let refuses = |read: String| Predicate::refuses("P34", shown.clone(), read, Refusal::Chkpt, next);
        let checkpoint = existing.files().find_map(|source| match &source.identified.content {
            // The engine looks under this name alone.
            Content::Checkpoint(checkpoint, _) if checkpoint.signature == signature => {
                let name = names::parse(&source.identified.name())?;
                matches!(name.role, Role::Checkpoint(_)).then_some(checkpoint.position)
            }
            _ => None,
        });
        found.push(match (current(&signature), checkpoint) {
            (None, _) => refuses("its current log is not there".into()),
            (_, None) => refuses("its checkpoint is not there, or damaged".into()),
            (Some(current), Some(position)) if position.generation == current => {
                Predicate::held("P34", shown.clone(), format!("it stands at {position}, and the current log is {current}"))
            }
            (Some(current), Some(position)) => refuses(format!("it stands at {position}, and the current log is {current}")),
        });
    }
    found
}
