//! A database made to order, and records made to order for it.

use anchorlog_checksum::set_page_checksum;
use anchorlog_format::database::header::{DirtyRange, HeaderPage};
use anchorlog_format::database::state::DatabaseState;
use anchorlog_format::log::record::{BeginOutermost, ChangeFlags, CommitOutermost, MacroMark, NodeHead, Operation, PageHead};
use anchorlog_format::page::{NewNode, NodeFlags, Page, PageEditor, PageFlags};
use anchorlog_format::units::{
    DatabaseId, Dbtime, Generation, LogPosition, LogTime, ObjectId, PageNumber, PageSize, SessionId, TransactionId, VersionId,
};
use anchorlog_replay::cache::PageCache;
use anchorlog_replay::error::ReplayError;
use anchorlog_replay::flush::FlushMap;
use anchorlog_replay::maps::RedoMaps;
use anchorlog_replay::redo::{Database, Redo};
use anchorlog_replay::versions::{BlobStore, Versions};
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use std::path::Path;
use std::sync::Arc;

pub const DATABASE: DatabaseId = DatabaseId(1);
pub const SESSION: SessionId = SessionId(7);
pub const ROOT: PageNumber = PageNumber(4);
pub const OBJECT: ObjectId = ObjectId(12);
const PAGES: u32 = 64;

/// Redo over one database of 64 pages.
pub struct Bench {
    pub redo: Redo,
    pub size: PageSize,
    position: LogPosition,
    work: tempfile::TempDir,
}

/// Whether the database is inside its required range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Range {
    Inside,
    Left,
}

impl Bench {
    pub fn new(range: Range, pages: &[(u32, Vec<u8>)]) -> Self {
        Self::of(4096, range, pages)
    }
    pub fn of(size: u32, range: Range, pages: &[(u32, Vec<u8>)]) -> Self {
        let size = PageSize::from_field(size).unwrap();
        let work = tempfile::tempdir().unwrap();
        let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(work.path()));
        let file = folder.create(Path::new("db1.edb")).unwrap();
        file.set_size(size.file_size(PAGES)).unwrap();
        for (number, image) in pages {
            let mut image = image.clone();
            set_page_checksum(&mut image, *number);
            file.write_at(size.offset_of(PageNumber(*number)), &image).unwrap();
        }
        let spill = folder.clone();
        let blobs = BlobStore::new(1 << 20, move || spill.create(Path::new("spill")));
        let mut redo = Redo::new(PageCache::new(1 << 20), Versions::new(blobs));
        redo.cache.attach(DATABASE, file, size, FlushMap::default(), None).unwrap();
        let mut header = HeaderPage::new(size);
        header.header.state = DatabaseState::CleanShutdown;
        let range_of = DirtyRange { min: Generation(1), max: Generation(5), max_time: LogTime::utc(2026, 1, 1, 0, 0, 0, 0) };
        header.header.set_state(DatabaseState::DirtyShutdown, Some(range_of)).unwrap();
        header.header.attach_position = LogPosition::new(1, 1, 0);
        let database = Database {
            name: "db1.edb".into(),
            header,
            highest_dbtime: Dbtime(0),
            highest_object: ObjectId(0),
            future_data: range == Range::Inside,
            maps: RedoMaps::default(),
            creating: false,
        };
        redo.databases.insert(DATABASE, database);
        Self { redo, size, position: LogPosition::new(2, 1, 40), work }
    }
    /// What the disk holds of a page becomes bytes without any checksum that holds.
    pub fn garble(&mut self, page: u32) {
        let file = DiskFolder::new(self.work.path()).open_write(Path::new("db1.edb")).unwrap();
        let noise: Vec<u8> = (1..=251).cycle().take(self.size.bytes()).collect();
        file.write_at(self.size.offset_of(PageNumber(page)), &noise).unwrap();
    }
    /// The position of the record before.
    pub fn position(&self) -> LogPosition {
        self.position
    }
    pub fn at(&mut self, position: LogPosition) -> &mut Self {
        self.position = position;
        self
    }
    /// Encodes a record and redoes it, a bit further on in the log.
    pub fn try_redo(&mut self, operation: Operation<'_>) -> Result<(), ReplayError> {
        let raw = operation.encode().unwrap();
        self.position.byte += 1;
        self.redo.redo(self.position, &raw, &Operation::decode(&raw).unwrap())
    }
    pub fn redo(&mut self, operation: Operation<'_>) {
        self.try_redo(operation).unwrap_or_else(|error| panic!("{} {error}", error.jet));
    }
    /// The code with which a record is refused.
    pub fn refused(&mut self, operation: Operation<'_>) -> i32 {
        self.try_redo(operation).unwrap_err().jet.0
    }
    pub fn begin(&mut self, session: SessionId) {
        self.redo(Operation::BeginOutermost(BeginOutermost { session, levels: 1 << 4, transaction: TransactionId(99) }));
    }
    pub fn commit(&mut self, session: SessionId) {
        self.redo(Operation::CommitOutermost(CommitOutermost { session, to_level: 0, transaction: TransactionId(100) }));
    }
    /// Records that are redone together.
    pub fn group(&mut self, dbtime: u64, members: &[Operation<'_>]) -> Result<(), ReplayError> {
        let mark = MacroMark { session: SESSION, dbtime: Dbtime(dbtime) };
        self.redo(Operation::MacroBegin(mark));
        for member in members {
            self.try_redo(member.clone())?;
        }
        self.try_redo(Operation::MacroCommit(mark))
    }
    /// The page as replay has it.
    pub fn image(&mut self, page: u32) -> Vec<u8> {
        let page = PageNumber(page);
        self.redo.cache.lookup(DATABASE, page).unwrap();
        self.redo.cache.page(DATABASE, page).map(|page| page.bytes().to_vec()).unwrap_or_else(|| vec![0; self.size.bytes()])
    }
    pub fn dbtime(&mut self, page: u32) -> u64 {
        Page::new(&self.image(page)).unwrap().dbtime().0
    }
    /// Lines as key, data, flags without the version flag.
    pub fn lines(&mut self, page: u32) -> Vec<(Vec<u8>, Vec<u8>, u8)> {
        let image = self.image(page);
        let page = Page::new(&image).unwrap();
        (0..page.lines())
            .map(|line| {
                let node = page.line(line).unwrap();
                let mut key = Vec::new();
                page.key(&node, &mut key).unwrap();
                let hidden = NodeFlags::VERSION.with(NodeFlags::COMPRESSED);
                (key, node.data.to_vec(), node.flags.without(hidden).0)
            })
            .collect()
    }
    pub fn keys(&mut self, page: u32) -> Vec<String> {
        self.lines(page).into_iter().map(|(key, ..)| String::from_utf8(key).unwrap()).collect()
    }
    pub fn versions(&self) -> usize {
        self.redo.versions.len()
    }
    pub fn bad_pages(&self) -> Vec<(u32, i32)> {
        self.redo.bad_pages().iter().map(|bad| (bad.page.0, bad.jet.0)).collect()
    }
}

/// A line of a page made to order.
pub type Line<'a> = (&'a str, &'a str, NodeFlags);

pub fn line<'a>(key: &'a str, data: &'a str) -> Line<'a> {
    (key, data, NodeFlags::NONE)
}

/// A page made to order: a leaf below [`ROOT`] without a prefix.
pub fn leaf(number: u32, dbtime: u64, lines: &[Line<'_>]) -> (u32, Vec<u8>) {
    page(4096, number, dbtime, PageFlags::LEAF, b"", lines)
}

pub fn page(size: usize, number: u32, dbtime: u64, flags: PageFlags, header: &[u8], lines: &[Line<'_>]) -> (u32, Vec<u8>) {
    let mut image = vec![0; size];
    let mut editor = PageEditor::new(&mut image).unwrap();
    editor.format_new(PageNumber(number), OBJECT, Dbtime(dbtime), flags);
    editor.set_external_header(header).unwrap();
    for (at, (key, data, flags)) in (0..).zip(lines) {
        let node = NewNode { flags: *flags, prefix_length: 0, suffix: key.as_bytes(), data: data.as_bytes() };
        editor.insert(at, &node).unwrap();
    }
    (number, image)
}

/// An inner page: keys and children, the last key empty.
pub fn inner(number: u32, dbtime: u64, flags: PageFlags, header: &[u8], children: &[(&str, u32)]) -> (u32, Vec<u8>) {
    let mut image = vec![0; 4096];
    let mut editor = PageEditor::new(&mut image).unwrap();
    editor.format_new(PageNumber(number), OBJECT, Dbtime(dbtime), flags);
    editor.set_external_header(header).unwrap();
    for (at, (key, child)) in (0..).zip(children) {
        let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: key.as_bytes(), data: &child.to_le_bytes() };
        editor.insert(at, &node).unwrap();
    }
    (number, image)
}

/// The head of a page record.
pub fn head(page: u32, before: u64, after: u64, line: u16) -> PageHead {
    PageHead {
        session: SESSION,
        database: DATABASE,
        page: PageNumber(page),
        dbtime: Dbtime(after),
        dbtime_before: Dbtime(before),
        transaction: TransactionId(99),
        level: 1,
        line,
        flags: ChangeFlags(ChangeFlags::UNIQUE),
    }
}

/// The head of a node record; `version` 0: not versioned.
pub fn node(page: u32, before: u64, after: u64, line: u16, version: u32) -> NodeHead {
    let mut head = head(page, before, after, line);
    if version > 0 {
        head.flags.0 |= ChangeFlags::VERSIONED;
    }
    NodeHead { head, version: VersionId(version), root: ROOT, object: OBJECT }
}

/// A split record without any effect yet: fields are set by the test.
pub fn split_of(head: PageHead) -> anchorlog_format::log::record::Split<'static> {
    use anchorlog_format::log::record::{BeforeImage, Split, SplitFields};
    let mut fields = SplitFields::read(&[0; 110]).unwrap();
    fields.root = ROOT;
    fields.object = OBJECT;
    (fields.prefix_line, fields.new_prefix_line) = (-1, -1);
    (fields.right_dbtime_before, fields.parent_dbtime_before) = (Dbtime::NIL, Dbtime::NIL);
    Split { head, fields, separator: b"", old_prefix: b"", new_prefix: b"", before: Some(BeforeImage::NONE) }
}

/// A merge record without any effect yet.
pub fn merge_of(head: PageHead) -> anchorlog_format::log::record::Merge<'static> {
    use anchorlog_format::log::record::{BeforeImage, Merge, MergeFields};
    let mut fields = MergeFields::read(&[0; 96]).unwrap();
    fields.root = ROOT;
    fields.object = OBJECT;
    (fields.right_dbtime_before, fields.left_dbtime_before) = (Dbtime::NIL, Dbtime::NIL);
    fields.parent_dbtime_before = Dbtime::NIL;
    Merge { head, fields, separator: b"", before: Some(BeforeImage::NONE) }
}
