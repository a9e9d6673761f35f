//! The databases of a backup, and the predicates of each by itself (P1 to P6, P9).

use super::held::{Hold, hold};
use super::options::Options;
use super::predicate::{Predicate, Refusal};
use crate::identify::Content;
use crate::recover::{Source, Sources};
use crate::sets::facts::{DatabaseFacts, UPDATE_OF_EXCHANGE_55};
use crate::sets::manifest::Kind;
use anchorlog_format::database::{Copies, DatabaseHeader, DatabaseState, HeaderPage};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Signature;
use anchorlog_storage::Folder;
use std::path::{Path, PathBuf};

/// A database of a backup.
#[derive(Clone, Debug)]
pub struct DatabaseItem {
    /// Its place in the layout of the set.
    pub place: PathBuf,
    /// Its header page.
    pub page: HeaderPage,
    /// The same, as manifests have it.
    pub facts: DatabaseFacts,
    /// Its streaming file.
    pub streaming: Option<PathBuf>,
}

impl DatabaseItem {
    pub(super) fn shown(&self) -> String {
        self.place.display().to_string()
    }
    /// Whether it is of the generation of Exchange 5.5, whose databases are one unit.
    pub(super) const fn is_of_exchange_55(&self) -> bool {
        self.facts.update <= UPDATE_OF_EXCHANGE_55
    }
}

/// Finds the databases, and judges each by itself.
pub(super) fn collect(sources: &Sources, kind: Kind, options: &Options, out: &mut Vec<Predicate>) -> Vec<DatabaseItem> {
    let mut items = Vec::new();
    let streaming: Vec<(&Source, Option<DatabaseHeader>)> = sources
        .iter()
        .filter(|source| matches!(source.identified.content, Content::StreamingFile))
        .map(|source| (source, header_of(sources, &source.identified.path)))
        .collect();
    let mut paired = Vec::new();
    for source in sources.iter() {
        let (place, shown) = (&source.identified.path, source.identified.path.display().to_string());
        let (page, copies) = match &source.identified.content {
            Content::Database { page, .. } if page.header.is_temporary() => continue,
            Content::Database { page, copies } => (page, *copies),
            Content::DamagedDatabase { .. } => {
                let next = "Restore the header from another copy of the database, or recover it: `anchorlog recover --dry-run` says how.";
                out.push(Predicate::refuses("P2", shown, "neither the header nor its shadow holds", Refusal::Unreadable, next));
                continue;
            }
            _ => continue,
        };
        if kind == Kind::Offline {
            out.push(nobody_has_open(&source.path, &shown, options));
        }
        out.push(header_copies(&shown, copies));
        out.push(state(&shown, &page.header, kind));
        out.push(contradictions(&shown, &page.header));
        out.push(origin(&shown, &page.header));
        let facts = DatabaseFacts::of(&page.header, page.page_size());
        if kind == Kind::Offline {
            out.push(anchor(&shown, &facts));
        }
        let mine =
            streaming.iter().find(|(_, header)| header.as_ref().is_some_and(|header| belong_together(&page.header, header)));
        out.extend(pair(&shown, &page.header, mine.map(|(source, header)| (*source, header.as_ref())), kind));
        let streaming = mine.map(|(source, _)| source.identified.path.clone());
        paired.extend(streaming.clone());
        items.push(DatabaseItem { place: place.clone(), page: (**page).clone(), facts, streaming });
    }
    for (source, _) in streaming.iter().filter(|(source, _)| !paired.contains(&source.identified.path)) {
        let shown = source.identified.path.display().to_string();
        let next = "Bring the database that it belongs to: neither of the two is worth anything alone.";
        out.push(Predicate::refuses("P6", shown, "no database here has its signature", Refusal::Pair, next));
    }
    items
}

pub(super) fn header_of(sources: &Sources, place: &Path) -> Option<DatabaseHeader> {
    let file = sources.open(place).ok()?;
    let size = file.size().ok()?.min(HeaderPage::ELECTION_BYTES as u64);
    let mut start = vec![0; usize::try_from(size).ok()?];
    let read = file.read_at(0, &mut start).ok()?;
    HeaderPage::elect(start.get(..read)?).ok().map(|(page, _)| page.header)
}

pub(super) fn nobody_has_open(path: &Path, shown: &str, options: &Options) -> Predicate {
    const NEXT: &str =
        "Stop or dismount what uses it; what must go on running is backed up online or from a snapshot, never by a plain copy.";
    let refuses = |read: String| Predicate::refuses("P1", shown, read, Refusal::InUse, NEXT);
    match hold(path) {
        Ok(Hold::Held(_)) => Predicate::held("P1", shown, "it can be locked against writers"),
        Ok(Hold::InUse(why)) => refuses(why),
        Ok(Hold::Unknown(why)) if options.assume_dismounted => {
            Predicate::held("P1", shown, format!("{why}; the user vouches that nothing has it open"))
        }
        Ok(Hold::Unknown(why)) => refuses(format!("whether anything has it open cannot be told: {why}")),
        Err(error) => refuses(error.to_string()),
    }
}

fn header_copies(shown: &str, copies: Copies) -> Predicate {
    let next = "The engine writes both copies anew when it next closes the database.";
    match copies {
        Copies::BothGood => Predicate::held("P2", shown, "both copies of the header hold, and are equal"),
        Copies::Different => {
            Predicate::held("P2", shown, "both copies of the header hold and differ: the first is the newer one")
        }
        Copies::ShadowDamaged => {
            Predicate::marks("P2", shown, "only the header holds, its shadow does not", Refusal::Unreadable, next)
        }
        Copies::PrimaryDamaged => {
            Predicate::marks("P2", shown, "only the shadow of the header holds: it is used", Refusal::Unreadable, next)
        }
    }
}

fn state(shown: &str, header: &DatabaseHeader, kind: Kind) -> Predicate {
    let read = format!("its state is \"{}\"", header.state);
    match header.state {
        DatabaseState::CleanShutdown => Predicate::held("P3", shown, read),
        DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched if kind == Kind::Snapshot => {
            let read = format!("{read}, and it needs the generations {} to {}", header.min_required, header.max_required);
            Predicate::held("P3", shown, read)
        }
        DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched => {
            let read = format!("{read}: it needs the generations {} to {}", header.min_required, header.max_required);
            let next = "Start its service and stop it again; or take database and logs together as a snapshot, which proves them by replay.";
            Predicate::refuses("P3", shown, read, Refusal::NotClean, next)
        }
        other => {
            let jet = match other {
                DatabaseState::IncrementalReseed => JetCode::DATABASE_INCOMPLETE_INCREMENTAL_RESEED,
                DatabaseState::RevertInProgress => JetCode::DATABASE_INCOMPLETE_REVERT,
                DatabaseState::BeingConverted => JetCode::DATABASE_INCOMPLETE_UPGRADE,
                _ => JetCode::DATABASE_CORRUPTED,
            };
            let next = "Finish what was under way on its server, or go back to the last good set.";
            Predicate::refuses("P3", shown, read, Refusal::State, next).with_jet(jet)
        }
    }
}

/// P4, and traps O13 and O27: what a clean file must not say.
fn contradictions(shown: &str, header: &DatabaseHeader) -> Predicate {
    let mut wrong = Vec::new();
    if header.state == DatabaseState::CleanShutdown {
        if header.min_required.0 != 0 || header.max_required.0 != 0 {
            wrong.push(format!("it is clean, and requires the generations {} to {}", header.min_required, header.max_required));
        }
        // The engine itself leaves the last generation of a replay there that ended with a clean database.
        if header.recovering > header.consistent_position.generation {
            let clean = header.consistent_position;
            wrong.push(format!("it is clean since {clean}, and a replay had reached generation {}", header.recovering));
        }
        if header.consistent_position != header.detach_position && !header.detach_position.is_none() {
            wrong.push(format!(
                "it is clean since {}, and was detached at {}",
                header.consistent_position, header.detach_position
            ));
        }
        if header.attach_position > header.consistent_position {
            let (attached, clean) = (header.attach_position, header.consistent_position);
            wrong.push(format!("it was attached at {attached}, behind {clean} where it became clean"));
        }
    }
    if wrong.is_empty() {
        let read = format!("required {} to {}, recovering {}", header.min_required, header.max_required, header.recovering);
        return Predicate::held("P4", shown, read);
    }
    let next = "The header was edited, or a recovery was cut off: recover it with its logs, or go back to the last good set.";
    Predicate::refuses("P4", shown, wrong.join("; "), Refusal::Damaged, next).with_jet(JetCode::DATABASE_CORRUPTED)
}

fn origin(shown: &str, header: &DatabaseHeader) -> Predicate {
    if header.is_streamed_backup() {
        let read = format!("it came out of the online backup from generation {} on", header.current_backup.low);
        let next = "Restore it with the logs of its backup set first; the set itself is the backup.";
        return Predicate::refuses("P5", shown, read, Refusal::OnlineSet, next);
    }
    Predicate::held("P5", shown, "no stamp of a backup that it belongs to")
}

fn anchor(shown: &str, facts: &DatabaseFacts) -> Predicate {
    Predicate::held(
        "P9",
        shown,
        match facts.start() {
            Some(anchor) => format!("its anchor is generation {anchor} ({anchor:#x}), at {}", facts.consistent),
            None => "it belongs to no log stream".into(),
        },
    )
}

/// A database keeps the signature of its streaming file; zeros never match zeros (trap O25).
fn belong_together(database: &DatabaseHeader, streaming: &DatabaseHeader) -> bool {
    let wanted = database.streaming_signature;
    wanted != Signature::NONE && (streaming.signature == wanted || streaming.streaming_signature == wanted)
}

fn pair(
    shown: &str,
    header: &DatabaseHeader,
    found: Option<(&Source, Option<&DatabaseHeader>)>,
    kind: Kind,
) -> Option<Predicate> {
    const NEXT: &str = "Bring both files as they were closed together; never copy one alone.";
    let refuses = |read: String| Predicate::refuses("P6", shown, read, Refusal::Pair, NEXT);
    match found {
        None if header.streaming_signature.is_none() => None,
        None => Some(refuses("its streaming file is not here".into())),
        Some((_, None)) => Some(refuses("the header of its streaming file cannot be read".into())),
        Some((source, Some(streaming))) => {
            let name = source.identified.path.display();
            if kind == Kind::Offline && streaming.state != DatabaseState::CleanShutdown {
                return Some(refuses(format!("{name} has the state \"{}\"", streaming.state)));
            }
            if streaming.consistent_position != header.consistent_position {
                let (a, b) = (header.consistent_position, streaming.consistent_position);
                return Some(refuses(format!("it became clean at {a}, and {name} at {b}")));
            }
            Some(Predicate::held("P6", shown, format!("{name} has its signature and its position")))
        }
    }
}
