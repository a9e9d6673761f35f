//! Files that grow, are cut, or have holes made in them (`log-4 §16, §17`).

use super::Run;
use crate::error::{ReplayError, Result};
use crate::headers;
use anchorlog_format::jet::JetCode;
use anchorlog_format::log::record::{ExtendDatabase, TrimDatabase};
use anchorlog_format::units::{DatabaseId, Dbtime, LogPosition, PageNumber};

/// Bytes by which one record may grow a database, unless it doubles it at most: a damaged log may name any page.
const GROWTH_MAX: u64 = 4 << 30;

impl Run<'_> {
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
        let gone = last.next().extent(cut);
        database.maps.clear_absent(&(gone.start..gone.end.max(PageNumber(pages).next())));
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
                Some(dbtime) if self.make => self.redo.mark_shrunk(id, &gone, dbtime),
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
        let gone = trim.first.extent(trim.pages);
        database.maps.clear_absent(&gone);
        if database.future_data || pages < gone.end.0 {
            return Ok(());
        }
        database.header.header.trim_count = database.header.header.trim_count.wrapping_add(1);
        if self.make {
            self.redo.cache.zero(id, &gone)?;
        }
        Ok(())
    }

    pub(super) fn extent_freed(&mut self, id: DatabaseId, first: PageNumber, pages: i32) -> Result<()> {
        if let Some(database) = self.redo.databases.get_mut(&id) {
            database.maps.clear_freed(&first.extent(u32::try_from(pages).unwrap_or(0)));
        }
        Ok(())
    }
}
