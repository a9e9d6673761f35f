//! Databases in a run: met in the log, attached, resized, closed (`log-5 §8, §9.5`, `log-4 §16, §17`).

use super::Run;
use super::release::side_file;
use crate::attach::{self, Context, FileState, Logged, Outcome, Source, Why};
use crate::error::{ReplayError, Result};
use crate::flush::FlushMap;
use crate::headers::{self, Closing, Here};
use crate::implicit;
use crate::maps::RedoMaps;
use crate::page_journal;
use crate::redo::Database;
use crate::space;
use anchorlog_format::database::flush_map::FlushMapHeader;
use anchorlog_format::database::header::{DirtyRange, HeaderFault, HeaderPage};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::database::version::Known;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{AttachDatabase, Backup, CreateDatabase, ExtendDatabase, SetDatabaseVersion, TrimDatabase};
use anchorlog_format::units::{BackupInfo, DatabaseId, Dbtime, LogPosition, LogTime, ObjectId, PageNumber, PageSize, Signature};
use anchorlog_storage::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A database as the log knows it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub logged: Logged,
    pub path: Option<PathBuf>,
    /// Why its records are passed over; `None` while it is attached.
    pub deferred: Option<Why>,
    /// Not mapped, where only mapped databases take part (trap W21).
    pub skipped: bool,
    pub created: bool,
}

/// Files of an attached database.
pub(crate) struct OpenFiles {
    pub path: PathBuf,
    pub file: Arc<dyn File>,
    /// Header of the flush map that stood beside it, when it could be used.
    pub map: Option<FlushMapHeader>,
    /// Where its changed pages wait.
    pub side: Option<Arc<dyn File>>,
    /// Whether this run made it.
    pub created: bool,
    /// The last resize that the file has seen.
    pub resized: LogPosition,
}

/// Bytes by which one record may grow a database, unless it doubles it at most: a damaged log may name any page.
const GROWTH_MAX: u64 = 4 << 30;

impl Run<'_> {
    pub(super) fn create_database(&mut self, position: LogPosition, create: &CreateDatabase<'_>) -> Result<()> {
        let logged = Logged {
            source: Source::CreateRecord,
            database: create.database,
            path: create.path_text().first(),
            signature: create.signature,
            log_signature: self.stream,
            attach: position,
            consistent: LogPosition::NONE,
            dbtime: Dbtime(0),
            object: ObjectId(0),
            create_version: create.version,
        };
        let created = self.created_time();
        self.meet(logged, position, created)
    }

    pub(super) fn attach_database(&mut self, position: LogPosition, attach: &AttachDatabase<'_>) -> Result<()> {
        let logged = Logged {
            source: Source::AttachRecord,
            database: attach.database,
            path: attach.path_text().first(),
            signature: attach.signature,
            log_signature: attach.log_signature,
            attach: position,
            consistent: attach.consistent,
            dbtime: Dbtime(0),
            object: ObjectId(0),
            create_version: None,
        };
        let created = self.created_time();
        self.meet(logged, position, created)
    }

    /// A database comes up in the log: the decision, and what follows from it.
    pub(super) fn meet(&mut self, logged: Logged, position: LogPosition, created: LogTime) -> Result<()> {
        let id = logged.database;
        if self.redo.databases.contains_key(&id) {
            // The log lost sight of its detach; what is open stays as it is on disk.
            let reason = format!("slot {id} is taken when {} comes up", logged.path);
            return Err(ReplayError::new(JetCode::DATABASE_DUPLICATE, reason).at(position));
        }
        let resolved = self.naming.resolve(&logged.path, &logged.signature).map(Path::to_path_buf);
        let skipped = self.setup.options.only_mapped && !self.is_mapped(&logged.path);
        if skipped {
            self.slots.insert(id, Slot { logged, path: None, deferred: Some(Why::Missing), skipped, created: false });
            return Ok(());
        }
        let read = match &resolved {
            Some(path) => self.read_header(path)?,
            None => Read::Missing,
        };
        let state = match &read {
            Read::Missing => FileState::Missing { place_exists: true },
            Read::Damaged => FileState::Damaged,
            Read::Denied => FileState::Denied,
            Read::Header(page) => FileState::Header(&page.header),
        };
        let context = Context { stream: self.stream, position };
        let outcome = match logged.source {
            Source::CreateRecord => attach::decide_create(state, &logged, context),
            Source::List | Source::AttachRecord => attach::decide_attach(state, &logged, context),
        };
        let name = resolved.as_ref().map_or_else(|| logged.path.clone(), |path| path.display().to_string());
        if outcome != Outcome::Create
            && let Read::Header(page) = &read
        {
            self.check_signature_free(&page.header.signature, &name, position)?;
        }
        match outcome {
            Outcome::Now => {
                let Read::Header(page) = read else { return Ok(()) };
                let path = resolved.unwrap_or_default();
                self.check_format(&page, &name)?;
                self.slots.insert(
                    id,
                    Slot { logged: logged.clone(), path: Some(path.clone()), deferred: None, skipped, created: false },
                );
                self.open_database(*page, path, &logged, position, created)
            }
            Outcome::Create => self.make_database(logged, resolved, position, created),
            Outcome::Defer(why) => {
                self.slots.insert(id, Slot { logged, path: resolved, deferred: Some(why), skipped, created: false });
                Ok(())
            }
            Outcome::Refuse(jet, reason) => {
                let reason = format!("the database {name} cannot take part: {reason}");
                let path = resolved;
                self.slots.insert(id, Slot { logged, path, deferred: Some(Why::OtherDatabase), skipped, created: false });
                Err(ReplayError::new(jet, reason).in_file(name).at(position))
            }
        }
    }

    /// Two attached files may not be the same database (traps Z20 of log-8, −1222).
    fn check_signature_free(&self, signature: &Signature, name: &str, position: LogPosition) -> Result<()> {
        let other =
            self.redo.databases.values().find(|database| database.header.header.signature == *signature && database.name != name);
        match other {
            Some(other) => {
                let reason = format!("{name} and {} are copies of one database: one was copied over the other", other.name);
                Err(ReplayError::new(JetCode::DATABASE_SIGN_IN_USE, reason).in_file(name).at(position))
            }
            None => Ok(()),
        }
    }

    fn check_format(&self, page: &HeaderPage, name: &str) -> Result<()> {
        if let Some(size) = self.setup.options.page_size
            && size != page.page_size()
        {
            let reason = format!("{name} has pages of {} bytes, not of {size}", page.page_size());
            return Err(ReplayError::new(JetCode::PAGE_SIZE_MISMATCH, reason).in_file(name));
        }
        let fault = match page.header.check_kind() {
            Err(fault) => Some(fault),
            Ok(()) if page.header.format().known() != Known::Fully => Some(HeaderFault::TooNew(page.header.format())),
            Ok(()) => None,
        };
        match fault {
            Some(fault) => Err(ReplayError::new(fault.jet(), format!("{name} cannot be recovered: {fault}")).in_file(name)),
            None => Ok(()),
        }
    }

    fn open_database(
        &mut self,
        page: HeaderPage,
        path: PathBuf,
        logged: &Logged,
        position: LogPosition,
        created: LogTime,
    ) -> Result<()> {
        let id = logged.database;
        let mut page = page;
        let here = self.here(position, created);
        match logged.source {
            Source::AttachRecord => headers::attach_by_record(&mut page.header, &here),
            Source::List | Source::CreateRecord => headers::attach_before_redo(&mut page.header, &here),
        }
        let future_data = position.generation <= page.header.max_required;
        self.required.insert(id, page.header.max_required);
        let highest_dbtime = logged.dbtime.max(page.header.dbtime);
        let highest_object = logged.object.max(ObjectId(page.header.last_object));
        let database = Database {
            name: path.display().to_string(),
            header: page,
            highest_dbtime,
            highest_object,
            future_data,
            maps: RedoMaps::default(),
            creating: false,
        };
        self.open_files(id, &path, &database, false)?;
        self.redo.databases.insert(id, database);
        Ok(())
    }

    fn open_files(&mut self, id: DatabaseId, path: &Path, database: &Database, created: bool) -> Result<()> {
        if !self.make {
            return Ok(());
        }
        let folder = &self.setup.folder;
        let named = |error: io::Error| ReplayError::from(error).in_file(path.display().to_string());
        let file = folder.open_write(path).map_err(named)?;
        let (map, map_header) = match folder.open(&path.with_extension("jfm")) {
            Ok(map) => {
                let last = PageNumber(crate::cache::pages_of(file.size().map_err(named)?, database.header.page_size()));
                FlushMap::load(&*map, &database.header.header, last).map_err(named)?
            }
            Err(_) => (FlushMap::default(), None),
        };
        let options = &self.setup.options;
        let side_path = side_file(id);
        if options.in_place
            && !created
            && let Ok(journal) = folder.open(&side_path)
        {
            page_journal::mend(&*journal, &*file, database.header.page_size(), &database.header.header.header_flush)
                .map_err(named)?;
        }
        let side = if options.undo && !options.in_place && (options.stop.is_none() || options.undo_at_stop) {
            None
        } else {
            _ = folder.remove(&side_path);
            Some(folder.create(&side_path).map_err(named)?)
        };
        self.redo.cache.attach(id, file.clone(), database.header.page_size(), map, side.clone()).map_err(named)?;
        let resized = database.header.header.resize_position;
        self.open.insert(id, OpenFiles { path: path.to_path_buf(), file, map: map_header, side, created, resized });
        Ok(())
    }

    /// A logged creation makes the file anew (`log-5 §8.3`).
    fn make_database(
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
        if header.has(anchorlog_format::database::version::Feature::MaxRequiredTime) {
            header.max_required_time = created;
        }
        if header.has(anchorlog_format::database::version::Feature::LastResize) {
            header.resize_position = header.resize_position.max(header.attach_position);
        }
        Ok(())
    }

    pub(super) fn detach_database(&mut self, position: LogPosition, id: DatabaseId) -> Result<()> {
        self.settle_size(id, position)?;
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
        let redone = database.header.clone();
        headers::close(&mut database.header.header, &closing);
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

    /// A database whose creation did not come to its end is no database (trap W37).
    fn drop_half_made(&mut self, id: DatabaseId) -> Result<()> {
        self.redo.cache.detach(id);
        if let Some(files) = self.open.remove(&id) {
            self.setup.folder.remove(&files.path)?;
            _ = self.setup.folder.remove(&files.path.with_extension("jfm"));
        }
        Ok(())
    }

    pub(super) fn reattach_database(&mut self, position: LogPosition, id: DatabaseId) -> Result<()> {
        let now = self.ambient.now();
        if let Some(database) = self.redo.databases.get_mut(&id) {
            database.header.header.reattach_position = position;
            database.header.header.reattach_time = now;
        }
        Ok(())
    }

    /// Versions only rise.
    pub(super) fn set_version(&mut self, set: &SetDatabaseVersion) -> Result<()> {
        let Some(database) = self.redo.databases.get_mut(&set.database) else { return Ok(()) };
        let header = &mut database.header.header;
        if (set.version, set.update_major, set.update_minor) > (header.version, header.update, header.minor) {
            header.version = set.version;
            header.update = set.update_major;
            header.minor = set.update_minor;
        }
        Ok(())
    }

    /// The file grows, whatever attach position and required range say (trap V23).
    pub(super) fn extend(&mut self, position: LogPosition, extend: &ExtendDatabase) -> Result<()> {
        let now = self.ambient.now();
        let Some(database) = self.redo.databases.get_mut(&extend.database) else { return Ok(()) };
        headers::extended(&mut database.header.header, position, now);
        let pages = self.redo.cache.pages(extend.database);
        if self.make && pages < extend.last_page.0 {
            let size = database.header.page_size();
            let most = pages.max(u32::try_from(GROWTH_MAX / size.bytes_u64()).unwrap_or(u32::MAX));
            if extend.last_page.0 - pages > most {
                let reason = format!(
                    "an extension from page {pages} to page {}: no engine grows a file by so much at once",
                    extend.last_page
                );
                return Err(ReplayError::new(JetCode::LOG_CORRUPTED, reason).in_file(database.name.clone()));
            }
            self.redo.cache.resize(extend.database, extend.last_page.0)?;
        }
        Ok(())
    }

    /// The file is cut (`log-4 §16.2`).
    pub(super) fn shrink(
        &mut self,
        position: LogPosition,
        id: DatabaseId,
        last: PageNumber,
        cut: u32,
        dbtime: Option<Dbtime>,
    ) -> Result<()> {
        let now = self.ambient.now();
        let pages = self.redo.cache.pages(id);
        let Some(database) = self.redo.databases.get_mut(&id) else { return Ok(()) };
        if position <= database.header.header.attach_position {
            return Ok(());
        }
        let first = PageNumber(last.0.saturating_add(1));
        let cut_last = PageNumber(last.0.saturating_add(cut));
        database.maps.clear_absent(first, cut_last.max(PageNumber(pages)));
        let dbtime = dbtime.filter(|dbtime| dbtime.0 > 0);
        if let Some(dbtime) = dbtime {
            database.highest_dbtime = database.highest_dbtime.max(dbtime);
        }
        let resized = database.header.header.resize_position;
        if resized.is_none() && database.future_data {
            return Ok(());
        }
        if !resized.is_none() && resized > position {
            // Cut before, and maybe grown again: what is older than the cut is known to be gone (trap V22).
            return match dbtime {
                Some(dbtime) if self.make => self.redo.mark_shrunk(id, first, cut_last.min(PageNumber(pages)), dbtime),
                _ => Ok(()),
            };
        }
        headers::shrunk(&mut database.header.header, position, now);
        if self.make && pages > last.0 {
            self.redo.cache.resize(id, last.0)?;
        }
        Ok(())
    }

    pub(super) fn trim(&mut self, trim: &TrimDatabase) -> Result<()> {
        let id = trim.database;
        let pages = self.redo.cache.pages(id);
        let Some(database) = self.redo.databases.get_mut(&id) else { return Ok(()) };
        let last = PageNumber(trim.first.0.saturating_add(trim.pages).saturating_sub(1));
        database.maps.clear_absent(trim.first, last);
        if database.future_data || pages <= last.0 {
            return Ok(());
        }
        database.header.header.trim_count = database.header.header.trim_count.wrapping_add(1);
        if self.make {
            self.redo.cache.zero(id, trim.first, last)?;
        }
        Ok(())
    }

    pub(super) fn extent_freed(&mut self, id: DatabaseId, first: PageNumber, pages: i32) -> Result<()> {
        let pages = u32::try_from(pages).unwrap_or(0);
        if let Some(database) = self.redo.databases.get_mut(&id)
            && pages > 0
        {
            database.maps.clear_freed(first, PageNumber(first.0.saturating_add(pages - 1)));
        }
        Ok(())
    }

    /// The step of a backup that stamps headers (`log-4 §18`, `db-1 §10`).
    pub(super) fn backup(&mut self, position: LogPosition, backup: &Backup<'_>) -> Result<()> {
        const UPDATE: u8 = 4;
        let Some(database) = self.redo.databases.get_mut(&backup.database).filter(|_| backup.phase == UPDATE) else {
            return Ok(());
        };
        let header = &mut database.header.header;
        if position <= header.attach_position {
            return Ok(());
        }
        let stamp = BackupInfo { mark: backup.mark, time: backup.mark_time, low: backup.low, high: backup.high };
        // The surrogate kind exists in records alone: headers say snapshot.
        let kind = if backup.backup_type == 3 { 1 } else { backup.backup_type };
        let (old, old_kind) = match backup.scope {
            1 => (&mut header.full_backup, &mut header.full_backup_type),
            2 => (&mut header.incremental_backup, &mut header.incremental_backup_type),
            5 => (&mut header.copy_backup, &mut header.copy_backup_type),
            6 => (&mut header.differential_backup, &mut header.differential_backup_type),
            _ => return Ok(()),
        };
        if stamp.mark < old.mark {
            return Ok(());
        }
        *old = stamp;
        *old_kind = kind;
        if backup.scope == 1 {
            header.incremental_backup = BackupInfo::default();
            header.differential_backup = BackupInfo::default();
            header.incremental_backup_type = 0;
            header.differential_backup_type = 0;
        }
        Ok(())
    }

    fn here(&mut self, position: LogPosition, created: LogTime) -> Here {
        Here { position, created, stream: self.stream, now: self.ambient.now() }
    }
    fn created_time(&self) -> LogTime {
        self.header.as_ref().map(|header| header.created).unwrap_or_default()
    }
    fn is_mapped(&self, logged: &str) -> bool {
        let named = crate::naming::Naming { candidates: Vec::new(), map: self.naming.map.clone() };
        named.resolve(logged, &Signature::NONE).is_some()
    }

    /// The header page of a database file; `None` where it has none that can be read.
    pub(super) fn page_of(&self, path: &Path) -> Result<Option<HeaderPage>> {
        match self.read_header(path)? {
            Read::Header(page) => Ok(Some(*page)),
            _ => Ok(None),
        }
    }

    /// The header of a file, as it stands at this point of the run.
    ///
    /// # Errors
    /// Any error of the storage but those that the engine passes a database over for (`log-5 §8.4`).
    fn read_header(&self, path: &Path) -> Result<Read> {
        if let Some(page) = self.closed.get(path) {
            return Ok(Read::Header(Box::new(page.clone())));
        }
        let mut start = vec![0; HeaderPage::ELECTION_BYTES];
        let read = self.setup.folder.open(path).and_then(|file| file.read_at(0, &mut start));
        match read {
            Ok(read) => Ok(HeaderPage::elect(&start[..read]).map_or(Read::Damaged, |(page, _)| Read::Header(Box::new(page)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Read::Missing),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Read::Denied),
            Err(error) => Err(ReplayError::from(error).in_file(path.display().to_string())),
        }
    }
}

enum Read {
    Missing,
    Damaged,
    Denied,
    Header(Box<HeaderPage>),
}
