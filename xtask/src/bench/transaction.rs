//! A crash with one open transaction larger than any cache: the logs of `perf-replay-8k`, and behind them records that give the nodes
//! of its tables other data, again and again, without a commit.

use super::replay::{recovered, set};
use anchorlog_database::Database;
use anchorlog_database::catalog::Catalog;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::{BeginOutermost, ChangeFlags, NodeHead, Operation, PageHead, RecoveryUndo, Replace};
use anchorlog_format::page::{Page, PageFlags};
use anchorlog_format::units::{DatabaseId, Dbtime, LogTime, ObjectId, PageNumber, SessionId, TransactionId, VersionId};
use anchorlog_replay::stream::files::StreamFiles;
use anchorlog_replay::stream::writer::{LogWriter, NewGeneration};
use anchorlog_storage::Folder;
use anchorlog_storage::disk::DiskFolder;
use anchorlog_testkit::data::copy_folder;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

/// A session and a transaction that the set does not have.
const SESSION: SessionId = SessionId(4000);
const TRANSACTION: TransactionId = TransactionId(8_000_000);
/// Version entries are numbered from here on.
const VERSION: u32 = 16_000_001;
/// How often it gives each node other data.
const ROUNDS: u8 = 4;
/// More than the smaller caches hold.
const BYTES_MIN: u64 = 96 << 20;
const DATABASE: DatabaseId = DatabaseId(1);
/// Pages changed so shortly before the crash belong to the set's own open transactions.
const RECENT: u64 = 5000;

/// What the transaction changes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    /// Changes of nodes.
    pub changes: u64,
    /// Bytes of their data: what undo must bring back.
    pub bytes: u64,
}

type Result<T> = std::result::Result<T, String>;

/// Makes the crash state in `folder`; `work` is used meanwhile.
///
/// # Errors
/// In words.
pub fn make(folder: &Path, work: &Path) -> Result<Written> {
    let before = set()?.folder().join("before");
    let copy = |to: &Path| copy_folder(&before, to).map_err(|error| error.to_string());
    for path in [folder, work] {
        _ = fs::remove_dir_all(path);
        copy(path)?;
    }
    recovered(work, 2, 512 << 20, false)?;
    let database = open(work)?;
    let catalog = Catalog::read(&database);
    let roots: BTreeMap<ObjectId, PageNumber> =
        catalog.tables.values().map(|table| (table.tree.objid, table.tree.root)).collect();
    let mut log = Appender::behind(folder)?;
    // The log ends in a torn record: only that of a recovery may follow (`log-1 §7.5`).
    log.append(&Operation::RecoveryUndo(RecoveryUndo { time: Some(now()) }))?;
    log.append(&Operation::BeginOutermost(BeginOutermost { session: SESSION, levels: 0x10, transaction: TRANSACTION }))?;
    let bytes = fs::read(work.join("db/p.edb")).map_err(|error| error.to_string())?;
    let size = database.page_size();
    let pages = || bytes.chunks_exact(size.bytes()).skip(2).map_while(Page::new);
    let last = pages().map(|page| page.dbtime()).filter(|dbtime| *dbtime < Dbtime::REVERTED_ROOT).max().unwrap_or(Dbtime::START);
    let data_pages: Vec<(PageNumber, PageNumber, Page<'_>)> = (1..)
        .map(PageNumber)
        .zip(pages())
        .filter(|(_, page)| is_data(*page) && page.dbtime().0 + RECENT < last.0)
        .filter_map(|(number, page)| Some((number, *roots.get(&page.objid())?, page)))
        .collect();
    let mut times: Vec<Dbtime> = data_pages.iter().map(|(.., page)| page.dbtime()).collect();
    let (mut written, mut dbtime) = (Written::default(), Dbtime(last.0 + RECENT));
    for round in 0..ROUNDS {
        for ((number, root, page), dbtime_before) in data_pages.iter().zip(&mut times) {
            for line in 0..page.lines() {
                let node = page.line(line).map_err(|fault| fault.to_string())?;
                if node.flags.is_deleted() {
                    continue;
                }
                let data: Vec<u8> = node.data.iter().map(|byte| byte ^ (0xFF - round)).collect();
                dbtime = Dbtime(dbtime.0 + 1);
                let head = PageHead {
                    session: SESSION,
                    database: DATABASE,
                    page: *number,
                    dbtime,
                    dbtime_before: *dbtime_before,
                    transaction: TRANSACTION,
                    level: 1,
                    line,
                    flags: ChangeFlags(ChangeFlags::VERSIONED | ChangeFlags::UNIQUE),
                };
                let version = VersionId(VERSION + 4 * u32::try_from(written.changes).unwrap_or(u32::MAX));
                let size = u16::try_from(data.len()).unwrap_or(u16::MAX);
                let head = NodeHead { head, version, root: *root, object: page.objid() };
                log.append(&Operation::Replace(Replace { head, old_size: size, new_size: size, data: &data }))?;
                *dbtime_before = dbtime;
                written.changes += 1;
                written.bytes += data.len() as u64;
            }
        }
    }
    log.writer.flush().map_err(|error| error.to_string())?;
    _ = fs::remove_dir_all(work);
    if written.bytes < BYTES_MIN {
        return Err(format!("a transaction of {} bytes only", written.bytes));
    }
    Ok(written)
}

/// Leaves of tables, but for roots.
fn is_data(page: Page<'_>) -> bool {
    let flags = page.flags();
    flags.is_leaf() && !flags.has_non_unique_keys() && !flags.contains(PageFlags::ROOT) && !flags.contains(PageFlags::SPACE_TREE)
}

fn open(root: &Path) -> Result<Database> {
    let folder = DiskFolder::read_only(root.join("db"));
    let file = folder.open(Path::new("p.edb")).map_err(|error| error.to_string())?;
    Database::open("p.edb", file, 256 << 20).map_err(|error| error.to_string())
}

/// Writes behind the end of a stream, in as many generations as it takes.
struct Appender {
    writer: LogWriter,
    begin: NewGeneration,
}

impl Appender {
    fn behind(root: &Path) -> Result<Self> {
        let folder: Arc<dyn Folder> = Arc::new(DiskFolder::new(root));
        let say = |error: io::Error| error.to_string();
        let files = StreamFiles::find(&*folder, Path::new("log")).map_err(say)?.pop().ok_or("no logs")?;
        let bytes = fs::read(root.join(files.current.as_ref().ok_or("no current log")?)).map_err(say)?;
        let log = LogFile::open(&bytes).map_err(|error| error.to_string())?;
        let header = log.header();
        let begin = NewGeneration {
            checkpoint: header.first_position(),
            attachments: header.attachments().map_err(|error| error.to_string())?,
            parameters: header.parameters.clone(),
            version: header.version(),
            engine_version: header.engine_version,
            segments: None,
        };
        let clock = Arc::new(now);
        let writer = LogWriter::resume(folder, files, &log, true, clock).map_err(|error| error.to_string())?;
        Ok(Self { writer, begin })
    }
    fn append(&mut self, operation: &Operation<'_>) -> Result<()> {
        let say = |error: anchorlog_replay::error::ReplayError| error.to_string();
        if self.writer.append(operation).map_err(say)?.is_none() {
            self.writer.new_generation(&self.begin).map_err(say)?;
            self.writer.append(operation).map_err(say)?.ok_or("a record that fits into no log")?;
        }
        Ok(())
    }
}

fn now() -> LogTime {
    LogTime::utc(2030, 1, 2, 3, 4, 5, 6)
}
