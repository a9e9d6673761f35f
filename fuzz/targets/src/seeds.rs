//! The first inputs of each target, cut from the engine-made data sets that are here.

use crate::apply;
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::log::file::LogFile;
use anchorlog_format::log::record::Operation;
use anchorlog_format::page::Page;
use anchorlog_format::units::{PageNumber, PageSize};
use anchorlog_testkit::data;
use anchorlog_testkit::random::Random;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Sets that are small and show much: each lies in `testdata` too, so that every machine has the same inputs.
const SETS: [&str; 14] = [
    "micro-sessions",
    "micro-merge",
    "micro-split-root",
    "micro-lv-insert-8k",
    "micro-compressed",
    "micro-multivalue",
    "micro-ddl-create-table",
    "micro-ddl-delete-table",
    "micro-createdb",
    "micro-secondary-32k",
    "micro-lv-shared-16k",
    "micro-shrink",
    "micro-tx-rollback",
    "micro-escrow",
];

/// Most inputs that a target begins with.
const MOST: usize = 400;

/// Files of the sets whose names end so, in folders of the state before recovery.
fn files(ending: &str) -> Vec<PathBuf> {
    SETS.iter().filter_map(|name| data::engine_set(name)).flat_map(|set| below(&set.folder().join("before"), ending)).collect()
}

fn below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(below(&path, ending));
        } else if path.to_string_lossy().to_lowercase().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

/// At most [`MOST`] of them, evenly chosen.
fn some(mut inputs: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let step = inputs.len().div_ceil(MOST).max(1);
    let mut index = 0;
    inputs.retain(|_| {
        index += 1;
        (index - 1) % step == 0
    });
    inputs
}

/// Header and shadow of each database.
#[must_use]
pub fn database_headers() -> Vec<Vec<u8>> {
    files(".edb")
        .iter()
        .map(|path| bytes(path))
        .map(|file| file[..(2 * page_size(&file).bytes()).min(file.len())].to_vec())
        .collect()
}

/// Last pages of streamed databases.
#[must_use]
pub fn trailers() -> Vec<Vec<u8>> {
    let streamed = data::engine_set("backup-stream-4k").map(|set| below(&set.folder().join("full"), ".edb")).unwrap_or_default();
    streamed
        .iter()
        .map(|path| bytes(path))
        .map(|file| file[file.len().saturating_sub(page_size(&file).bytes())..].to_vec())
        .collect()
}

/// Flush maps.
#[must_use]
pub fn flush_maps() -> Vec<Vec<u8>> {
    files(".jfm").iter().map(|path| bytes(path)).collect()
}

fn page_size(file: &[u8]) -> PageSize {
    HeaderPage::elect(&file[..file.len().min(HeaderPage::ELECTION_BYTES)])
        .map_or(PageSize::FOUR_KIB, |(page, _)| page.page_size())
}

fn every_page(mut each: impl FnMut(Page<'_>)) {
    for path in files(".edb") {
        let file = bytes(&path);
        for image in file.chunks_exact(page_size(&file).bytes()).skip(2) {
            if let Some(page) = Page::new(image).filter(|page| !page.is_zero() && page.check().is_ok()) {
                each(page);
            }
        }
    }
}

/// Pages of every kind.
#[must_use]
pub fn pages() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    every_page(|page| found.push(page.bytes().to_vec()));
    some(found)
}

/// Pages with orders to edit them.
#[must_use]
pub fn page_edits() -> Vec<Vec<u8>> {
    let orders: Vec<u8> = (0..64_u8).map(|byte| byte.wrapping_mul(37)).collect();
    pages().into_iter().map(|page| [orders.clone(), page].concat()).collect()
}

fn nodes(wanted: impl Fn(Page<'_>) -> bool, cut: impl Fn(&[u8], &[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut found = BTreeSet::new();
    every_page(|page| {
        if !page.flags().is_leaf() || !wanted(page) {
            return;
        }
        for line in 0..page.lines() {
            let mut key = Vec::new();
            if let Ok(node) = page.line(line)
                && page.key(&node, &mut key).is_ok()
            {
                found.insert(cut(&key, node.data));
            }
        }
    });
    some(found.into_iter().collect())
}

/// Entries of space trees.
#[must_use]
pub fn space_nodes() -> Vec<Vec<u8>> {
    let cut = |key: &[u8], data: &[u8]| [&[u8::try_from(key.len()).unwrap_or(0)], key, data].concat();
    nodes(|page| page.flags().is_space_tree(), cut)
}

/// Rows of user tables and of the catalog.
#[must_use]
pub fn rows() -> Vec<Vec<u8>> {
    let is_data = |page: Page<'_>| !page.flags().is_space_tree() && !page.flags().is_index() && !page.flags().is_long_value();
    nodes(is_data, |_, data| data.to_vec())
}

/// Rows of the catalog.
#[must_use]
pub fn catalog_rows() -> Vec<Vec<u8>> {
    nodes(|page| page.objid().0 == 2 && !page.flags().is_space_tree(), |_, data| data.to_vec())
}

/// Long values: key, brought to twelve bytes, and data.
#[must_use]
pub fn long_values() -> Vec<Vec<u8>> {
    let cut = |key: &[u8], data: &[u8]| {
        let mut key = key.to_vec();
        key.resize(12, 0);
        [&key, data].concat()
    };
    nodes(|page| page.flags().is_long_value(), cut)
}

/// Data of long values, much of it compressed, and the specification's own streams.
#[must_use]
pub fn compressed() -> Vec<Vec<u8>> {
    let mut found = nodes(|page| page.flags().is_long_value(), |_, data| data.to_vec());
    found.push(vec![0x1a, 0x10, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08]);
    found
}

/// Whole databases, cut behind their first 256 KiB.
#[must_use]
pub fn databases() -> Vec<Vec<u8>> {
    files(".edb").iter().map(|path| bytes(path)).map(|file| file[..file.len().min(256 << 10)].to_vec()).collect()
}

/// Headers of logs.
#[must_use]
pub fn log_headers() -> Vec<Vec<u8>> {
    files(".log").iter().map(|path| bytes(path)).map(|file| file[..file.len().min(4096)].to_vec()).collect()
}

/// Logs, cut behind their first eight segments, since most are alike behind that; and one of them whole.
#[must_use]
pub fn log_files() -> Vec<Vec<u8>> {
    let mut logs: Vec<Vec<u8>> = files(".log").iter().map(|path| bytes(path)).collect();
    let whole = logs.first().cloned();
    for log in &mut logs {
        log.truncate(8 * 4096);
    }
    logs.extend(whole);
    logs
}

/// Logs of the 7.x format, of real machines; where there are none, 8.x logs that claim to be of it.
#[must_use]
pub fn legacy_log_files() -> Vec<Vec<u8>> {
    let real = data::real_sets().into_iter().filter(|set| set.name.contains("w7") || set.name.contains("2003"));
    let mut logs: Vec<Vec<u8>> = real.flat_map(|set| below(&set.folder(), ".log")).map(|path| bytes(&path)).collect();
    for log in &mut logs {
        log.truncate(64 << 10);
    }
    if logs.is_empty() {
        logs = log_files();
        for log in &mut logs {
            for (at, field) in [(32, 7_u32), (36, 3704), (40, 15)] {
                if let Some(bytes) = log.get_mut(at..at + 4) {
                    bytes.copy_from_slice(&field.to_le_bytes());
                }
            }
        }
    }
    logs
}

fn every_record(mut each: impl FnMut(&Path, &[u8])) {
    for path in files(".log") {
        let file = bytes(&path);
        let Ok(log) = LogFile::open(&file) else { continue };
        for record in log.records().map_while(Result::ok) {
            each(&path, &record.bytes);
        }
    }
}

/// Log records: up to forty of each type.
#[must_use]
pub fn log_records() -> Vec<Vec<u8>> {
    let mut counts = [0_u8; 256];
    let mut found = Vec::new();
    every_record(|_, record| {
        let count = &mut counts[usize::from(record[0])];
        if *count < 40 {
            *count += 1;
            found.push(record.to_vec());
        }
    });
    found
}

/// Checkpoints.
#[must_use]
pub fn checkpoints() -> Vec<Vec<u8>> {
    files(".chk").iter().map(|path| bytes(path)).collect()
}

/// Records with the pages that they name, as those stand in the file: macros as one group.
#[must_use]
pub fn applications() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut database: (PathBuf, Vec<u8>) = Default::default();
    let mut group: Vec<Vec<u8>> = Vec::new();
    let mut in_macro = false;
    every_record(|log, record| {
        // `before/log/x.log` lies beside `before/db/y.edb`.
        let folder = log.parent().and_then(Path::parent).map(|before| before.join("db")).unwrap_or_default();
        if database.0 != folder {
            database = (folder.clone(), below(&folder, ".edb").first().map(|path| bytes(path)).unwrap_or_default());
        }
        match Operation::decode(record) {
            Ok(Operation::MacroBegin(_)) => {
                in_macro = true;
                return;
            }
            Ok(Operation::MacroCommit(_) | Operation::MacroAbort(_)) => in_macro = false,
            Ok(operation) if operation.page_head().is_some() || matches!(operation, Operation::RootPageMove(_)) => {
                group.push(record.to_vec());
            }
            _ => return,
        }
        if !in_macro && !group.is_empty() {
            found.push(application(&std::mem::take(&mut group), &database.1));
        }
    });
    some(found)
}

fn application(group: &[Vec<u8>], file: &[u8]) -> Vec<u8> {
    let size = page_size(file);
    let mut numbers = BTreeSet::new();
    for record in group {
        match Operation::decode(record) {
            Ok(Operation::Split(split)) => numbers.extend([split.head.page, split.new_page, split.right_page]),
            Ok(Operation::Merge(merge)) => numbers.extend([merge.head.page, merge.left_page, merge.right_page]),
            Ok(Operation::PageMove(record)) => {
                numbers.extend([record.head.page, record.destination, record.parent, record.left_page, record.right_page]);
            }
            Ok(Operation::CreateMultipleExtent(create)) => {
                numbers.extend([create.head.page, create.owned_root, create.available_root]);
            }
            Ok(Operation::ConvertToMultipleExtent(convert)) => {
                numbers.extend([convert.head.page, convert.owned_root, convert.available_root]);
            }
            Ok(operation) => numbers.extend(operation.page_head().map(|head| head.page)),
            Err(_) => {}
        }
    }
    numbers.remove(&PageNumber::NONE);
    let images: Vec<(u32, &[u8])> = numbers
        .iter()
        .filter_map(|number| {
            let start = usize::try_from(size.offset_of(*number)).ok()?;
            Some((number.0, file.get(start..start.checked_add(size.bytes())?)?))
        })
        .collect();
    let records: Vec<&[u8]> = group.iter().map(Vec::as_slice).collect();
    apply::encode(size, &records, &images)
}

/// One or two files of each kind, the large ones cut.
#[must_use]
pub fn files_of_all_kinds() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for ending in [".edb", ".log", ".chk", ".jfm", ".jrs", ".jtx"] {
        found.extend(files(ending).iter().step_by(5).map(|path| bytes(path)));
    }
    for file in &mut found {
        file.truncate(64 << 10);
    }
    found.extend([Vec::new(), b"SQLite format 3\0".to_vec()]);
    found
}

/// Folders that are small enough to be recovered many times a second, with their files.
#[must_use]
pub fn crash_folders() -> Vec<Vec<(PathBuf, Vec<u8>)>> {
    const FOLDERS: [&str; 8] = [
        "micro-tx-uncommitted",
        "micro-sessions",
        "micro-split-root",
        "micro-createdb",
        "micro-multi-db",
        "micro-secondary-32k",
        "micro-crash-after-recovery",
        "micro-escrow",
    ];
    let mut found = Vec::new();
    for set in FOLDERS.iter().filter_map(|name| data::engine_set(name)) {
        let before = set.folder().join("before");
        let relative = |path: PathBuf| (path.strip_prefix(&before).map(Path::to_path_buf).unwrap_or_default(), bytes(&path));
        // Reserve logs mean nothing.
        found.push(
            below(&before, "")
                .into_iter()
                .filter(|path| path.extension().is_none_or(|ending| ending != "jrs"))
                .map(relative)
                .collect(),
        );
    }
    found
}

/// Patches of crash folders: each folder as it is, and with some random changes.
#[must_use]
pub fn patches() -> Vec<Vec<u8>> {
    let mut random = Random::new(5);
    let mut found = Vec::new();
    for set in 0..8 {
        found.push(vec![set, 0]);
        for count in 0..8 {
            let mut input = vec![set, 0];
            for _ in 0..=count {
                let mut head = [0; 7];
                head[0] = random.next().to_le_bytes()[0];
                head[1] = [0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6][random.below(16)];
                // Places that mean something: headers, and the first segments and pages.
                let place = [0, 4096, 8192, 16 << 10, 200 << 10][random.below(5)];
                let offset = u32::try_from(random.below(4096) + place).unwrap_or(0);
                head[2..6].copy_from_slice(&offset.to_le_bytes());
                head[6] = 1 + random.next().to_le_bytes()[0] % 8;
                input.extend(head);
                input.extend((0..head[6]).map(|_| random.next().to_le_bytes()[0]));
            }
            found.push(input);
        }
    }
    found
}
