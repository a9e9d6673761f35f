//! A whole database file: opening, catalog, rows, long values, indexes, space; the dump that people ask for; the check.

use crate::files::file_of;
use crate::seal;
use anchorlog_database::Database;
use anchorlog_database::canonical::{self, Tables};
use anchorlog_database::catalog::Catalog;
use anchorlog_database::check::check;
use anchorlog_database::cursor::Tree;
use anchorlog_database::space::Space;
use anchorlog_format::units::{ObjectId, PageNumber};
use std::io::{self, Write};

/// Lines of a dump may grow with the file, and not beyond: this is the most that a file of 1 MiB can fairly ask for.
const OUTPUT: usize = 256 << 20;

/// Dumps and checks a database whose checksums were made to hold.
pub fn read(input: &[u8]) {
    let mut file = input.to_vec();
    seal::database(&mut file);
    let Ok(database) = Database::open("fuzz", file_of(&file), 1 << 20) else { return };
    let mut findings = 0_usize;
    check(&database, &mut |finding| {
        let _ = finding.to_string();
        findings += 1;
    });
    // What one byte can break is told a few times, not without end.
    assert!(findings <= 16 * input.len(), "{findings} findings in {} bytes", input.len());
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
