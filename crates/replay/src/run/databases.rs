//! Databases in a run: met in the log, judged, opened (`log-5 §8`).

use super::Run;
use super::release::{side_file, write_header};
use crate::attach::{self, Context, FileState, Logged, Outcome, Source, Why};
use crate::error::{ReplayError, Result};
use crate::flush::FlushMap;
use crate::hard;
use crate::headers::{self, Here};
use crate::maps::RedoMaps;
use crate::page_journal;
use crate::redo::Database;
use anchorlog_format::database::flush_map::FlushMapHeader;
use anchorlog_format::database::header::{HeaderFault, HeaderPage};
use anchorlog_format::database::version::Known;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{AttachDatabase, CreateDatabase};
use anchorlog_format::units::{DatabaseId, Dbtime, LogPosition, LogTime, ObjectId, PageNumber, Signature};
use anchorlog_storage::File;
use std::collections::BTreeMap;
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
        let hard = self.setup.options.hard.is_some();
        let resolved = match hard {
            // Names change from backup to backup; what a database is does not.
            true => self.naming.resolve_signed(&logged.path, &logged.signature),
            false => self.naming.resolve(&logged.path, &logged.signature),
        };
        let resolved = resolved.map(Path::to_path_buf);
        let skipped = if hard { resolved.is_none() } else { self.setup.options.only_mapped && !self.is_mapped(&logged.path) };
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

    pub(super) fn open_files(&mut self, id: DatabaseId, path: &Path, database: &Database, created: bool) -> Result<()> {
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

    /// Puts the headers of a restored set in place, and takes the trailers from behind the pages; a planned run only knows of it.
    pub(super) fn restore_headers(&mut self, headers: BTreeMap<PathBuf, HeaderPage>) -> Result<()> {
        for (path, page) in headers {
            if self.make {
                let named = |error: io::Error| ReplayError::from(error).in_file(path.display().to_string());
                let before = self.page_of(&path)?;
                let file = self.setup.folder.open_write(&path).map_err(named)?;
                write_header(&*file, &page)?;
                if let Some(before) = before {
                    hard::zero_trailer(&*file, &before.header, page.page_size()).map_err(named)?;
                }
                // A flush map of the copied file knows nothing of its pages.
                _ = self.setup.folder.remove(&path.with_extension("jfm"));
            }
            self.closed.insert(path, page);
        }
        Ok(())
    }

    fn here(&mut self, position: LogPosition, created: LogTime) -> Here {
        Here { position, created, stream: self.stream, now: self.ambient.now() }
    }
    pub(super) fn created_time(&self) -> LogTime {
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
