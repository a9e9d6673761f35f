//! One file of any kind: recognised by content, and shown.

use anchorlog_format::log::file::LogFile;
use anchorlog_format::units::PageNumber;
use anchorlog_operations::inspect::{PageView, inspect, records};
use anchorlog_storage::{File, Folder, OverlayFolder};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "file";

/// Shows a file, some pages where it is a database, its records where it is a log.
pub fn show(input: &[u8]) {
    let folder = folder_of(input);
    let inspection = inspect(&folder, Path::new(NAME), NAME).expect("memory can be read");
    assert_eq!(inspection.size, input.len() as u64);
    for page in [1, 4, 5, 17, u32::MAX] {
        if let Ok(view) = PageView::read(&folder, Path::new(NAME), NAME, PageNumber(page)) {
            let _ = format!("{view:?}");
        }
    }
    if let Ok(log) = LogFile::open(input) {
        let _ = records(&log, NAME, |record| {
            let _ = format!("{record:?}");
            ControlFlow::Continue(())
        });
    }
}

fn folder_of(bytes: &[u8]) -> OverlayFolder {
    let folder = OverlayFolder::in_memory(64 << 20);
    let made = folder.create(Path::new(NAME)).and_then(|file| file.write_at(0, bytes));
    made.expect("memory takes it");
    folder
}

/// A file in memory.
pub(crate) fn file_of(bytes: &[u8]) -> Arc<dyn File> {
    folder_of(bytes).open(Path::new(NAME)).expect("it was made")
}
