//! Records that make, convert, empty and move trees and pages (`log-4 §12` to `§15`).

use super::{Gate, Redo};
use crate::apply::{self, PageSet};
use crate::error::Result;
use anchorlog_format::log::record::{
    ConvertToMultipleExtent, CreateMultipleExtent, CreateSingleExtent, EmptyTree, NewPage, PageHead, PageMove, Scrub,
};
use anchorlog_format::page::PageEditor;
use anchorlog_format::units::{DatabaseId, Dbtime, PageNumber};

impl Redo {
    pub(super) fn create_single(&mut self, create: &CreateSingleExtent) -> Result<()> {
        if self.creation_gate(&create.head, create.object) == Gate::Skip {
            return Ok(());
        }
        let mut pages = PageSet::default();
        self.add_new(create.head.database, create.head.page, create.head.dbtime, &mut pages)?;
        apply::tree::create_single(create, &mut pages)?;
        self.put_all(create.head.database, pages)
    }
    pub(super) fn create_multiple(&mut self, create: &CreateMultipleExtent) -> Result<()> {
        if self.creation_gate(&create.head, create.object) == Gate::Skip {
            return Ok(());
        }
        let mut pages = PageSet::default();
        for page in [create.head.page, create.available_root, create.owned_root] {
            self.add_new(create.head.database, page, create.head.dbtime, &mut pages)?;
        }
        apply::tree::create_multiple(create, &mut pages)?;
        self.put_all(create.head.database, pages)
    }
    /// Creation records are never members of a macro.
    fn creation_gate(&mut self, head: &PageHead, object: anchorlog_format::units::ObjectId) -> Gate {
        let effective = self.sessions.entry(head.session).or_default().after_first_begin;
        self.database_gate(head.database, head.dbtime, object, !effective)
    }

    pub(super) fn convert(&mut self, raw: &[u8], convert: &ConvertToMultipleExtent) -> Result<()> {
        let head = convert.head;
        if self.gate(raw, &head, convert.object)? == Gate::Skip {
            return Ok(());
        }
        let mut pages = PageSet::default();
        self.add_old(head.database, head.page, head.dbtime_before, head.dbtime, &mut pages)?;
        self.add_new(head.database, convert.owned_root, head.dbtime, &mut pages)?;
        self.add_new(head.database, convert.available_root, head.dbtime, &mut pages)?;
        apply::tree::convert(convert, &mut pages)?;
        self.put_all(head.database, pages)
    }

    pub(super) fn empty_tree(&mut self, raw: &[u8], empty: &EmptyTree<'_>) -> Result<()> {
        let head = empty.head;
        if self.gate(raw, &head, head.object)? == Gate::Redo {
            let mut pages = PageSet::default();
            self.add_old(head.database, head.page, head.dbtime_before, head.dbtime, &mut pages)?;
            for child in empty.pages() {
                self.add_old(head.database, child.page, child.dbtime_before, head.dbtime, &mut pages)?;
            }
            apply::tree::empty(empty, &mut pages)?;
            self.put_all(head.database, pages)?;
        }
        // Freed pages explain reverted ones even when the record is passed over (trap V21).
        for child in empty.pages() {
            self.note_freed(&head, child.page);
        }
        Ok(())
    }

    pub(super) fn page_move(&mut self, raw: &[u8], record: &PageMove<'_>) -> Result<()> {
        let head = record.head;
        if self.gate(raw, &head, record.object)? == Gate::Redo {
            let mut pages = PageSet::default();
            self.add_old(head.database, head.page, head.dbtime_before, head.dbtime, &mut pages)?;
            for (page, before) in [
                (record.parent, record.parent_dbtime_before),
                (record.left_page, record.left_dbtime_before),
                (record.right_page, record.right_dbtime_before),
            ] {
                if !page.is_none() {
                    self.add_old(head.database, page, before, head.dbtime, &mut pages)?;
                }
            }
            self.add_new(head.database, record.destination, head.dbtime, &mut pages)?;
            if pages.needs(record.destination) && !pages.needs(head.page) {
                let image = apply::image::moved_page(record, self.size_of(head.database)?)?;
                pages.add_scratch(head.page, image);
            }
            apply::tree::move_page(record, &mut pages)?;
            self.put_all(head.database, pages)?;
        }
        self.note_freed(&head, head.page);
        Ok(())
    }

    pub(super) fn scrub(&mut self, raw: &[u8], scrub: &Scrub<'_>) -> Result<()> {
        let head = scrub.head;
        if self.gate(raw, &head, head.object)? == Gate::Skip {
            return Ok(());
        }
        let mut pages = PageSet::default();
        self.add_old(head.database, head.page, head.dbtime_before, head.dbtime, &mut pages)?;
        apply::tree::scrub(scrub, &mut pages)?;
        self.put_all(head.database, pages)
    }

    pub(super) fn new_page(&mut self, raw: &[u8], new: &NewPage) -> Result<()> {
        let effective = self.sessions.entry(new.session).or_default().after_first_begin;
        if effective && self.keep_member(raw, new.session, new.dbtime)? {
            return Ok(());
        }
        if self.database_gate(new.database, new.dbtime, new.object, !effective) == Gate::Skip {
            return Ok(());
        }
        let mut pages = PageSet::default();
        self.add_new(new.database, new.page, new.dbtime, &mut pages)?;
        if let Some(mut editor) = pages.editor(new.page) {
            editor.format_pre_init(new.page, new.object, new.dbtime);
        }
        self.put_all(new.database, pages)
    }

    /// Adds a page that the record changes, when it is in the state that the record expects.
    pub(super) fn add_old(
        &mut self,
        database: DatabaseId,
        page: PageNumber,
        before: Dbtime,
        after: Dbtime,
        pages: &mut PageSet,
    ) -> Result<()> {
        if !pages.needs(page) && self.needs(database, page, before, after)? {
            let image = self.cache.page(database, page).map(|page| page.bytes().to_vec().into_boxed_slice());
            if let Some(mut image) = image {
                super::stamp(&mut image, after);
                pages.add(page, image);
            }
        }
        Ok(())
    }
    /// Adds a page that the record makes anew, when it is older than the record or not there.
    pub(super) fn add_new(&mut self, database: DatabaseId, page: PageNumber, after: Dbtime, pages: &mut PageSet) -> Result<()> {
        if self.needs_new(database, page, after)? {
            let mut image = self.take_blank(database)?;
            if let Some(mut editor) = PageEditor::new(&mut image) {
                editor.set_dbtime(after);
            }
            pages.add(page, image);
        }
        Ok(())
    }
    /// Puts the changed pages of an operation back, all of them: nothing was changed in the cache before.
    pub(super) fn put_all(&mut self, database: DatabaseId, pages: PageSet) -> Result<()> {
        for (page, image) in pages.into_pages() {
            self.put(database, page, image)?;
        }
        Ok(())
    }
    pub(super) fn size_of(&self, database: DatabaseId) -> Result<anchorlog_format::units::PageSize> {
        self.page_size(database).ok_or_else(|| {
            crate::error::ReplayError::new(crate::error::INTERNAL_ERROR, "the database of the record is not attached")
        })
    }

    /// A page that leaves its tree: with the commit of its macro, or at once.
    pub(super) fn note_freed(&mut self, head: &PageHead, page: PageNumber) {
        if let Some(group) = self.macros.get_mut(&(head.session, head.dbtime)) {
            group.freed.push((head.database, page));
        } else if let Some(database) = self.databases.get_mut(&head.database) {
            database.maps.clear_reverted(page);
        }
    }
}
