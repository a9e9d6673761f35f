//! docs/performance.md: the machine, and a table for each bench.

use std::fmt::Write as _;
use std::fs;

/// The page while it is written.
pub struct Page(String);

impl Page {
    /// Begins it.
    pub fn new(arguments: &[&str]) -> Self {
        let command = ["cargo xtask bench", &arguments.join(" ")].join(" ");
        let mut page = Self(String::new());
        page.line("# Performance");
        page.line("");
        page.line(&format!("Written by `{}` in one run on this machine:", command.trim_end()));
        page.line("");
        page.line(&machine());
        page.line("");
        page.line(
            "Contenders run in turn, once without being counted and then several times; the table has the fastest run of each: what else the machine does only ever adds to a run. \
             All files lie in the page cache or in the memory file system: the disk takes no part. Rates are MiB and GiB of the input.",
        );
        page
    }
    /// A section.
    pub fn section(&mut self, title: &str, text: &str) {
        println!("\n== {title}");
        let _ = write!(self.0, "\n## {title}\n\n{text}\n");
    }
    /// A table.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.line("");
        self.row(head.iter().map(|cell| (*cell).to_owned()));
        self.row(head.iter().map(|_| "---".to_owned()));
        for row in rows {
            self.row(row.iter().cloned());
        }
    }
    fn row(&mut self, cells: impl Iterator<Item = String>) {
        let cells: Vec<String> = cells.collect();
        let line = format!("| {} |", cells.join(" | "));
        println!("{line}");
        self.line(&line);
    }
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
    /// Writes it.
    ///
    /// # Errors
    /// The storage's, in words.
    pub fn write(&self) -> Result<(), String> {
        let path = anchorlog_testkit::data::checkout().join("docs/performance.md");
        fs::write(&path, &self.0).map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{} cores of {}, {} GiB of memory, {}.",
        cores,
        model.unwrap_or("an unknown processor"),
        kibibytes >> 20,
        std::env::consts::OS
    )
}
