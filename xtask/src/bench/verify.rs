//! How fast databases are checked: the checksums against the reading of the file alone, all of it against readers of rows.

use super::build::{Recipe, build};
use super::page::Page;
use super::peers::Peers;
use super::run::{Contender, compare};
use super::{Workshop, gibibytes, mebibytes, seconds};
use anchorlog_format::units::PageSize;
use std::path::PathBuf;
use std::process::Command;

/// `verify --checksums` against `cat FILE > /dev/null`.
pub fn checksums(shop: &Workshop, page: &mut Page) -> Result<(), String> {
    page.section(
        "Checksums",
        "`anchorlog verify --checksums` of a clean database against `cat FILE > /dev/null`, both from the page cache.",
    );
    let mut rows = Vec::new();
    for (kibibytes, bytes) in [(4_u32, 1_u64 << 30), (32, 1 << 30), (4, 8 << 30), (32, 8 << 30)] {
        let bytes = if shop.short { bytes >> 5 } else { bytes };
        let file = shop.database(&format!("plain-{kibibytes}k-{}", bytes >> 20), kibibytes, bytes, false)?;
        let length = std::fs::metadata(&file).map_err(|error| error.to_string())?.len();
        let one = shop.anchorlog(&["verify", "--checksums", "--quiet", "--threads", "1"], &file);
        let all = shop.anchorlog(&["verify", "--checksums", "--quiet"], &file);
        let read = file.clone();
        let cat = Contender::new("cat", move || {
            let mut command = Command::new("cat");
            command.arg(&read);
            command
        });
        let runs = compare(&[cat, one, all], if bytes > 1 << 30 { 3 } else { 5 })?;
        let cat = runs[0].wall.as_secs_f64();
        for (name, run) in ["`cat`", "one thread", "all cores"].into_iter().zip(&runs) {
            rows.push(vec![
                format!("{kibibytes} KiB pages, {}", gibibytes(length)),
                name.to_owned(),
                seconds(run.wall),
                format!("{:.2} GiB/s", length as f64 / run.wall.as_secs_f64() / f64::from(1 << 30)),
                format!("{:.0} %", 100.0 * cat / run.wall.as_secs_f64()),
                mebibytes(run.memory),
            ]);
        }
        shop.forget(&file);
    }
    page.table(&["file", "", "time", "rate", "of `cat`", "memory"], &rows);
    Ok(())
}

/// All of `verify` against programs that read the rows, and its gain from a second core.
pub fn everything(shop: &Workshop, page: &mut Page) -> Result<(), String> {
    page.section(
        "Full check",
        "`anchorlog verify` of a clean database with five secondary indexes: every page, tree, record and index entry, each index \
         compared with the records both ways, and all space accounted for. The peers read the rows, and check nothing.",
    );
    let peers = Peers::install(&shop.folder.join("peers"))?;
    let mut rows = Vec::new();
    for kibibytes in [4, 32] {
        let bytes = if shop.short { 4 << 20 } else { 32 << 20 };
        let file = shop.database(&format!("indexed-{kibibytes}k"), kibibytes, bytes, true)?;
        let length = std::fs::metadata(&file).map_err(|error| error.to_string())?.len();
        let ours: Vec<Contender> = (0..)
            .map(|power| 1_usize << power)
            .take_while(|threads| *threads <= std::thread::available_parallelism().map_or(1, usize::from))
            .map(|threads| shop.anchorlog(&["verify", "--quiet", "--threads", &threads.to_string()], &file))
            .collect();
        let ours = compare(&ours, 5)?;
        let (by_value, by_row, by_libesedb) = (peers.dissect(&file), peers.dissect_rows(&file), peers.libesedb(&file));
        let theirs = [("dissect.esedb, rows", by_row), ("dissect.esedb, values", by_value), ("libesedb, values", by_libesedb)];
        let what = || format!("{kibibytes} KiB pages, {}", gibibytes(length));
        let best = ours.iter().map(|run| run.wall).min().unwrap_or_default().as_secs_f64();
        let alone = ours.first().map(|run| run.wall.as_secs_f64()).unwrap_or_default();
        for (power, run) in ours.iter().enumerate() {
            rows.push(vec![
                what(),
                format!("anchorlog, {} thread(s)", 1 << power),
                seconds(run.wall),
                format!("{:.2}", alone / run.wall.as_secs_f64()),
                mebibytes(run.memory),
            ]);
        }
        for (name, mut command) in theirs {
            let run = super::run::once(&mut command).map_err(|error| format!("{name}: {error}"))?;
            let ratio = format!("1 / {:.0}", run.wall.as_secs_f64() / best);
            rows.push(vec![what(), name.to_owned(), seconds(run.wall), ratio, mebibytes(run.memory)]);
        }
    }
    page.table(&["database", "", "time", "speed (ours on one core = 1; peers against our best)", "memory"], &rows);
    Ok(())
}

impl Workshop {
    /// A database of a recipe, made once.
    pub fn database(&self, name: &str, kibibytes: u32, bytes: u64, indexed: bool) -> Result<PathBuf, String> {
        let path = self.folder.join(format!("{name}.edb"));
        if !path.exists() {
            let page_size = PageSize::from_field(kibibytes << 10).ok_or("a page size")?;
            let made = self.folder.join("being-made.edb");
            build(&Recipe { page_size, bytes, indexed, seed: 1 }, &made)?;
            std::fs::rename(&made, &path).map_err(|error| error.to_string())?;
        }
        Ok(path)
    }
    fn anchorlog(&self, arguments: &[&str], file: &std::path::Path) -> Contender {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let (program, file) = (self.program.clone(), file.to_path_buf());
        Contender::new(arguments.join(" "), move || {
            let mut command = Command::new(&program);
            command.args(&arguments).arg(&file);
            command
        })
    }
    /// Removes what takes much room.
    fn forget(&self, file: &std::path::Path) {
        // What cannot be removed is in nobody's way.
        _ = std::fs::remove_file(file);
    }
}
