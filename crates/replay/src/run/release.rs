//! Bringing a database to its file: pages, size, flush map and header, in place in an order in which a crash at any moment leaves files
//! that the next run completes (`log-6 §7`).
//!
//! | step | rule of `log-6` |
//! |---|---|
//! | logs are durable: [`Run::make_log_durable`], the end of the log before the first close | 7.1 #1, X9 |
//! | the header says dirty, attached, and from which generations pages may come | 7.1 #2, 7.2, X8 |
//! | page images are durable in the side file, then the list that says so: what a torn write is mended from | 8.1 |
//! | pages are written and durable; until here none was | 7.1 #3 to #6, X7 |
//! | the flush map is durable, its header last | log-5 §18 |
//! | the header says clean (or how far it was replayed) | 7.2 |
//! | the file loses what lies behind the last page that the database owns | 8.4 |
//! | end of the log, then the checkpoint | 7.3, 7.4 |
//!
//! A database that this run makes has no header until its pages are durable: a crash leaves a file that the next run makes anew.

use super::Run;
use super::databases::OpenFiles;
use crate::attach::Why;
use crate::error::{ReplayError, Result};
use crate::flush::FlushMap;
use crate::headers;
use crate::page_journal;
use crate::space;
use anchorlog_format::database::flush_map::{FlushMapHeader, MAP_VERSION};
use anchorlog_format::database::header::{DatabaseHeader, HeaderPage};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::units::{DatabaseId, Generation, LogPosition, LogTime, PageNumber, Signature};
use anchorlog_storage::{File, open_or_create};
use std::path::{Path, PathBuf};

/// Where changed pages of a database wait.
pub(super) fn side_file(id: DatabaseId) -> PathBuf {
    PathBuf::from(format!(".anchorlog-pages-{id}"))
}

impl Run<'_> {
    /// A log that was written a moment ago may be in memory alone (trap X9): no page may overtake it. Replay of copies need not care.
    pub(super) fn make_log_durable(&self, path: &Path) -> Result<()> {
        if !self.make || !self.setup.options.in_place {
            return Ok(());
        }
        let folder = &self.setup.logs.folder;
        let file = folder.open_write(path).or_else(|_| folder.open(path));
        let named = |error: std::io::Error| ReplayError::from(error).in_file(path.display().to_string());
        file.and_then(|file| file.sync()).map_err(named)
    }

    /// Writes everything of a database. `redone` is its header as redo and undo left it, `page` what it becomes; pages for which
    /// `keep_out` holds keep their older image. The file gets the size of the cache's database.
    pub(super) fn write_database(
        &mut self,
        id: DatabaseId,
        files: &OpenFiles,
        redone: HeaderPage,
        page: &mut HeaderPage,
        clean: bool,
        keep_out: impl Fn(PageNumber) -> bool,
    ) -> Result<()> {
        let in_place = self.setup.options.in_place;
        if in_place && !files.created {
            let mark = self.announce(files, redone)?;
            let pages = self.redo.cache.seal(id, &keep_out)?;
            if let Some(side) = &files.side {
                page_journal::complete(&**side, &pages, page.page_size(), &mark)?;
            }
            self.setup.folder.sync()?;
        }
        self.redo.cache.release(id, &keep_out)?;
        if in_place {
            files.file.sync()?;
        }
        let last = PageNumber(self.redo.cache.pages(id));
        if let Some(map) = self.redo.cache.detach(id) {
            page.header.map_flush = self.write_flush_map(files, &map, &page.header, last, clean)?;
        }
        page.header.header_flush = self.ambient.signature();
        write_header(&*files.file, page)?;
        let size = page.page_size().file_size(last.0);
        if files.file.size()? != size {
            files.file.set_size(size)?;
            files.file.sync()?;
        }
        if in_place {
            self.setup.folder.sync()?;
        }
        // What is left of it is of no use to anyone: the header has another signature.
        _ = self.setup.folder.remove(&side_file(id));
        Ok(())
    }

    /// Says in the header what is about to happen to the pages; the flush map of before does not fit it any more.
    fn announce(&self, files: &OpenFiles, mut page: HeaderPage) -> Result<Signature> {
        let header = &mut page.header;
        if let Some((generation, created)) = self.reached() {
            // Before a page of that generation is written (trap X8).
            headers::raise(header, generation, created);
        }
        // Resizes were not made yet.
        header.resize_position = files.resized;
        header.map_flush = Signature::NONE;
        header.header_flush = self.ambient.signature();
        let mark = header.header_flush;
        write_header(&*files.file, &page)?;
        Ok(mark)
    }

    /// The newest generation from which pages hold changes: of the log that undo wrote, else of the one redone last.
    fn reached(&self) -> Option<(Generation, LogTime)> {
        self.log_end.or_else(|| self.header.as_ref().map(|header| (header.generation, header.created)))
    }

    /// Returns the signature by which the database header knows the map.
    fn write_flush_map(
        &self,
        files: &OpenFiles,
        map: &FlushMap,
        database: &DatabaseHeader,
        last: PageNumber,
        clean: bool,
    ) -> Result<Signature> {
        let now = self.ambient.now();
        let blank = || {
            let mut header = FlushMapHeader::read(&[0; FlushMapHeader::SIZE]).expect("the buffer holds a whole header");
            header.version = MAP_VERSION;
            header.create_time = now;
            header.attach_time = now;
            header.file_type = anchorlog_format::database::file_type::FileType::FlushMap;
            header
        };
        let mut header = files.map.clone().unwrap_or_else(blank);
        header.set_clean(clean);
        header.min_required = if clean { Generation(0) } else { database.min_required };
        header.min_required_target = Generation(0);
        header.header_flush = database.header_flush;
        header.map_flush = self.ambient.signature();
        header.flush_started = now;
        header.flush_completed = now;
        if clean {
            header.detach_time = now;
        }
        let file = open_or_create(&*self.setup.folder, &files.path.with_extension("jfm"))?;
        map.store(&*file, &header, last)?;
        Ok(header.map_flush)
    }

    /// A database that an earlier run closed at `position` and that a crash kept from losing the pages behind its last.
    pub(super) fn settle_size(&mut self, id: DatabaseId, position: LogPosition) -> Result<()> {
        let Some(slot) = self.slots.get(&id).filter(|slot| slot.deferred == Some(Why::CleanLater)) else { return Ok(()) };
        let (true, true, Some(path)) = (self.make, self.setup.options.in_place, slot.path.clone()) else { return Ok(()) };
        // A database that was attached again since is closed when the log comes to that.
        let closed_here =
            |page: &HeaderPage| page.header.state == DatabaseState::CleanShutdown && page.header.consistent_position == position;
        let Some(header) = self.page_of(&path)?.filter(closed_here) else { return Ok(()) };
        let file = self.setup.folder.open_write(&path)?;
        self.redo.cache.attach(id, file.clone(), header.page_size(), FlushMap::default(), None)?;
        let owned = space::last_owned_page(&mut self.redo.cache, id);
        let pages = self.redo.cache.pages(id);
        self.redo.cache.detach(id);
        // A space tree that cannot be read says nothing.
        if let Ok(Some(last)) = owned
            && last.0 < pages
        {
            file.set_size(header.page_size().file_size(last.0))?;
            file.sync()?;
        }
        _ = self.setup.folder.remove(&side_file(id));
        Ok(())
    }
}

/// Both copies, one behind the other: at any moment one of them is whole (`log-6 §7.2`).
pub(super) fn write_header(file: &dyn File, page: &HeaderPage) -> Result<()> {
    let bytes = page.to_bytes();
    file.write_at(0, &bytes)?;
    file.sync()?;
    file.write_at(bytes.len() as u64, &bytes)?;
    file.sync()?;
    Ok(())
}
