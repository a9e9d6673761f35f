//! How sets leave a vault: none that another needs or that is held, and never in an order in which one lacks what it needs.

use super::{ResticVault, attached};
use crate::error::{Error, Place, Result};
use crate::hold::Hold;
use crate::restic::backend::{Kind, Object};
use crate::restic::snapshot::{self, Role, Stored};
use crate::restic::{Id, told};
use crate::set::{SetId, SetSummary, still_needed};
use jiff::Timestamp;

impl ResticVault {
    /// Forgets sets, all of them or none, while nobody else has the vault.
    pub(super) fn forget_alone(&self, sets: &[SetId]) -> Result<()> {
        let (all, damage) = snapshot::all(&self.repository)?;
        let summary = |stored: &Stored| match &stored.role {
            Role::Set(summary) => Some(summary.clone()),
            _ => None,
        };
        let summaries: Vec<SetSummary> = all.iter().filter_map(summary).collect();
        if let Some(unknown) = sets.iter().find(|id| summaries.iter().all(|set| set.id != **id)) {
            return Err(Error::NoSet(unknown.clone()));
        }
        if let Some((needed, by)) = still_needed(summaries.iter().map(|set| (&set.id, &*set.made.needs)), sets) {
            return Err(Error::Held(needed, format!("set {by} needs it")));
        }
        let concerned = |stored: &&Stored| matches!(&stored.role, Role::Set(set) if sets.contains(&set.id));
        for stored in all.iter().filter(concerned) {
            if let (Some(why), Some(set)) = (stored.snapshot.held(), summary(stored)) {
                return Err(Error::Held(set.id, why));
            }
        }
        self.refuse_held(sets, &all)?;
        // The newest first, so that no set ever lacks one that it needs; attachments last, as they are of no use to anyone by then.
        for stored in all.iter().rev().filter(concerned) {
            self.remove_snapshot(stored.id)?;
        }
        self.sync("snapshots")?;
        // With those that a forget left which was stopped here; where a snapshot is damaged, their set may still be there.
        let is_gone = |of: &SetId| sets.contains(of) || damage.is_empty() && summaries.iter().all(|set| set.id != *of);
        let attached = |stored: &&Stored| matches!(&stored.role, Role::Attachment { of, .. } if is_gone(of));
        for stored in all.iter().filter(attached) {
            self.remove_snapshot(stored.id)?;
        }
        self.sync("snapshots")?;
        // What stopped programs left concerns nobody: not to be rid of it is no failure.
        let _ = self.repository.backend.remove_drafts();
        Ok(())
    }
    /// Looks at the newest hold of each set.
    fn refuse_held(&self, sets: &[SetId], all: &[Stored]) -> Result<()> {
        let now = Timestamp::now();
        for set in sets {
            let is_hold = |stored: &&Stored| matches!(&stored.role, Role::Attachment { of, name } if of == set && name.as_str() == Hold::NAME);
            let Some(Stored { snapshot, role: Role::Attachment { name, .. }, .. }) = all.iter().rfind(is_hold) else { continue };
            let held = match attached(&self.repository, &*self.index()?, &Place::stream(set, name), name, snapshot) {
                Ok(document) => Hold::read(&document).filter(|hold| hold.is_in_effect(now)).map(|hold| hold.to_string()),
                Err(Error::Damaged(damage)) => Some(format!("its hold cannot be read ({damage})")),
                Err(error) => return Err(error),
            };
            if let Some(why) = held {
                return Err(Error::Held(set.clone(), why));
            }
        }
        Ok(())
    }
    fn remove_snapshot(&self, id: Id) -> Result<()> {
        let object = Object::new(Kind::Snapshot, id);
        self.repository.backend.remove(object).map_err(|error| told(object, error))
    }
}
