//! Clean databases of any length, made from a seed: a small one of the engine's own is taken, and one table of it gets as many records as
//! are wanted, with all its index entries, in trees and space of its own.

use super::tree::{Levels, Pages};
use anchorlog_checksum::set_page_checksum;
use anchorlog_database::catalog::{Catalog, Table};
use anchorlog_database::cursor::{Scan, Tree};
use anchorlog_database::keys::keys;
use anchorlog_database::{Database, space::Space};
use anchorlog_format::data::column::Fid;
use anchorlog_format::data::record::{Record, RecordFormat, Stored};
use anchorlog_format::page::{NewNode, NodeFlags, Page, PageEditor, PageFlags};
use anchorlog_format::space::{DATABASE_ROOT, Extents, RootHeader, SPLIT_BUFFER_SIZE, SpaceHeader, extent_key};
use anchorlog_format::units::{PageNumber, PageSize};
use anchorlog_storage::Folder as _;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::engine_set;
use anchorlog_testkit::random::Random;
use std::fs::{self, File};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Page size: 4, 8, 16 or 32 KiB.
    pub page_size: PageSize,
    /// Bytes of the table's own tree, about; indexes come on top.
    pub bytes: u64,
    /// A table with five secondary indexes; for pages of 4 and 32 KiB.
    pub indexed: bool,
    /// Where the numbers come from.
    pub seed: u64,
}

/// What was made.
#[derive(Clone, Copy, Debug)]
pub struct Built {
    /// Records of the table.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

type Result<T> = std::result::Result<T, String>;

/// Makes the database.
///
/// # Errors
/// In words.
pub fn build(recipe: &Recipe, path: &Path) -> Result<Built> {
    let set = match (recipe.indexed, recipe.page_size.bytes() >> 10) {
        (true, 4) => "micro-secondary",
        (true, 32) => "micro-secondary-32k",
        (false, 4) => "micro-insert",
        (false, 8) => "micro-insert-8k",
        (false, 16) => "micro-insert-16k",
        (false, 32) => "micro-insert-32k",
        (_, kibibytes) => return Err(format!("no model with pages of {kibibytes} KiB")),
    };
    let folder = engine_set(set).ok_or_else(|| format!("the set {set} is needed: ../shared/data"))?.folder().join("after/db");
    let model = fs::read(folder.join("db1.edb")).map_err(|error| error.to_string())?;
    let file = DiskFolder::read_only(&folder).open(Path::new("db1.edb")).map_err(|error| error.to_string())?;
    let database = Database::open("db1.edb", file, 64 << 20).map_err(|error| error.to_string())?;
    Builder::new(recipe, &database, model, path)?.build()
}

struct Builder<'a> {
    recipe: &'a Recipe,
    database: &'a Database,
    /// The model, in which roots and space are changed.
    model: Vec<u8>,
    pages: Pages,
    path: &'a Path,
}

/// A tree that gets new content.
struct Target {
    tree: Tree,
    /// Flags of its root.
    flags: PageFlags,
    /// Where the tree's records of its space come to lie.
    owned_root: PageNumber,
    first: PageNumber,
}

impl<'a> Builder<'a> {
    fn new(recipe: &'a Recipe, database: &'a Database, model: Vec<u8>, path: &'a Path) -> Result<Self> {
        let space = Space::read(database, Tree { root: DATABASE_ROOT.root, objid: DATABASE_ROOT.objid });
        let last = space.map_err(|error| error.to_string())?.last_owned().ok_or("the model owns no page")?;
        let size = database.page_size();
        let file = File::create(path).map_err(|error| error.to_string())?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let first = PageNumber(last.0 + 1);
        out.seek(SeekFrom::Start(size.offset_of(first))).map_err(|error| error.to_string())?;
        let pages = Pages::new(out, size, first, database.header().header.dbtime);
        Ok(Self { recipe, database, model, pages, path })
    }

    fn build(mut self) -> Result<Built> {
        let catalog = Catalog::read(self.database);
        let table = catalog.tables.values().find(|table| !table.is_engines()).ok_or("the model has no table")?;
        let primary = table.primary().ok_or("the table has no primary index")?;
        let begin = self.pages.next;
        let target = self.begin(table.tree)?;
        let mut maker = Maker::new(self.database, table, self.recipe.seed)?;
        let mut entries: Vec<Vec<(Vec<u8>, Vec<u8>)>> = table.secondaries().map(|_| Vec::new()).collect();
        let mut levels = Levels::new(target.tree.objid, target.flags, self.pages.size);
        let (mut rows, most) = (0, self.recipe.bytes / self.pages.size.bytes_u64());
        while u64::from(self.pages.next.0 - target.first.0) < most.max(2) {
            let bytes = maker.record(rows);
            let record = Record::parse(&bytes, maker.format).map_err(|fault| fault.to_string())?;
            let of = |index| keys(self.database, table, index, &record).map_err(|error| format!("{error:?}"));
            let key = of(primary)?.pop_first().ok_or("a record without a key")?;
            for (index, entries) in table.secondaries().zip(&mut entries) {
                entries.extend(of(index)?.into_iter().map(|found| (found, key.clone())));
            }
            levels.add(&mut self.pages, &key, &bytes)?;
            rows += 1;
        }
        self.end(&target, levels)?;
        for (index, mut entries) in table.secondaries().zip(entries) {
            entries.sort_unstable();
            let target = self.begin(index.tree)?;
            let mut levels = Levels::new(target.tree.objid, target.flags, self.pages.size);
            for (key, bookmark) in &entries {
                levels.add(&mut self.pages, key, bookmark)?;
            }
            self.end(&target, levels)?;
            self.own(&target, target.owned_root)?;
        }
        // The table owns what its indexes own, and the database what its tables own.
        self.own(&target, begin)?;
        let database = self.owned_root_of(DATABASE_ROOT.root)?;
        self.add_extent(database, begin)?;
        self.finish(rows)
    }

    /// Takes two pages for the space trees, in front of the tree's own.
    fn begin(&mut self, tree: Tree) -> Result<Target> {
        let flags = self.page(tree.root)?.flags();
        if !flags.is_leaf() {
            return Err(format!("the tree at page {} of the model has several pages", tree.root));
        }
        let owned_root = self.pages.take();
        self.pages.take();
        Ok(Target { tree, flags, owned_root, first: self.pages.next })
    }

    /// Writes the root, and the pages that stand above the leaves.
    fn end(&mut self, target: &Target, levels: Levels) -> Result<()> {
        let top = levels.finish(&mut self.pages)?;
        let root = target.tree.root;
        let dbtime = self.pages.dbtime;
        self.edit(root, |editor| {
            let header = editor.page().external_header().map_err(anchorlog_format::page::NoRoom::from)?.to_vec();
            editor.format_new(root, target.tree.objid, dbtime, top.flags(target.flags));
            editor.set_external_header(&header)?;
            for (line, (key, child)) in (0..).zip(&top.nodes) {
                let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: key, data: &child.0.to_le_bytes() };
                editor.insert(line, &node)?;
            }
            Ok(())
        })
    }

    /// The tree owns its old extent and everything from `begin` to the last page taken.
    fn own(&mut self, target: &Target, begin: PageNumber) -> Result<()> {
        let root = target.tree.root;
        let tag = self.page(root)?.external_header().map_err(|fault| fault.to_string())?.to_vec();
        let header = RootHeader::parse(&tag).ok_or("a root without a header")?;
        let mut space = header.space.ok_or("a root without a space header")?;
        let (pages, bits) = match space.extents() {
            Some(Extents::Single { pages, available }) => (pages, available),
            _ => return Err(format!("the tree at page {root} of the model has several extents")),
        };
        space.flags |= SpaceHeader::MULTIPLE;
        space.available = target.owned_root.0;
        let mut tag = tag;
        let mut bytes = [0; SpaceHeader::SIZE];
        space.write(&mut bytes);
        tag[header.space_offset..header.space_offset + SpaceHeader::SIZE].copy_from_slice(&bytes);
        self.edit(root, |editor| editor.set_external_header(&tag))?;
        let last = PageNumber(self.pages.next.0 - 1);
        let free = (0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| (PageNumber(root.0 + 1 + bit), 1));
        let owned = [(PageNumber(root.0 + pages - 1), pages), (last, last.0 - begin.0 + 1)];
        self.space_tree(target, target.owned_root, &owned)?;
        self.space_tree(target, PageNumber(target.owned_root.0 + 1), &free.collect::<Vec<_>>())
    }

    fn space_tree(&mut self, target: &Target, number: PageNumber, extents: &[(PageNumber, u32)]) -> Result<()> {
        let mut image = vec![0; self.pages.size.bytes()];
        let mut editor = PageEditor::new(&mut image).ok_or("a page")?;
        editor.format_new(number, target.tree.objid, self.pages.dbtime, target.flags.with(PageFlags::SPACE_TREE));
        let full = |_| "a space tree needs more than a page".to_owned();
        editor.set_external_header(&[0; SPLIT_BUFFER_SIZE]).map_err(full)?;
        for (line, (last, pages)) in (0..).zip(extents) {
            let key = extent_key(*last);
            let node = NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: &key, data: &pages.to_le_bytes() };
            editor.insert(line, &node).map_err(full)?;
        }
        self.pages.write_at(number, image)
    }

    /// Behind the last extent of a tree of owned extents on one page.
    fn add_extent(&mut self, root: PageNumber, begin: PageNumber) -> Result<()> {
        let last = PageNumber(self.pages.next.0 - 1);
        let pages = last.0 - begin.0 + 1;
        self.edit(root, |editor| {
            let line = editor.page().lines();
            let key = extent_key(last);
            editor.insert(line, &NewNode { flags: NodeFlags::NONE, prefix_length: 0, suffix: &key, data: &pages.to_le_bytes() })
        })
    }

    fn owned_root_of(&self, root: PageNumber) -> Result<PageNumber> {
        let tag = self.page(root)?.external_header().map_err(|fault| fault.to_string())?;
        let space = RootHeader::parse(tag).and_then(|header| header.space);
        space.and_then(|space| space.owned_root()).ok_or_else(|| format!("page {root} of the model has one extent"))
    }

    fn page(&self, number: PageNumber) -> Result<Page<'_>> {
        let start = usize::try_from(self.pages.size.offset_of(number)).unwrap_or(usize::MAX);
        let bytes = self.model.get(start..start.saturating_add(self.pages.size.bytes()));
        bytes.and_then(Page::new).ok_or_else(|| format!("the model has no page {number}"))
    }

    fn edit(
        &mut self,
        number: PageNumber,
        edit: impl FnOnce(&mut PageEditor<'_>) -> std::result::Result<(), anchorlog_format::page::NoRoom>,
    ) -> Result<()> {
        let start = usize::try_from(self.pages.size.offset_of(number)).unwrap_or(usize::MAX);
        let end = start.saturating_add(self.pages.size.bytes());
        let bytes = self.model.get_mut(start..end).ok_or_else(|| format!("the model has no page {number}"))?;
        let mut editor = PageEditor::new(bytes).ok_or("a page")?;
        edit(&mut editor).map_err(|error| format!("page {number} of the model: {error:?}"))?;
        set_page_checksum(bytes, number.0);
        Ok(())
    }

    /// The pages of the model in front of the new ones.
    fn finish(self, rows: u64) -> Result<Built> {
        let Self { model, pages, path, .. } = self;
        let (first, next, size) = (pages.first, pages.next, pages.size);
        let mut out = pages.into_inner()?;
        let kept = usize::try_from(size.offset_of(first)).unwrap_or(usize::MAX);
        out.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
        out.write_all(model.get(..kept).ok_or("the model is shorter than it says")?).map_err(|error| error.to_string())?;
        out.flush().map_err(|error| error.to_string())?;
        let bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
        debug_assert_eq!(bytes, size.offset_of(next));
        Ok(Built { rows, bytes })
    }
}

/// Records like those of the model, each with an identity of its own.
struct Maker {
    models: Vec<Vec<u8>>,
    format: RecordFormat,
    /// Where the key, a number and a unique number lie in a record.
    id: usize,
    number: usize,
    unique: Option<usize>,
    random: Random,
}

impl Maker {
    fn new(database: &Database, table: &Table, seed: u64) -> Result<Self> {
        let mut scan = Scan::new(database, table.tree);
        let (mut models, mut format) = (Vec::new(), None);
        while let Some(entry) = scan.next() {
            let entry = entry.map_err(|error| error.to_string())?;
            models.push(entry.data.to_vec());
            format = Some(RecordFormat::of(database.page_size(), entry.page_flags.has_new_record_format()));
        }
        let format = format.ok_or("the table of the model is empty")?;
        let offset = |name: &str| {
            let column = table.columns.iter().find(|column| column.name == name)?;
            column.offset.map(usize::from)
        };
        let (id, number) = (offset("id").ok_or("no column id")?, offset("n").ok_or("no column n")?);
        Ok(Self { models, format, id, number, unique: offset("q"), random: Random::new(seed) })
    }

    fn record(&mut self, row: u64) -> Vec<u8> {
        let at = self.random.below(self.models.len());
        let mut bytes = self.models[at].clone();
        let id = u32::try_from(row).unwrap_or(u32::MAX);
        bytes[self.id..self.id + 4].copy_from_slice(&id.to_le_bytes());
        let number = u32::try_from(self.random.below(1_000_000)).unwrap_or(0);
        bytes[self.number..self.number + 4].copy_from_slice(&number.to_le_bytes());
        if let Some(unique) = self.unique {
            bytes[unique..unique + 8].copy_from_slice(&row.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        }
        self.fill(&mut bytes);
        bytes
    }

    /// Other bytes in the first variable column, as many as before: of sixteen kinds, so that they compress to half.
    fn fill(&mut self, bytes: &mut [u8]) {
        let Ok(record) = Record::parse(bytes, self.format) else { return };
        let Stored::Value(value) = record.variable(Fid(128)) else { return };
        let length = value.len();
        let at = value.as_ptr().addr() - bytes.as_ptr().addr();
        for byte in &mut bytes[at..at + length] {
            *byte = b'a' + (self.random.next() >> 60) as u8;
        }
    }
}
