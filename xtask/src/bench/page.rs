//! docs/performance.md: the machine, and a section for each bench. A run writes its own sections anew, and leaves the others.

use std::fs;

/// The page while it is written.
pub struct Page {
    /// What stands before the first section.
    head: String,
    /// What this run measures: title, and text.
    sections: Vec<(String, String)>,
}

impl Page {
    /// Begins it.
    pub fn new() -> Self {
        let head = format!(
            "# Performance\n\nWritten by `cargo xtask bench`, each section in one run of its bench, on this machine:\n\n{}\n\n\
             Contenders run in turn, once without being counted and then several times; the table has the fastest run of each: what else the machine does only ever adds to a run. \
             All files lie in the page cache or in the memory file system: the disk takes no part. Rates are MiB and GiB of the input.\n",
            machine()
        );
        Self { head, sections: Vec::new() }
    }
    /// A section.
    pub fn section(&mut self, title: &str, text: &str) {
        println!("\n== {title}");
        self.sections.push((title.to_owned(), format!("\n## {title}\n\n{text}\n")));
    }
    /// More text of the section.
    pub fn text(&mut self, text: &str) {
        println!("\n{text}");
        self.line(&format!("\n{text}"));
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
        if let Some((_, text)) = self.sections.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    /// Writes it: with the sections of before that this run did not measure, in their places.
    ///
    /// # Errors
    /// The storage's, in words.
    pub fn write(&self) -> Result<(), String> {
        let path = anchorlog_testkit::data::checkout().join("docs/performance.md");
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, self.over(&before)).map_err(|error| format!("{}: {error}", path.display()))
    }
    fn over(&self, before: &str) -> String {
        let mut sections = sections_of(before);
        for (title, text) in &self.sections {
            match sections.iter_mut().find(|(other, _)| other == title) {
                Some(section) => section.1.clone_from(text),
                None => sections.push((title.clone(), text.clone())),
            }
        }
        sections.into_iter().fold(self.head.clone(), |page, (_, text)| page + &text)
    }
}

/// The sections of a page, each with its title.
fn sections_of(page: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for part in page.split("\n## ").skip(1) {
        let title = part.lines().next().unwrap_or_default();
        sections.push((title.to_owned(), format!("\n## {}\n", part.trim_end())));
    }
    sections
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_writes_its_own_sections_and_leaves_the_others() {
        let mut page = Page::new();
        page.section("Parsing", "New words.");
        page.table(&["a", "b"], &[vec!["1".into(), "2".into()]]);
        page.section("Backup", "More.");
        let whole = page.over("# Performance\n\nOld.\n\n## Replay\n\nKept.\n\n| x |\n| --- |\n\n## Parsing\n\nOld words.\n");
        let rest = whole.strip_prefix(&page.head).unwrap();
        assert_eq!(
            rest,
            "\n## Replay\n\nKept.\n\n| x |\n| --- |\n\n## Parsing\n\nNew words.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n## Backup\n\nMore.\n"
        );
        assert_eq!(page.over(&whole), whole);
    }
}
