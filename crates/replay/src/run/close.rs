//! Databases closed again: pages, flush map, header (`log-4 §18`, `log-8 §5`).

use super::Run;
use super::databases::OpenFiles;
use crate::error::{ReplayError, Result};
use crate::headers::{self, Closing};
use crate::space;
use anchorlog_format::database::file_type::FileType;
use anchorlog_format::database::flush_map::{FlushMapHeader, MAP_VERSION};
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::units::{DatabaseId, Generation, LogPosition, PageNumber};
use std::path::PathBuf;

impl Run<'_> {
    pub(super) fn detach_database(&mut self, position: LogPosition, id: DatabaseId) -> Result<()> {
        if self.redo.databases.contains_key(&id) {
            if self.redo.databases.get(&id).is_some_and(|database| !database.future_data) {
                self.redo.verify_maps(id)?;
            }
            self.close_database(id, position)?;
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
            self.detach_database(position, id)?;
        }
        self.redo.forget_sessions();
        Ok(())
    }

    /// Writes everything of a database and closes its header clean.
    pub(super) fn close_database(&mut self, id: DatabaseId, position: LogPosition) -> Result<()> {
        let Some(mut database) = self.redo.databases.remove(&id) else { return Ok(()) };
        let name = database.name.clone();
        if database.creating {
            return self.drop_half_made(id);
        }
        let now = self.ambient.now();
        let closing = Closing { position, dbtime: database.highest_dbtime, object: database.highest_object, now };
        let dirty = database.header.header.state == DatabaseState::DirtyShutdown;
        headers::close(&mut database.header.header, &closing);
        if let Some(files) = self.open.remove(&id) {
            let named = |error: ReplayError| error.in_file(name.clone());
            if dirty {
                match space::last_owned_page(&mut self.redo.cache, id) {
                    Ok(Some(last)) => self.redo.cache.resize(id, last.0).map_err(|error| named(error.into()))?,
                    Ok(None) => {}
                    // The file keeps its size.
                    Err(error) => self.redo.pass_over(id, error).map_err(named)?,
                }
            }
            self.redo.cache.release(id, |_| false).map_err(|error| named(error.into()))?;
            self.write_closing(&files, &mut database.header, id, true)?;
        }
        let path = PathBuf::from(&database.name);
        self.closed.insert(path, database.header);
        Ok(())
    }

    /// The flush map, then both copies of the header (`log-8 §5`).
    pub(super) fn write_closing(&mut self, files: &OpenFiles, page: &mut HeaderPage, id: DatabaseId, clean: bool) -> Result<()> {
        let now = self.ambient.now();
        let last = PageNumber(self.redo.cache.pages(id));
        let map_flush = self.ambient.signature();
        let header_flush = self.ambient.signature();
        if let Some(map) = self.redo.cache.detach(id) {
            let blank = || {
                let mut header = FlushMapHeader::read(&[0; FlushMapHeader::SIZE]).expect("the buffer holds a whole header");
                header.version = MAP_VERSION;
                header.create_time = now;
                header.attach_time = now;
                header.file_type = FileType::FlushMap;
                header
            };
            let mut header = files.map.clone().unwrap_or_else(blank);
            header.set_clean(clean);
            header.min_required = if clean { Generation(0) } else { page.header.min_required };
            header.min_required_target = Generation(0);
            header.header_flush = page.header.header_flush;
            header.map_flush = map_flush;
            header.flush_started = now;
            header.flush_completed = now;
            if clean {
                header.detach_time = now;
            }
            let path = files.path.with_extension("jfm");
            let file = match self.setup.folder.open_write(&path) {
                Ok(file) => file,
                Err(_) => self.setup.folder.create(&path)?,
            };
            map.store(&*file, &header, last)?;
            file.sync()?;
            page.header.map_flush = map_flush;
        }
        page.header.header_flush = header_flush;
        let bytes = page.to_bytes();
        files.file.write_at(0, &bytes)?;
        files.file.write_at(bytes.len() as u64, &bytes)?;
        files.file.sync()?;
        Ok(())
    }
}
