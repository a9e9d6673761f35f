//! Trees made, converted and emptied, and space given back (`log-2 §10`).

use crate::log::record::{NodeHead, PageHead};
use crate::units::{DatabaseId, Dbtime, ObjectId, PageNumber, TransactionId};

record! {
    /// Makes a tree with space trees of its own. The head names its root.
    pub struct CreateMultipleExtent, CreateMultipleExtentFixed = "LRCREATEMEFDP", 56, "log-2 §10", head(PageHead) {
        32 object: ObjectId, "le_objidFDP", "identity of the new tree";
        36 owned_root: PageNumber, "le_pgnoOE", "root of its owned extents";
        40 available_root: PageNumber, "le_pgnoAE", "root of its available extents";
        44 parent_root: PageNumber, "le_pgnoFDPParent", "root of the tree that gives the space";
        48 primary_pages: i32, "le_cpgPrimary", "pages of the first extent";
        52 page_flags: u32, "le_fPageFlags", "page flags; flush type and checksum bits are noise";
    } parts()
}

record! {
    /// Makes a tree that lives in one extent. The head names its root.
    pub struct CreateSingleExtent, CreateSingleExtentFixed = "LRCREATESEFDP", 48, "log-2 §10", head(PageHead) {
        32 object: ObjectId, "le_objidFDP", "identity of the new tree";
        36 parent_root: PageNumber, "le_pgnoFDPParent", "root of the tree that gives the space";
        40 primary_pages: i32, "le_cpgPrimary", "pages of its extent";
        44 page_flags: u32, "le_fPageFlags", "page flags; flush type and checksum bits are noise";
    } parts()
}

record! {
    /// Gives a single-extent tree space trees of its own.
    pub struct ConvertToMultipleExtent, ConvertToMultipleExtentFixed = "LRCONVERTFDP", 68, "log-2 §10", head(PageHead) {
        32 object: ObjectId, "le_objidFDP", "identity of the tree";
        36 owned_root: PageNumber, "le_pgnoOE", "root of its owned extents";
        40 available_root: PageNumber, "le_pgnoAE", "root of its available extents";
        44 parent_root: PageNumber, "le_pgnoFDPParent", "root of the tree that gives the space";
        48 secondary_first: PageNumber, "le_pgnoSecondaryFirst", "first page of the second extent";
        52 primary_pages: i32, "le_cpgPrimary", "pages of the first extent";
        56 secondary_pages: i32, "le_cpgSecondary", "pages of the second extent";
        60 available_bitmap: u32, "le_rgbitAvail", "which pages of the first extent are free";
        64 page_flags: u32, "le_fCpgFlags", "page flags; flush type and checksum bits are noise";
    } parts()
}

record! {
    /// The form of old engines, which redo refuses.
    pub struct ConvertOld, ConvertOldFixed = "LRCONVERTFDP_OBSOLETE", 60, "log-2 §10", head(PageHead) {
        32 object: ObjectId, "le_objidFDP", "identity of the tree";
        36 owned_root: PageNumber, "le_pgnoOE", "root of its owned extents";
        40 available_root: PageNumber, "le_pgnoAE", "root of its available extents";
        44 parent_root: PageNumber, "le_pgnoFDPParent", "root of the tree that gives the space";
        48 secondary_first: PageNumber, "le_pgnoSecondaryFirst", "first page of the second extent";
        52 primary_pages: i32, "le_cpgPrimary", "pages of the first extent";
        56 secondary_pages: i32, "le_cpgSecondary", "pages of the second extent";
    } parts()
}

record! {
    /// Empties pages of a tree.
    pub struct EmptyTree, EmptyTreeFixed = "LREMPTYTREE", 46, "log-2 §10", head(NodeHead) {
        44 list_length: u16 => list, "le_cbEmptyPageList", "16 bytes for each page";
    } parts(list)
}

layout! {
    /// One page of an [`EmptyTree`].
    #[derive(Copy)]
    pub struct EmptyPage = "EMPTYPAGE", 16, "log-2 §10" {
        0 dbtime_before: Dbtime, "dbtimeBefore", "", "page time before";
        8 page: PageNumber, "pgno", "", "the page";
        12 page_flags: u32, "ulFlags", "", "its page flags";
    }
}

impl<'a> EmptyTree<'a> {
    /// The pages; bytes behind the last whole entry are ignored.
    pub fn pages(&self) -> impl Iterator<Item = EmptyPage> + use<'a> {
        self.list.chunks_exact(EmptyPage::SIZE).filter_map(EmptyPage::read)
    }
}

record! {
    /// A whole tree was given back.
    pub struct FreeTree, FreeTreeFixed = "LRFREEFDP", 15, "log-2 §10", head() {
        1 size: u32 = 10, "le_cb", "bytes behind this field";
        5 database: DatabaseId, "dbid", "database";
        6 root: PageNumber, "le_pgnoFDP", "its root";
        10 transaction: TransactionId, "le_trxCommitted", "transaction that deleted it";
        14 tree_kind: u8, "bFDPType", "0 unknown, 1 table, 2 index";
    } parts()
}

record! {
    /// An extent of a deleted tree was freed, old form.
    pub struct ExtentFreed, ExtentFreedFixed = "LREXTENTFREED", 11, "log-2 §10", head() {
        1 database: DatabaseId, "dbid", "database";
        2 first: PageNumber, "le_pgnoFirst", "first page";
        6 pages: i32, "le_cpgExtent", "pages";
        10 flags: u8, "fFlags", "1 table root page, 2 empty page of a deleted tree";
    } parts()
}

record! {
    /// An extent of a deleted tree was freed.
    pub struct ExtentFreed2, ExtentFreed2Fixed = "LREXTENTFREED2", 19, "log-2 §10", head() {
        1 database: DatabaseId, "dbid", "database";
        2 first: PageNumber, "le_pgnoFirst", "first page";
        6 pages: i32, "le_cpgExtent", "pages";
        10 flags: u8, "fFlags", "1 table root page, 2 empty page of a deleted tree";
        11 dbtime: Dbtime, "le_dbtime", "page time";
    } parts()
}
