//! Databases made anew from their logged creation (`log-5 §8.3`).

use super::Run;
use super::databases::Slot;
use crate::attach::Logged;
use crate::error::{ReplayError, Result};
use crate::implicit;
use crate::maps::RedoMaps;
use crate::redo::Database;
use anchorlog_format::database::header::{DirtyRange, HeaderPage};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::database::version::Feature;
use anchorlog_format::jet::JetCode;
use anchorlog_format::units::{DatabaseId, Dbtime, LogPosition, LogTime, ObjectId, PageSize};
use std::path::PathBuf;

impl Run<'_> {
    /// A logged creation makes the file anew (`log-5 §8.3`).
    pub(super) fn make_database(
        &mut self,
        logged: Logged,
        resolved: Option<PathBuf>,
        position: LogPosition,
        created: LogTime,
    ) -> Result<()> {
        let id = logged.database;
        if !self.setup.options.create {
            let reason = format!("the database {} is missing, and it may not be made anew from its logged creation", logged.path);
            return Err(ReplayError::new(JetCode::ATTACHED_DATABASE_MISMATCH, reason).at(position));
        }
        let Some(log) = &self.header else { return Ok(()) };
        let Some(size) = log.page_size() else { return Ok(()) };
        let version = logged.create_version.unwrap_or_default();
        let implicit = implicit::is_known(log.version(), version, size);
        if version != (2, 0) && !implicit {
            let reason = format!(
                "the creation of {} was logged in the form {}.{}, without its first pages, and for pages of {size} in a log of version {} they are not known",
                logged.path,
                version.0,
                version.1,
                log.version()
            );
            return Err(ReplayError::new(JetCode::INVALID_CREATE_DB_VERSION, reason).at(position));
        }
        let logged_logs = log.parameters.log_folder();
        let place = &self.setup.logs.files.folder;
        let path = resolved.unwrap_or_else(|| self.naming.place_for(&logged.path, &logged_logs, place));
        let page = self.first_header(&logged, size, position, implicit.then_some(created));
        if self.make {
            let folder = &self.setup.folder;
            _ = folder.remove(&path);
            _ = folder.remove(&path.with_extension("jfm"));
            let file = folder.create(&path).map_err(|error| ReplayError::from(error).in_file(path.display().to_string()))?;
            file.set_size(size.file_size(if implicit { implicit::PAGES } else { 0 }))?;
        }
        self.naming.add(path.clone(), logged.signature);
        let database = Database {
            name: path.display().to_string(),
            highest_dbtime: page.header.dbtime,
            highest_object: ObjectId(page.header.last_object),
            header: page,
            future_data: false,
            maps: RedoMaps::default(),
            creating: !implicit,
        };
        self.open_files(id, &path, &database, true)?;
        if self.make && implicit {
            for (number, image) in implicit::pages(size)? {
                self.redo.cache.put(id, number, image)?;
            }
        }
        self.slots.insert(id, Slot { logged, path: Some(path), deferred: None, skipped: false, created: true });
        self.redo.databases.insert(id, database);
        Ok(())
    }

    /// The header of a database that is made anew; `complete`: its creation is one record, in a log made at this time.
    fn first_header(&self, logged: &Logged, size: PageSize, position: LogPosition, complete: Option<LogTime>) -> HeaderPage {
        let mut page = HeaderPage::new(size);
        let header = &mut page.header;
        let update = if complete.is_some() { implicit::UPDATE } else { 20 };
        (header.version, header.update) = (0x620, update);
        (header.create_version, header.create_update) = (0x620, update);
        header.signature = logged.signature;
        header.log_signature = self.stream;
        header.slot = logged.database.0.into();
        header.attach_position = position;
        header.attach_time = self.ambient.now();
        header.state = DatabaseState::JustCreated;
        header.dbtime = Dbtime::START;
        if let Some(created) = complete {
            header.dbtime = implicit::DBTIME;
            header.last_object = implicit::LAST_OBJECT.0;
            let range = DirtyRange { min: position.generation, max: position.generation, max_time: created };
            header.state = DatabaseState::CleanShutdown;
            // Clean to dirty is a transition that the engine makes.
            _ = header.set_state(DatabaseState::DirtyShutdown, Some(range));
        }
        page
    }

    pub(super) fn finish_creation(&mut self, position: LogPosition, id: DatabaseId) -> Result<()> {
        let created = self.created_time();
        let Some(database) = self.redo.databases.get_mut(&id) else { return Ok(()) };
        let header = &mut database.header.header;
        if header.state != DatabaseState::JustCreated {
            return Ok(());
        }
        database.creating = false;
        header.dbtime = database.highest_dbtime;
        header.last_object = database.highest_object.0;
        header.state = DatabaseState::DirtyShutdown;
        header.min_required = header.attach_position.generation;
        header.min_consistent = header.min_required;
        header.max_required = position.generation;
        header.max_committed = position.generation;
        header.max_committed_time = created;
        if header.has(Feature::MaxRequiredTime) {
            header.max_required_time = created;
        }
        if header.has(Feature::LastResize) {
            header.resize_position = header.resize_position.max(header.attach_position);
        }
        Ok(())
    }

    /// A database whose creation did not come to its end is no database (trap W37).
    pub(super) fn drop_half_made(&mut self, id: DatabaseId) -> Result<()> {
        self.redo.cache.detach(id);
        if let Some(files) = self.open.remove(&id) {
            self.setup.folder.remove(&files.path)?;
            _ = self.setup.folder.remove(&files.path.with_extension("jfm"));
        }
        Ok(())
    }
}
