//! Records that make, convert, empty and move trees and pages (`log-4 §12` to `§15`).

use super::bucket::Bucket;
use super::pages::Role;
use super::window::{Kind, Owner};
use super::{Gate, Redo};
use crate::apply::{self, PageSet};
use crate::error::Result;
use anchorlog_format::log::record::{
    ConvertToMultipleExtent, CreateMultipleExtent, CreateSingleExtent, EmptyTree, NewPage, Operation, PageHead, PageMove, Scrub,
};
use anchorlog_format::units::{DatabaseId, ObjectId, PageNumber};

impl Redo {
    /// Creation records are never members of a macro.
    pub(super) fn create(&mut self, raw: &[u8], operation: &Operation<'_>, head: &PageHead, object: ObjectId) -> Result<()> {
        let effective = self.sessions.entry(head.session).or_default().after_first_begin;
        if self.database_gate(head.database, head.dbtime, object, !effective) == Gate::Redo {
            self.push_pages(raw, operation, head.database);
        }
        Ok(())
    }
    /// Any other record that changes pages by itself.
    pub(super) fn change_pages(
        &mut self,
        raw: &[u8],
        operation: &Operation<'_>,
        head: &PageHead,
        object: ObjectId,
    ) -> Result<()> {
        if self.gate(raw, head, object)? == Gate::Redo {
            self.push_pages(raw, operation, head.database);
        }
        Ok(())
    }
    pub(super) fn empty_tree(&mut self, raw: &[u8], operation: &Operation<'_>, empty: &EmptyTree<'_>) -> Result<()> {
        self.change_pages(raw, operation, &empty.head, empty.head.object)?;
        // Freed pages explain reverted ones even when the record is passed over (trap V21).
        for child in empty.pages() {
            self.note_freed(&empty.head, child.page);
        }
        Ok(())
    }
    pub(super) fn page_move(&mut self, raw: &[u8], operation: &Operation<'_>, record: &PageMove<'_>) -> Result<()> {
        self.change_pages(raw, operation, &record.head, record.object)?;
        self.note_freed(&record.head, record.head.page);
        Ok(())
    }
    pub(super) fn new_page(&mut self, raw: &[u8], operation: &Operation<'_>, new: &NewPage) -> Result<()> {
        let effective = self.sessions.entry(new.session).or_default().after_first_begin;
        if effective && self.keep_member(raw, new.session, new.dbtime)? {
            return Ok(());
        }
        if self.database_gate(new.database, new.dbtime, new.object, !effective) == Gate::Redo {
            self.push_pages(raw, operation, new.database);
        }
        Ok(())
    }

    fn push_pages(&mut self, raw: &[u8], operation: &Operation<'_>, database: DatabaseId) {
        self.name_pages(database, operation);
        self.window.bytes.extend_from_slice(raw);
        self.window.push(self.position, Kind::Pages, Owner::default());
    }

    /// A page that leaves its tree: with the commit of its macro, or at once.
    pub(super) fn note_freed(&mut self, head: &PageHead, page: PageNumber) {
        match self.macros.get_mut(&(head.session, head.dbtime)) {
            Some(group) => group.freed.push((head.database, page)),
            None => self.explain(head.database, page),
        }
    }
    /// A freed page explains a reverted one.
    pub(super) fn explain(&mut self, database: DatabaseId, page: PageNumber) {
        let Some(known) = self.databases.get(&database).filter(|_| !page.is_none()) else { return };
        self.window.name((database, page), known.header.page_size().bytes(), Role::Mentioned, false);
        self.window.push(self.position, Kind::Freed, Owner::default());
    }
}

impl Bucket {
    /// A record that changes pages by itself.
    pub(super) fn pages(&mut self, operation: &Operation<'_>) -> Result<()> {
        let mut pages = PageSet::default();
        let database = match operation {
            Operation::CreateSingleExtent(create) => self.create_single(create, &mut pages)?,
            Operation::CreateMultipleExtent(create) => self.create_multiple(create, &mut pages)?,
            Operation::ConvertToMultipleExtent(convert) => self.convert(convert, &mut pages)?,
            Operation::EmptyTree(empty) => self.empty_tree(empty, &mut pages)?,
            Operation::PageMove(record) => self.page_move(record, &mut pages)?,
            Operation::Scrub(scrub) => self.scrub(scrub, &mut pages)?,
            Operation::NewPage(new) => self.new_page(new, &mut pages)?,
            _ => return Ok(()),
        };
        self.put_all(database, pages)
    }

    fn create_single(&mut self, create: &CreateSingleExtent, pages: &mut PageSet) -> Result<DatabaseId> {
        self.add_new(create.head.database, create.head.page, create.head.dbtime, pages)?;
        apply::tree::create_single(create, pages)?;
        Ok(create.head.database)
    }
    fn create_multiple(&mut self, create: &CreateMultipleExtent, pages: &mut PageSet) -> Result<DatabaseId> {
        for page in [create.head.page, create.available_root, create.owned_root] {
            self.add_new(create.head.database, page, create.head.dbtime, pages)?;
        }
        apply::tree::create_multiple(create, pages)?;
        Ok(create.head.database)
    }
    fn convert(&mut self, convert: &ConvertToMultipleExtent, pages: &mut PageSet) -> Result<DatabaseId> {
        let head = convert.head;
        self.add_old(head.database, head.page, head.dbtime_before, head.dbtime, pages)?;
        self.add_new(head.database, convert.owned_root, head.dbtime, pages)?;
        self.add_new(head.database, convert.available_root, head.dbtime, pages)?;
        apply::tree::convert(convert, pages)?;
        Ok(head.database)
    }
    fn empty_tree(&mut self, empty: &EmptyTree<'_>, pages: &mut PageSet) -> Result<DatabaseId> {
        let head = empty.head;
        self.add_old(head.database, head.page, head.dbtime_before, head.dbtime, pages)?;
        for child in empty.pages() {
            self.add_old(head.database, child.page, child.dbtime_before, head.dbtime, pages)?;
        }
        apply::tree::empty(empty, pages)?;
        Ok(head.database)
    }
    fn page_move(&mut self, record: &PageMove<'_>, pages: &mut PageSet) -> Result<DatabaseId> {
        let head = record.head;
        self.add_old(head.database, head.page, head.dbtime_before, head.dbtime, pages)?;
        for (page, before) in [
            (record.parent, record.parent_dbtime_before),
            (record.left_page, record.left_dbtime_before),
            (record.right_page, record.right_dbtime_before),
        ] {
            if !page.is_none() {
                self.add_old(head.database, page, before, head.dbtime, pages)?;
            }
        }
        self.add_new(head.database, record.destination, head.dbtime, pages)?;
        if pages.needs(record.destination) && !pages.needs(head.page) {
            let image = apply::image::moved_page(record, self.size_of(head.database)?)?;
            pages.add_scratch(head.page, image);
        }
        apply::tree::move_page(record, pages)?;
        Ok(head.database)
    }
    fn scrub(&mut self, scrub: &Scrub<'_>, pages: &mut PageSet) -> Result<DatabaseId> {
        let head = scrub.head;
        self.add_old(head.database, head.page, head.dbtime_before, head.dbtime, pages)?;
        apply::tree::scrub(scrub, pages)?;
        Ok(head.database)
    }
    fn new_page(&mut self, new: &NewPage, pages: &mut PageSet) -> Result<DatabaseId> {
        self.add_new(new.database, new.page, new.dbtime, pages)?;
        if let Some(mut editor) = pages.editor(new.page) {
            editor.format_pre_init(new.page, new.object, new.dbtime);
        }
        Ok(new.database)
    }
}
