//! A whole database file: opening, catalog, rows, long values, indexes, space; the dump that people ask for.

use crate::memory::MemoryFile;
use anchorlog_checksum::{set_header_xor, set_page_checksum};
use anchorlog_database::Database;
use anchorlog_database::canonical::{self, Tables};
use anchorlog_database::catalog::Catalog;
use anchorlog_database::cursor::Tree;
use anchorlog_database::space::Space;
use anchorlog_format::units::{ObjectId, PageNumber, PageSize};
use std::io::{self, Write};

/// Lines of a dump may grow with the file, and not beyond: this is the most that a file of 1 MiB can fairly ask for.
const OUTPUT: usize = 256 << 20;

/// Dumps a database whose checksums were made to hold.
pub fn dump(input: &[u8]) {
    let mut file = input.to_vec();
    let size = input.get(236..240).map_or(0, |raw| u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]));
    let Some(size) = PageSize::from_field(size).map(PageSize::bytes) else { return };
    for (index, page) in file.chunks_exact_mut(size).enumerate() {
        if index < 2 {
            set_header_xor(page);
        } else if page.iter().any(|&byte| byte != 0) {
            set_page_checksum(page, u32::try_from(index - 1).unwrap_or(u32::MAX));
        }
    }
    let Ok(database) = Database::open("fuzz", MemoryFile::new(file), 1 << 20) else { return };
    for tables in [Tables::Users, Tables::Engines] {
        let _ = canonical::dump(&database, "fuzz", tables, &mut Bounded(OUTPUT));
    }
    let _ = Catalog::read_shadow(&database);
    for root in [1, 4, 24] {
        let _ = Space::read(&database, Tree { root: PageNumber(root), objid: ObjectId(root) });
    }
}

struct Bounded(usize);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).expect("a dump is bounded by its input");
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
