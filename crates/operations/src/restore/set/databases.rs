//! The databases of a set that are restored, where each goes, and what must hold of each by itself (P28, P35, P54).

use super::options::{Options, file_name, means};
use super::stored::{Stored, place_of};
use crate::backup::{Predicate, Refusal};
use crate::identify::{Content, content_of};
use crate::sets::{DatabaseFacts, FilePart, KnownSet, Role};
use anchorlog_format::database::{DatabaseHeader, DatabaseState, HeaderPage};
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::Signature;
use anchorlog_vault::Vault;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A file of the set on its way into the target.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// Its place below the target.
    pub place: PathBuf,
    /// What the manifest says.
    pub part: FilePart,
    pub stored: Stored,
    /// What it is, by its own bytes.
    pub content: Content,
}

/// A database that is restored, with the files that belong to it.
#[derive(Clone, Debug)]
pub(super) struct Restored {
    pub file: Taken,
    pub facts: DatabaseFacts,
    /// Its header, as the vault has it; none where neither copy holds.
    pub header: Option<HeaderPage>,
    pub streaming: Option<Taken>,
    pub map: Option<Taken>,
}

impl Restored {
    pub(super) fn shown(&self) -> String {
        self.file.part.name.to_string()
    }
    pub(super) fn files(&self) -> impl Iterator<Item = &Taken> {
        std::iter::once(&self.file).chain(&self.streaming).chain(&self.map)
    }
}

/// The databases that are wanted, with what is wrong with the wish itself.
pub(super) fn choose(vault: &Arc<dyn Vault>, set: &KnownSet, options: &Options, out: &mut Vec<Predicate>) -> Vec<Restored> {
    let logged = logged_paths(set);
    let all: Vec<(&FilePart, &DatabaseFacts)> = set.manifest.databases().collect();
    let called = |part: &FilePart, facts: &DatabaseFacts, wanted: &str| {
        // A whole name means that stream alone, though other names may end with it.
        if all.iter().any(|(other, _)| other.name.as_str() == wanted) {
            return part.name.as_str() == wanted;
        }
        let paths = logged.get(&facts.signature.0).into_iter().flatten();
        wanted.eq_ignore_ascii_case(&hex::encode(facts.signature.0))
            || means(wanted, part.name.as_str())
            || paths.into_iter().any(|path| means(wanted, path))
    };
    let mut restored = Vec::new();
    for (part, facts) in &all {
        let named = |list: &[String]| list.iter().any(|wanted| called(part, facts, wanted));
        if named(&options.without) || !(options.databases.is_empty() || named(&options.databases)) {
            continue;
        }
        let to = options.map.iter().find(|(wanted, _)| called(part, facts, wanted)).map(|(_, to)| to.clone());
        let mapped = to.is_some();
        let place = to.unwrap_or_else(|| place_of(&part.name));
        restored.push(restore(vault, set, part, facts, place, mapped));
    }
    let lost = |list: &mut dyn Iterator<Item = &String>| -> Vec<String> {
        list.filter(|wanted| !all.iter().any(|(part, facts)| called(part, facts, wanted))).cloned().collect()
    };
    let unknown = lost(&mut options.databases.iter().chain(options.map.iter().map(|(wanted, _)| wanted)));
    if !unknown.is_empty() {
        let read = format!("the set has no database {}", unknown.join(", "));
        let next = "Name a database of the set: its stream, its file name, its path in the logs, or its signature.";
        out.push(Predicate::refuses("P54", set.id.to_string(), read, Refusal::Path, next));
    }
    if restored.is_empty() {
        let read = format!("set {} is of the kind {}, and has {} databases", set.id, set.manifest.kind.name(), all.len());
        let next = "Choose a set with databases; sets of logs alone are found by themselves when a restore rolls forward.";
        out.push(Predicate::refuses("set", set.id.to_string(), read, Refusal::Path, next));
    }
    places(&restored, out);
    restored
}

fn logged_paths(set: &KnownSet) -> BTreeMap<[u8; 28], Vec<String>> {
    let mut paths: BTreeMap<[u8; 28], Vec<String>> = BTreeMap::new();
    for attached in set.manifest.streams.iter().flat_map(|stream| &stream.attached) {
        paths.entry(attached.signature.0).or_default().push(attached.path.clone());
    }
    paths
}

fn restore(
    vault: &Arc<dyn Vault>,
    set: &KnownSet,
    part: &FilePart,
    facts: &DatabaseFacts,
    place: PathBuf,
    mapped: bool,
) -> Restored {
    let take = |part: &FilePart, place: PathBuf| {
        let stored = Stored::new(vault, &set.id, part);
        let content = content_of(&*stored.open(), part.size).unwrap_or(Content::Unknown);
        Taken { place, part: part.clone(), stored, content }
    };
    // The flush map and the streaming file lie beside their database, under its name.
    let beside = |role: Role, fits: &dyn Fn(&Taken) -> bool| {
        let folder = Path::new(part.name.as_str()).parent();
        let of_role = set.manifest.of_role(role).filter(|other| Path::new(other.name.as_str()).parent() == folder);
        of_role
            .map(|other| {
                let name = place_of(&other.name);
                let stem = if mapped { place.file_stem() } else { name.file_stem() };
                let mut file = stem.unwrap_or_default().to_owned();
                if let Some(extension) = name.extension() {
                    file.push(".");
                    file.push(extension);
                }
                take(other, place.with_file_name(file))
            })
            .find(|taken| fits(taken))
    };
    let map = beside(Role::FlushMap, &|taken| {
        Path::new(taken.part.name.as_str()).file_stem() == Path::new(part.name.as_str()).file_stem()
    });
    let file = take(part, place.clone());
    let header = match &file.content {
        Content::Database { page, .. } => Some((**page).clone()),
        _ => None,
    };
    let wanted = header.as_ref().map_or(Signature::NONE, |page| page.header.streaming_signature);
    let streaming = beside(Role::StreamingFile, &|taken| {
        wanted != Signature::NONE
            && header_of(taken).is_some_and(|page| page.signature == wanted || page.streaming_signature == wanted)
    });
    Restored { file, facts: facts.clone(), header, streaming, map }
}

fn header_of(taken: &Taken) -> Option<DatabaseHeader> {
    let mut start = vec![0; HeaderPage::ELECTION_BYTES];
    let read = taken.stored.open().read_at(0, &mut start).ok()?;
    HeaderPage::elect(start.get(..read)?).ok().map(|(page, _)| page.header)
}

/// P54: places stay below the target, and no two databases share one; no database is there twice (trap O14).
fn places(restored: &[Restored], out: &mut Vec<Predicate>) {
    let next = "Give every database a place of its own below the target.";
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for file in restored.iter().flat_map(Restored::files) {
        let shown = file.part.name.to_string();
        let inside = file.place.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || file.place.as_os_str().is_empty() {
            let read = format!("{} leads out of the target", file.place.display());
            out.push(Predicate::refuses("P54", shown, read, Refusal::Path, next));
        } else if !taken.insert(file.place.display().to_string().to_lowercase()) {
            let read = format!("{} is the place of another file as well", file.place.display());
            out.push(Predicate::refuses("P54", shown, read, Refusal::Path, next));
        }
    }
    let mut seen: BTreeMap<[u8; 28], &Restored> = BTreeMap::new();
    for database in restored.iter().filter(|database| !database.facts.signature.is_none()) {
        if let Some(other) = seen.insert(database.facts.signature.0, database) {
            let read = format!("{} and {} are one database by their signature", other.shown(), database.shown());
            let next = "Restore one of the two.";
            let broken = Predicate::refuses("P37", database.shown(), read, Refusal::DbSign, next);
            out.push(broken.with_jet(JetCode::DATABASE_SIGN_IN_USE));
        }
    }
}

/// P28 and P35: each database clean, matched, verified; those of Exchange 5.5 all together.
pub(super) fn judge_clean(id: &'static str, set: &KnownSet, restored: &[Restored], options: &Options, out: &mut Vec<Predicate>) {
    for database in restored {
        out.push(clean(id, set, database, options));
    }
    if id != "P28" || !restored.iter().any(|database| database.facts.update <= crate::sets::facts::UPDATE_OF_EXCHANGE_55) {
        return;
    }
    let here = |signature: &Signature| restored.iter().any(|database| database.facts.signature == *signature);
    let members = set.manifest.streams.iter().flat_map(|stream| &stream.attached);
    let mut absent: Vec<String> = members.filter(|member| !here(&member.signature)).map(|member| member.path.clone()).collect();
    let stayed = set.manifest.databases().filter(|(_, facts)| !here(&facts.signature)).map(|(part, _)| part.name.to_string());
    absent.extend(stayed);
    absent.dedup();
    if !absent.is_empty() {
        let read = format!("{} belongs to the unit, and would not be restored", absent.join(", "));
        let next = "The databases of Exchange 5.5 refer to each other: restore all of them together.";
        out.push(Predicate::refuses("P28", set.id.to_string(), read, Refusal::OtherDb, next));
    }
}

fn clean(id: &'static str, set: &KnownSet, database: &Restored, options: &Options) -> Predicate {
    let shown = database.shown();
    let Some(page) = &database.header else {
        let next = "Choose another set: in this one the header cannot be read.";
        return Predicate::refuses(id, shown, "neither the header nor its shadow holds", Refusal::Unreadable, next);
    };
    let header = &page.header;
    if header.is_streamed_backup() || !matches!(set.manifest.kind, crate::sets::Kind::Offline | crate::sets::Kind::Snapshot) {
        let read = format!("set {} is of the kind {}: its databases need hard recovery", set.id, set.manifest.kind.name());
        let next = "Restore it as an online set.";
        return Predicate::refuses(id, shown, read, Refusal::OnlineSet, next);
    }
    match header.state {
        DatabaseState::CleanShutdown => {}
        DatabaseState::DirtyShutdown | DatabaseState::DirtyAndPatched => {
            let read = format!(
                "its state is \"{}\": it needs the generations {} to {}",
                header.state, header.min_required, header.max_required
            );
            let next = "Roll it forward: with the logs of its set at least.";
            return Predicate::refuses(id, shown, read, Refusal::NotClean, next);
        }
        other => {
            let next = "Choose another set.";
            return Predicate::refuses(id, shown, format!("its state is \"{other}\""), Refusal::State, next);
        }
    }
    let damaged = database.files().flat_map(|file| &file.part.damage).next();
    if let Some(damage) = damaged {
        let read = format!("the set was marked when it was made: {}: {}", damage.place, damage.message);
        let next = "Choose another set; or keep the damage, and look at what is readable.";
        return if options.keep_damage {
            Predicate::marks(id, shown, read, Refusal::Damaged, next)
        } else {
            Predicate::refuses(id, shown, read, Refusal::Damaged, next)
        };
    }
    if let Some(read) = unpaired(database) {
        let next = "Restore both files as they were closed together, from a set that has them.";
        return Predicate::refuses(id, shown, read, Refusal::Pair, next);
    }
    Predicate::held(id, shown, format!("clean since {}, and no page was bad when it was stored", header.consistent_position))
}

/// Why a database and its streaming file are no pair, if so.
pub(super) fn unpaired(database: &Restored) -> Option<String> {
    let header = &database.header.as_ref()?.header;
    if header.streaming_signature.is_none() {
        return None;
    }
    let Some(file) = &database.streaming else { return Some("its streaming file is not in the set".into()) };
    let name = &file.part.name;
    let Some(streaming) = header_of(file) else { return Some(format!("the header of {name} cannot be read")) };
    if streaming.consistent_position != header.consistent_position {
        let (a, b) = (header.consistent_position, streaming.consistent_position);
        return Some(format!("it became clean at {a}, and {name} at {b}"));
    }
    None
}

/// A file name of the place that only differs from the logged one by where it lies.
pub(super) fn same_name(place: &Path, logged: &str) -> bool {
    place.file_name().is_some_and(|name| name.to_string_lossy().eq_ignore_ascii_case(file_name(logged)))
}
