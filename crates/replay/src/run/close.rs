//! Databases closed again (`log-4 §18`); what that writes, and in which order: [`super::release`].

use super::Run;
use crate::error::{ReplayError, Result};
use crate::headers::{self, Closing};
use crate::space;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::units::{DatabaseId, LogPosition};
use std::path::PathBuf;

impl Run<'_> {
    /// `by_record`: by a DetachDB record.
    pub(super) fn detach_database(&mut self, position: LogPosition, id: DatabaseId, by_record: bool) -> Result<()> {
        self.settle_size(id, position)?;
        if self.redo.databases.contains_key(&id) {
            if self.redo.databases.get(&id).is_some_and(|database| !database.future_data) {
                self.redo.verify_maps(id)?;
            }
            self.close_database(id, position, by_record)?;
        }
        if let Some(slot) = self.slots.remove(&id) {
            self.report_slot(&slot);
        }
        Ok(())
    }

    /// All databases are closed clean, as the shutdown mark before says (`log-4 §18`).
    pub(super) fn terminate(&mut self) -> Result<()> {
        let position = self.mark.unwrap_or(self.redo.position);
        let ids: Vec<DatabaseId> = self.slots.keys().copied().collect();
        for id in ids {
            self.detach_database(position, id, false)?;
        }
        self.redo.forget_sessions();
        Ok(())
    }

    /// Writes everything of a database and closes its header clean.
    pub(super) fn close_database(&mut self, id: DatabaseId, position: LogPosition, by_record: bool) -> Result<()> {
        let Some(mut database) = self.redo.databases.remove(&id) else { return Ok(()) };
        let name = database.name.clone();
        if database.creating {
            return self.drop_half_made(id);
        }
        let now = self.ambient.now();
        let closing = Closing { position, dbtime: database.highest_dbtime, object: database.highest_object, now };
        let dirty = database.header.header.state == DatabaseState::DirtyShutdown;
        let redone = database.header.clone();
        headers::close(&mut database.header.header, &closing);
        if self.setup.options.hard.is_some() {
            headers::forget_history(&mut database.header.header, by_record);
        }
        if let Some(files) = self.open.remove(&id) {
            let named = |error: ReplayError| error.in_file(name.clone());
            if dirty {
                match space::last_owned_page(&mut self.redo.cache, id) {
                    Ok(Some(last)) if last.0 > self.redo.cache.pages(id) => {
                        self.redo.cache.resize(id, last.0).map_err(|error| named(error.into()))?;
                    }
                    Ok(Some(last)) => self.redo.cache.trim(id, last.0),
                    Ok(None) => {}
                    // The file keeps its size.
                    Err(error) => self.redo.pass_over(id, error).map_err(named)?,
                }
            }
            self.write_database(id, &files, redone, &mut database.header, true, |_| false).map_err(named)?;
        }
        let path = PathBuf::from(&database.name);
        self.closed.insert(path, database.header);
        Ok(())
    }
}
