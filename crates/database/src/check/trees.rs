//! All trees of a database: their space first, then the trees themselves, on several threads.

use super::compare::Done;
use super::content::TableWork;
use super::inner::{Batch, Ended, Inner, Part};
use super::lands::{Lands, shared_identity};
use super::leaf::{Leaves, Reader};
use super::member::{Content, Kind, Member, Shared, Walked};
use super::ordered::ordered;
use super::pages::PageSet;
use super::report::{Findings, Report};
use super::source::Source;
use super::space::{Edges, Ground, Survey, Walk};
use super::{Counts, Depth};
use crate::catalog::{Catalog, Table};
use crate::cursor::Tree;
use crate::database::Database;
use anchorlog_format::page::PageFlags;
use anchorlog_format::space::{CATALOG, CATALOG_NAME, CATALOG_ROOT_OBJECTS, CATALOG_SHADOW, DATABASE_ROOT, FixedTree};
use anchorlog_format::units::PageNumber;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What is needed to check all trees.
pub(super) struct Trees<'d> {
    pub database: &'d Database,
    pub catalog: &'d Catalog,
    /// Pages whose checksums were found to hold.
    pub good: &'d PageSet,
    pub last_owned: PageNumber,
    pub depth: Depth,
    pub threads: usize,
}

/// What walking all trees showed.
pub(super) struct Seen {
    /// Pages that trees lead to.
    pub used: PageSet,
    /// Some part of some tree was not walked.
    pub holes: bool,
    /// The tree of the catalog or that of its copy is damaged.
    pub catalog_broken: bool,
}

/// A tree of a table, by the number of its member.
#[derive(Clone, Default)]
struct Belongings<'t> {
    table: Option<&'t Table>,
    rows: usize,
    values: Option<usize>,
    entries: Vec<usize>,
}

/// Work for a thread.
enum Item<'t> {
    Leaves(Batch<'t>),
    End(Arc<Walked<'t>>, Findings, Ended),
    Table(Done<'t>),
}

/// Work done.
enum Outcome<'t> {
    Leaves(Arc<Walked<'t>>, bool, Leaves),
    End(Arc<Walked<'t>>, Findings, Ended),
    Table(Done<'t>),
}

impl<'d> Trees<'d> {
    /// Checks all trees; `None` where the one who watches ended it.
    pub(super) fn check(&self, report: &mut Report<'_>) -> Option<Seen> {
        let (members, tables) = self.members();
        let shared = Shared { database: self.database, last_owned: self.last_owned, dirty: report.dirty };
        let mut findings = report.findings();
        let (by_root, alone) = shared_identity(&shared, &members, &mut findings);
        let mut used = PageSet::new(self.database.pages());
        let mut survey = Survey { shared: &shared, good: self.good, used: &mut used, walk: Walk::default() };
        let mut grounds: Vec<Option<Ground>> = Vec::with_capacity(members.len());
        for (member, &alone) in members.iter().zip(&alone) {
            grounds.push(if alone { survey.ground(member, &mut findings) } else { None });
            report.take(std::mem::replace(&mut findings, report.findings()));
        }
        let walk = survey.walk;
        report.counts.trees += walk.trees;
        report.counts.tree_pages += walk.pages;
        let lands = Lands { shared: &shared, members: &members, grounds: &grounds, by_root: &by_root };
        lands.check(&mut findings);
        report.take(std::mem::replace(&mut findings, report.findings()));
        let children = lands.children();
        let walks = Walks { trees: self, members: &members, tables: &tables, grounds: &grounds, children, alone: &alone };
        let [holes, catalog_broken] = walks.run(&shared, &mut used, report)?;
        if self.depth == Depth::Full {
            let accounts = lands.accounts(&used, holes, &mut findings);
            report.take(findings);
            report.counts.available = accounts.available;
            report.counts.shelved = accounts.shelved;
            report.counts.leaked = accounts.leaked;
        }
        Some(Seen { used, holes, catalog_broken })
    }

    /// Whether a tree can be read whole.
    pub(super) fn is_whole(database: &Database, good: &PageSet, last_owned: PageNumber, tree: &FixedTree) -> bool {
        let shared = Shared { database, last_owned, dirty: false };
        let member = Member {
            name: String::new(),
            tree: Tree { root: tree.root, objid: tree.objid },
            kind: Kind::Table,
            parent: tree.parent,
        };
        let broken = AtomicBool::new(false);
        let walked = Walked { member, holdings: None, content: Content::Nothing, flags: PageFlags(0), broken };
        let (walked, mut used) = (Arc::new(walked), PageSet::new(database.pages()));
        let (mut source, mut reader) = (Source::new(database, good), Reader::new(&shared, good));
        let mut push = |part: Part<'_>| {
            if let Part::Leaves(batch) = part {
                reader.batch(&batch);
            }
            true
        };
        Inner::new(&shared, &mut source, &mut used, Arc::clone(&walked), false, &mut push).walk();
        !walked.broken.load(Relaxed)
    }

    /// Every tree that the catalog names, and those whose places are fixed.
    fn members(&self) -> (Vec<Member>, Vec<Belongings<'d>>) {
        let fixed = |name: &str, fixed: &FixedTree, kind| Member {
            name: name.to_owned(),
            tree: Tree { root: fixed.root, objid: fixed.objid },
            kind,
            parent: fixed.parent,
        };
        let mut members = vec![fixed("database", &DATABASE_ROOT, Kind::Database)];
        let mut all = vec![Belongings::default()];
        for table in self.catalog.tables.values().filter(|table| table.tree.objid != DATABASE_ROOT.objid) {
            let mut belongings = Belongings { table: Some(table), rows: members.len(), ..Belongings::default() };
            let below = |name: String, tree, kind| Member { name, tree, kind, parent: table.tree.root };
            let parent = DATABASE_ROOT.root;
            members.push(Member { name: table.name.clone(), tree: table.tree, kind: Kind::Table, parent });
            if let Some(tree) = table.long_values {
                belongings.values = Some(members.len());
                members.push(below(format!("{}, long values", table.name), tree, Kind::LongValues));
            }
            for index in table.secondaries() {
                belongings.entries.push(members.len());
                let kind = Kind::Index { unique: index.flags.is_unique() };
                members.push(below(format!("{}, index {}", table.name, index.name), index.tree, kind));
            }
            all.push(belongings);
        }
        // Where the catalog does not name its own trees, they are there all the same.
        let own = [
            ("MSysObjects", &CATALOG, Kind::Table),
            ("MSysObjects, index Name", &CATALOG_NAME, Kind::Index { unique: true }),
            ("MSysObjects, index RootObjects", &CATALOG_ROOT_OBJECTS, Kind::Index { unique: true }),
            ("MSysObjectsShadow", &CATALOG_SHADOW, Kind::Table),
        ];
        for (name, tree, kind) in own {
            if members.iter().all(|member| member.tree.objid != tree.objid) {
                all.push(Belongings { rows: members.len(), ..Belongings::default() });
                members.push(fixed(name, tree, kind));
            }
        }
        (members, all)
    }
}

/// The walk over all trees.
struct Walks<'w, 'd> {
    trees: &'w Trees<'d>,
    members: &'w [Member],
    tables: &'w [Belongings<'d>],
    grounds: &'w [Option<Ground>],
    children: Vec<super::spans::Spans>,
    alone: &'w [bool],
}

impl<'d> Walks<'_, 'd> {
    /// Walks all trees; whether one is damaged, and whether one of the catalog's is. `None` where the one who watches ended it.
    fn run(&self, shared: &Shared<'_>, used: &mut PageSet, report: &mut Report<'_>) -> Option<[bool; 2]> {
        let (good, total) = (self.trees.good, u64::from(self.trees.last_owned.0));
        let (mut holes, mut catalog_broken) = (self.alone.contains(&false), false);
        let (mut edges, mut go_on, mut told) = (Edges::default(), true, 0);
        ordered(
            self.trees.threads,
            |push| self.produce(shared, used, push),
            || Reader::new(shared, good),
            |reader, item| match item {
                Item::Leaves(batch) => {
                    let leaves = reader.batch(&batch);
                    Outcome::Leaves(batch.walked, batch.joined, leaves)
                }
                Item::End(walked, findings, ended) => Outcome::End(walked, findings, ended),
                Item::Table(done) => Outcome::Table(done),
            },
            |outcome| {
                match outcome {
                    Outcome::Leaves(walked, joined, leaves) => {
                        count(&mut report.counts, &walked, &leaves);
                        let mut findings = report.findings();
                        edges.take(shared, &walked, joined, leaves, &mut findings);
                        report.take(findings);
                    }
                    Outcome::End(walked, mut findings, ended) => {
                        report.counts.tree_pages += ended.pages;
                        report.counts.trees += 1;
                        edges.end(shared, &walked, ended.open, &mut findings);
                        let broken = walked.broken.load(Relaxed) || findings.broken();
                        holes |= broken;
                        catalog_broken |= broken && [CATALOG.objid, CATALOG_SHADOW.objid].contains(&walked.member.tree.objid);
                        report.take(findings);
                    }
                    Outcome::Table(done) => done.compare(shared, report),
                }
                if report.counts.tree_pages >= told + 1024 {
                    told = report.counts.tree_pages;
                    go_on &= report.progress("trees", told, total);
                }
                go_on
            },
        );
        go_on.then_some([holes, catalog_broken])
    }

    fn produce(&self, shared: &Shared<'_>, used: &mut PageSet, push: &mut dyn FnMut(Item<'d>) -> bool) {
        let mut source = Source::new(self.trees.database, self.trees.good);
        for belongings in self.tables {
            let full = self.trees.depth == Depth::Full;
            let work = belongings.table.filter(|_| full).map(|table| Arc::new(TableWork::of(table)));
            let content = |role: fn(Arc<TableWork<'d>>) -> Content<'d>| match &work {
                Some(work) => role(Arc::clone(work)),
                None => Content::Nothing,
            };
            let mut walk = |at: usize, content: Content<'d>| -> Result<Option<Arc<Walked<'d>>>, Ended> {
                if !self.alone[at] {
                    return Ok(None);
                }
                let walked = Arc::new(self.walked(at, content));
                let mut parts = |part: Part<'d>| match part {
                    Part::Leaves(batch) => push(Item::Leaves(batch)),
                    Part::End(findings, ended) => push(Item::End(Arc::clone(&walked), findings, ended)),
                };
                let inner = Inner::new(shared, &mut source, used, Arc::clone(&walked), !full, &mut parts);
                if inner.walk() { Ok(Some(walked)) } else { Err(Ended::default()) }
            };
            let Ok(rows) = walk(belongings.rows, content(Content::Rows)) else { return };
            let Ok(values) = belongings.values.map_or(Ok(None), |at| walk(at, content(Content::LongValues))) else { return };
            let mut entries = Vec::new();
            for (index, &at) in belongings.entries.iter().enumerate() {
                let content = work.as_ref().map_or(Content::Nothing, |work| Content::Entries(Arc::clone(work), index));
                let Ok(walked) = walk(at, content) else { return };
                entries.push(walked);
            }
            if let Some(work) = work {
                let reserved = self.grounds[belongings.rows].as_ref().and_then(|ground| ground.auto_increment);
                if !push(Item::Table(Done { work, rows, values, entries, reserved })) {
                    return;
                }
            }
        }
    }

    fn walked(&self, at: usize, content: Content<'d>) -> Walked<'d> {
        let (member, ground) = (self.members[at].clone(), self.grounds[at].as_ref());
        let expected = match member.kind {
            Kind::Database | Kind::Table => PageFlags(0),
            Kind::LongValues => PageFlags::LONG_VALUE,
            Kind::Index { .. } => PageFlags::INDEX,
            Kind::Space => PageFlags::SPACE_TREE,
        };
        // Whether keys are unique was held against the catalog with the tree's space; pages must agree with their root. Of a root that
        // could not be read only the catalog speaks.
        let catalogs = if member.kind == (Kind::Index { unique: false }) { PageFlags::NON_UNIQUE_KEYS } else { PageFlags(0) };
        let unique = ground.map_or(catalogs, |ground| ground.type_flags()).0 & PageFlags::NON_UNIQUE_KEYS.0;
        let flags = expected.with(PageFlags(unique));
        let holdings = ground.and_then(|ground| ground.holdings(self.children[at].clone()));
        Walked { member, holdings, content, flags, broken: AtomicBool::new(false) }
    }
}

fn count(counts: &mut Counts, walked: &Walked<'_>, leaves: &Leaves) {
    counts.tree_pages += leaves.pages;
    match walked.content {
        Content::Nothing | Content::Extents(_) => {}
        Content::Rows(_) => counts.rows += leaves.items,
        Content::Entries(..) => counts.index_entries += leaves.items,
        Content::LongValues(_) => counts.long_values += leaves.items,
    }
}
