//! Whether databases hold changes that lie behind a stop: then no undo can bring them to it.
//!
//! An image that was taken while the engine ran may hold pages from any log of its required range, and lack what a later record cut
//! off. The records behind the stop tell exactly: a page that has the time of one of them holds its change.

use super::Redo;
use super::bucket::decode_all;
use super::pages::named;
use crate::cache::Lookup;
use crate::error::Result;
use crate::maps::RedoMaps;
use anchorlog_format::log::record::Operation;
use anchorlog_format::units::{DatabaseId, Dbtime, LogPosition, PageNumber, SessionId, VersionId};
use std::collections::{BTreeMap, BTreeSet};

/// The pages that one record changes, and the time that it leaves on them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Touched {
    database: DatabaseId,
    dbtime: Dbtime,
    pages: Vec<PageNumber>,
}

/// Reads the records behind a stop.
pub struct Ahead {
    /// Records whose group had not committed yet: they change pages when it does.
    groups: BTreeMap<(SessionId, Dbtime), Vec<Touched>>,
    /// Pages that some record behind the stop must explain.
    maps: BTreeMap<DatabaseId, RedoMaps>,
    /// Changes whose before images some record behind the stop must bring.
    deferred: BTreeMap<SessionId, BTreeSet<VersionId>>,
    earliest: Option<LogPosition>,
}

impl Ahead {
    /// Begins behind the last record that was redone.
    #[must_use]
    pub fn behind(redo: &Redo) -> Self {
        let mut groups = BTreeMap::new();
        for (&key, group) in &redo.macros {
            let members = decode_all(&group.members).unwrap_or_default();
            groups.insert(key, members.iter().filter_map(touched).collect());
        }
        let maps = redo.databases.iter().map(|(&id, database)| (id, database.maps.clone())).collect();
        let mut deferred: BTreeMap<SessionId, BTreeSet<VersionId>> = BTreeMap::new();
        for (session, version, _) in redo.without_before_image() {
            deferred.entry(session).or_default().insert(version);
        }
        Self { groups, maps, deferred, earliest: None }
    }
    /// The first position at which a stop could have been, as far as the records looked at tell; `None`: nothing from behind the stop
    /// was found.
    #[must_use]
    pub const fn earliest(&self) -> Option<LogPosition> {
        self.earliest
    }
    /// Whether something is still to be explained by records further on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.maps.values().any(|maps| !maps.is_empty()) || self.deferred.values().any(|versions| !versions.is_empty())
    }

    /// Looks at a record behind the stop.
    ///
    /// # Errors
    /// Any error of reading pages.
    pub fn look(&mut self, redo: &mut Redo, position: LogPosition, operation: &Operation<'_>) -> Result<()> {
        let was_open = self.is_open();
        match operation {
            Operation::MacroBegin(mark) => {
                self.groups.insert((mark.session, mark.dbtime), Vec::new());
            }
            Operation::MacroAbort(mark) => {
                self.groups.remove(&(mark.session, mark.dbtime));
            }
            Operation::MacroCommit(mark) => {
                for touched in self.groups.remove(&(mark.session, mark.dbtime)).unwrap_or_default() {
                    self.compare(redo, position, &touched)?;
                }
            }
            Operation::CommitOutermost(commit) => {
                self.deferred.remove(&commit.session);
            }
            Operation::Rollback(rollback) => {
                // Levels do not matter here: what is rolled back was logged change by change.
                self.deferred.remove(&rollback.session);
            }
            Operation::UndoInfo(info) => self.known(info.head.session, info.head.version),
            Operation::ShrinkDatabase(shrink) | Operation::ShrinkDatabase2(shrink) => self.cut(shrink.database, shrink.last_page),
            Operation::ShrinkDatabase3(shrink) => self.cut(shrink.database, shrink.last_page),
            Operation::TrimDatabase(trim) => {
                if let Some(maps) = self.maps.get_mut(&trim.database) {
                    maps.clear_absent(&trim.first.extent(trim.pages));
                }
            }
            Operation::ExtentFreed(freed) => self.freed(freed.database, freed.first, freed.pages),
            Operation::ExtentFreed2(freed) => self.freed(freed.database, freed.first, freed.pages),
            _ => {
                if let Operation::Undo(undo) = operation {
                    self.known(undo.head.session, undo.head.version);
                }
                if let (Some(session), Some(touched)) = (operation.session(), touched(operation)) {
                    match self.groups.get_mut(&(session, touched.dbtime)) {
                        Some(group) => group.push(touched),
                        None => self.compare(redo, position, &touched)?,
                    }
                }
            }
        }
        if was_open && !self.is_open() {
            self.earliest = Some(position);
        }
        Ok(())
    }

    fn compare(&mut self, redo: &mut Redo, position: LogPosition, touched: &Touched) -> Result<()> {
        let id = touched.database;
        let attached = redo.databases.get(&id).is_some_and(|database| position > database.header.header.attach_position);
        for &page in touched.pages.iter().filter(|page| attached && !page.is_none()) {
            if redo.cache.lookup(id, page)? != Lookup::Present {
                continue;
            }
            let found = redo.cache.page(id, page).map(|page| page.dbtime());
            if found.is_some_and(|found| found >= touched.dbtime && found < Dbtime::REVERTED_ROOT) {
                self.earliest = Some(position);
            }
        }
        Ok(())
    }
    fn known(&mut self, session: SessionId, version: VersionId) {
        if let Some(versions) = self.deferred.get_mut(&session) {
            versions.remove(&version);
        }
    }
    fn cut(&mut self, database: DatabaseId, last: PageNumber) {
        if let Some(maps) = self.maps.get_mut(&database) {
            maps.clear_absent(&last.next().onwards());
        }
    }
    fn freed(&mut self, database: DatabaseId, first: PageNumber, pages: i32) {
        if let Some(maps) = self.maps.get_mut(&database) {
            maps.clear_freed(&first.extent(u32::try_from(pages).unwrap_or(0)));
        }
    }
}

/// The pages that a record changes; `None` for records that change none, or none by their page time.
fn touched(operation: &Operation<'_>) -> Option<Touched> {
    let (database, dbtime) = match (operation, operation.page_head()) {
        (Operation::UndoInfo(_), _) => return None,
        (Operation::NewPage(new), _) => (new.database, new.dbtime),
        (_, head) => head.map(|head| (head.database, head.dbtime))?,
    };
    let mut pages = Vec::new();
    named(operation, |page, _| pages.push(page));
    Some(Touched { database, dbtime, pages })
}
