//! The space of a tree: its two space trees as trees, and which pages they say are available.

use super::walk::Visit;
use super::{Check, Kind, Member};
use crate::cursor::Tree;
use crate::space::Space;
use anchorlog_format::finding::Finding;
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::Page;
use anchorlog_format::space::{BITMAP_PAGES, Extent, Pool};
use anchorlog_format::units::PageNumber;

impl Check<'_, '_> {
    /// Walks a tree with its space trees.
    pub(super) fn member(&mut self, member: &Member, visit: &mut Visit<'_>) {
        self.space(member);
        self.walk(member, visit);
    }

    fn space(&mut self, member: &Member) {
        let space = match Space::read(self.database, member.tree) {
            Ok(space) => space,
            // Walking the tree itself meets a root that cannot be read.
            Err(_) => return,
        };
        for mut error in space.errors.iter().cloned() {
            let known = error.place.page.is_some_and(|page| self.database.page(page).is_err());
            error.place.object = Some(member.name.clone());
            if !known {
                self.report.rule(error);
            }
        }
        if member.kind == Kind::Database {
            self.last_owned = space.last_owned().unwrap_or(self.last_owned);
            self.file_size();
        }
        if space.parent != member.parent {
            let message =
                format!("its space comes from the tree of page {}, not from that of page {}", space.parent, member.parent);
            self.broken(member, member.tree.root, JetCode::DATABASE_CORRUPTED, message);
        }
        self.non_unique(member, &space);
        if let Some(trees) = space.trees {
            for (tree, what) in trees.into_iter().zip(["owned", "available"]) {
                self.space_tree(member, tree, what);
            }
        }
        self.extents(member, &space);
    }

    /// Rule I32.
    fn non_unique(&mut self, member: &Member, space: &Space) {
        let Ok(image) = self.database.page(member.tree.root) else { return };
        let Some(page) = Page::new(&image) else { return };
        if page.flags().has_non_unique_keys() != space.non_unique {
            let message = "its space header and its page flags disagree whether keys are unique";
            self.broken(member, member.tree.root, JetCode::DATABASE_CORRUPTED, message);
        }
    }

    fn space_tree(&mut self, member: &Member, tree: Tree, what: &str) {
        let name = format!("{}, {what} space", member.name);
        let member = Member { name, tree, kind: Kind::Space, parent: member.parent };
        self.walk(&member, &mut |_, _| {});
    }

    fn extents(&mut self, member: &Member, space: &Space) {
        self.ascending(member, &space.owned, "owned");
        self.ascending(member, &space.available, "available");
        for &extent in &space.available {
            // Shelved pages may lie beyond the end (trap D28).
            let inside = extent.pool == Pool::Shelved || space.owned.iter().any(|owned| covers(owned, extent));
            if !inside {
                let message = format!("pages {} to {} are available, but not owned", extent.first(), extent.last);
                self.broken(member, member.tree.root, crate::error::AVAILABLE_SPACE_CORRUPTED, message);
            }
            for page in pages_in(extent, self.database.pages()) {
                if !self.available.insert(page) {
                    let message = format!("page {page} is available twice");
                    self.broken(member, page, crate::error::AVAILABLE_SPACE_CORRUPTED, message);
                }
            }
        }
        let buffered: Vec<PageNumber> =
            space.buffered.iter().flat_map(|&extent| pages_in(extent, self.database.pages())).collect();
        for page in buffered {
            self.set_aside.insert(page);
        }
        // Pages of a single extent beyond its bits are in no list (trap D33).
        if let (None, [single]) = (space.trees, &space.owned[..]) {
            let beyond = single.first().0.saturating_add(1 + BITMAP_PAGES)..=single.last.0.min(self.database.pages());
            for page in beyond.map(PageNumber) {
                self.set_aside.insert(page);
            }
        }
    }

    /// Rules I37 and I41.
    fn ascending(&mut self, member: &Member, extents: &[Extent], what: &str) {
        for pair in extents.windows(2) {
            let [before, after] = pair else { continue };
            if before.pool == after.pool && after.pages > 0 && after.first() <= before.last {
                let message = format!("{what} extents overlap: to page {} and from page {}", before.last, after.first());
                self.broken(member, member.tree.root, crate::error::OWNED_SPACE_CORRUPTED, message);
            }
        }
    }

    /// Rule I1: a database that ends before its space does was cut off. A dirty one may not have been extended yet (trap D27 of db-1).
    fn file_size(&mut self) {
        let pages = self.database.pages();
        if self.last_owned.0 > pages {
            let message = format!("the file ends behind page {pages}, but the database has {} pages", self.last_owned);
            let error = crate::Error::new(self.database.place(), JetCode::FILE_IO_BEYOND_EOF, message);
            self.report.rule(error);
        }
    }

    /// What of the database's space is used, available, or neither.
    pub(super) fn accounts(&mut self) {
        let mut doubly = 0_u64;
        let last = self.last_owned.0.min(self.database.pages());
        for page in (1..=last).map(PageNumber) {
            match (self.used.contains(page), self.available.contains(page)) {
                (true, true) => {
                    doubly += 1;
                    let message = "the page is used and available at the same time";
                    let place = self.database.place().page(page);
                    self.report.rule(crate::Error::new(place, crate::error::AVAILABLE_SPACE_CORRUPTED, message));
                }
                (false, false) if !self.set_aside.contains(page) => self.report.counts.leaked += 1,
                _ => {}
            }
        }
        self.report.counts.available = self.available.len();
        let leaked = self.report.counts.leaked;
        if leaked > 0 && doubly == 0 && !self.report.dirty && self.report.counts.errors == 0 {
            let message = format!("{leaked} pages are owned, but neither used nor available");
            let hint = "harmless: offline defragmentation gives them back";
            self.report.finding(Finding::warning(self.database.place(), message).with_hint(hint));
        }
    }
}

fn covers(owned: &Extent, extent: Extent) -> bool {
    owned.first() <= extent.first() && extent.last <= owned.last || extent.pages == 0 && owned.contains(extent.last)
}

/// The pages of an extent that the file has.
fn pages_in(extent: Extent, pages: u32) -> impl Iterator<Item = PageNumber> {
    (extent.first().0..=extent.last.0.min(pages)).map(PageNumber)
}
