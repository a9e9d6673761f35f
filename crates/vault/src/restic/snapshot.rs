//! Snapshots: one for each set, and one for each attachment of a set.
//!
//! What makes a snapshot a set stands in its tags, which restic keeps when it writes a snapshot anew (`restic tag`, `restic rewrite`); the
//! identity of a set is that of its first snapshot, which restic keeps as `original`.

use crate::error::{Damage, Error, Place, Result};
use crate::restic::backend::{Kind, Object};
use crate::restic::repository::Repository;
use crate::restic::{Id, host};
use crate::set::{Name, NewSet, SetId, SetSummary};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

const SET: &str = "anchorlog:set";
const NEEDS: &str = "anchorlog:needs=";
const ATTACHMENT_OF: &str = "anchorlog:attachment-of=";
const DOCUMENT: &str = "anchorlog:document";

/// A snapshot. `label` and `delete` are rustic's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    time: Timestamp,
    /// The root.
    pub tree: Id,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original: Option<Id>,
    #[serde(default)]
    program_version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delete: Option<serde_json::Value>,
}

/// What a snapshot is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Set(SetSummary),
    Attachment {
        of: SetId,
        name: Name,
    },
    /// Of the vault itself.
    Document {
        name: Name,
    },
    /// Another program's.
    Foreign,
}

/// A snapshot with its name.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: Id,
    pub(crate) snapshot: Snapshot,
    pub(crate) role: Role,
}

impl Snapshot {
    pub(crate) fn of_set(new: &NewSet, tree: Id) -> Result<Self> {
        let time = Timestamp::from_millisecond(new.time).map_err(|error| Error::Unsupported(error.to_string()))?;
        let needs = new.needs.iter().map(|set| format!("{NEEDS}{}", set.as_str()));
        let tags = [SET.to_owned()].into_iter().chain(needs).chain(new.tags.iter().cloned()).collect();
        let paths = if new.source.is_empty() { Vec::new() } else { vec![new.source.clone()] };
        Ok(Self { hostname: new.host.clone(), label: new.label.clone(), ..Self::new(time, tree, paths, tags) })
    }
    pub(crate) fn of_attachment(of: &SetId, name: &Name, tree: Id) -> Self {
        Self::of_small_file(name, tree, format!("{ATTACHMENT_OF}{}", of.as_str()))
    }
    pub(crate) fn of_document(name: &Name, tree: Id) -> Self {
        Self::of_small_file(name, tree, DOCUMENT.to_owned())
    }
    fn of_small_file(name: &Name, tree: Id, tag: String) -> Self {
        let tags = vec![tag];
        Self { hostname: host::name(), ..Self::new(Timestamp::now(), tree, vec![format!("/{name}")], tags) }
    }
    fn new(time: Timestamp, tree: Id, paths: Vec<String>, tags: Vec<String>) -> Self {
        let (uid, gid) = host::user_and_group();
        Self {
            time,
            tree,
            paths,
            hostname: String::new(),
            username: host::user(),
            uid,
            gid,
            tags: Some(tags),
            original: None,
            program_version: concat!("anchorlog ", env!("CARGO_PKG_VERSION")).into(),
            label: String::new(),
            delete: None,
        }
    }

    /// When, in milliseconds since 1970 UTC.
    pub(crate) fn millisecond(&self) -> i64 {
        self.time.as_millisecond()
    }
    /// Why it must stay; `None` where it may go.
    pub(crate) fn held(&self) -> Option<String> {
        let held = self.delete.as_ref().is_some_and(|delete| !delete.is_null() && delete != "NotSet");
        held.then(|| "it was made to stay".into())
    }

    fn role(&self, id: Id) -> Role {
        let tags = self.tags.as_deref().unwrap_or_default();
        let set = |text: &str| SetId::parse(text);
        let path = self.paths.first().map(String::as_str).unwrap_or_default();
        let named = || path.strip_prefix('/').and_then(Name::new);
        if tags.iter().any(|tag| tag == DOCUMENT) {
            return named().map_or(Role::Foreign, |name| Role::Document { name });
        }
        if let Some(of) = tags.iter().find_map(|tag| tag.strip_prefix(ATTACHMENT_OF)).and_then(set) {
            return named().map_or(Role::Foreign, |name| Role::Attachment { of, name });
        }
        let Some(id) = set(&self.original.unwrap_or(id).to_string()).filter(|_| tags.iter().any(|tag| tag == SET)) else {
            return Role::Foreign;
        };
        let made = NewSet {
            time: self.millisecond(),
            host: self.hostname.clone(),
            tags: tags.iter().filter(|tag| !tag.starts_with(NewSet::RESERVED)).cloned().collect(),
            source: path.to_owned(),
            label: self.label.clone(),
            needs: tags.iter().filter_map(|tag| tag.strip_prefix(NEEDS)).filter_map(set).collect(),
        };
        Role::Set(SetSummary { id, made })
    }
}

/// All snapshots, oldest first, and a set never before one that it needs, whatever the clocks said; damaged ones as what is wrong with them.
///
/// # Errors
/// The storage's. One that is removed meanwhile is passed over.
pub(crate) fn all(repository: &Repository) -> Result<(Vec<Stored>, Vec<Damage>)> {
    let failed = |error| Error::Storage(Place::object("snapshots"), error);
    let (mut snapshots, mut damage) = (Vec::new(), Vec::new());
    for (id, _) in repository.backend.list(Kind::Snapshot).map_err(failed)? {
        match load(repository, id) {
            Ok(stored) => snapshots.push(stored),
            Err(Error::Damaged(found)) => damage.push((id, found)),
            Err(error) => return Err(error),
        }
    }
    if !damage.is_empty() {
        // What was removed since the listing is not damaged.
        let there = repository.backend.list(Kind::Snapshot).map_err(failed)?;
        damage.retain(|(id, _)| there.iter().any(|(there, _)| there == id));
    }
    snapshots.sort_by_key(|stored| (stored.snapshot.time, stored.id));
    damage.sort_by_key(|(id, _)| *id);
    Ok((needed_first(snapshots), damage.into_iter().map(|(_, damage)| damage).collect()))
}

/// Moves what a set needs before it, and nothing else.
fn needed_first(snapshots: Vec<Stored>) -> Vec<Stored> {
    let mut named: HashMap<&SetId, Vec<usize>> = HashMap::new();
    for (at, stored) in snapshots.iter().enumerate() {
        if let Role::Set(set) = &stored.role {
            named.entry(&set.id).or_default().push(at);
        }
    }
    let needs = |at: usize| match snapshots.get(at).map(|stored| &stored.role) {
        Some(Role::Set(set)) => set.made.needs.iter().filter_map(|id| named.get(id)).flatten().copied().collect(),
        _ => Vec::new(),
    };
    // A set is met twice: its needs are placed after the first time, and it after the second. None is met for the first time twice, so
    // that sets which need each other, as no vault of ours has them, end this too.
    let (mut met, mut order) = (HashSet::new(), Vec::with_capacity(snapshots.len()));
    for first in 0..snapshots.len() {
        let mut open = vec![(first, false)];
        while let Some((at, needs_placed)) = open.pop() {
            if needs_placed {
                order.push(at);
            } else if met.insert(at) {
                open.push((at, true));
                open.extend(needs(at).into_iter().map(|needed| (needed, false)));
            }
        }
    }
    let mut snapshots: Vec<Option<Stored>> = snapshots.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| snapshots.get_mut(at)?.take()).collect()
}

/// A snapshot.
pub(crate) fn load(repository: &Repository, id: Id) -> Result<Stored> {
    let snapshot: Snapshot = repository.load_json(Object::new(Kind::Snapshot, id))?;
    let role = snapshot.role(id);
    Ok(Stored { id, snapshot, role })
}
