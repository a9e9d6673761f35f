//! Other readers of ESE databases, installed where they can be.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Reads every row of every table, and every value of it, with dissect.esedb.
const DISSECT: &str = "\
import sys
from dissect.esedb import EseDB
with open(sys.argv[1], 'rb') as file:
    for table in EseDB(file).tables():
        for row in table.records():
            row.as_dict()
";

/// The same, without a look at the values.
const DISSECT_ROWS: &str = "\
import sys
from dissect.esedb import EseDB
with open(sys.argv[1], 'rb') as file:
    for table in EseDB(file).tables():
        for row in table.records():
            pass
";

/// Reads every row and every value with libesedb.
const LIBESEDB: &str = "\
import sys
import pyesedb
file = pyesedb.file()
file.open(sys.argv[1])
for table in file.tables:
    for row in table.records:
        for column in range(row.number_of_values):
            row.get_value_data(column)
";

/// A Python with the readers.
pub struct Peers {
    python: PathBuf,
}

impl Peers {
    /// Installs them below `folder`, in versions that are known to read these files.
    ///
    /// # Errors
    /// In words: there is no Python, or no way to the packages.
    pub fn install(folder: &Path) -> Result<Self, String> {
        let python = folder.join("bin/python");
        if !python.exists() {
            run(Command::new("python3").arg("-m").arg("venv").arg(folder))?;
        }
        let packages = ["dissect.esedb==3.18", "libesedb-python==20260704"];
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
        Ok(Self { python })
    }
    /// dissect.esedb, every value of every row.
    pub fn dissect(&self, database: &Path) -> Command {
        self.script(DISSECT, database)
    }
    /// dissect.esedb, every row.
    pub fn dissect_rows(&self, database: &Path) -> Command {
        self.script(DISSECT_ROWS, database)
    }
    /// libesedb, every value of every row.
    pub fn libesedb(&self, database: &Path) -> Command {
        self.script(LIBESEDB, database)
    }
    fn script(&self, script: &str, database: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("-c").arg(script).arg(database);
        command
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}
