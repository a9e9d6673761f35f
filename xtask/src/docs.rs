//! `cargo xtask docs`: the pages of `docs/format`, made from the declared layouts. A test demands that the committed pages are current.

use anchorlog_format::layout::Layout;
use anchorlog_format::log::record::RecordType;
use anchorlog_operations::layouts::LAYOUTS;
use anchorlog_testkit::data::checkout;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// A page, and the sources whose structures stand on it.
struct PageOf {
    file: &'static str,
    title: &'static str,
    about: &'static str,
    sources: &'static [&'static str],
}

const PAGES: [PageOf; 5] = [
    PageOf {
        file: "database-file.md",
        title: "Database file, trailer, flush map",
        about: "A database file begins with its header and a copy of it, each one page long; page 1 follows. All numbers are little-endian.",
        sources: &["db-1"],
    },
    PageOf {
        file: "pages.md",
        title: "Pages, trees and space",
        about: "A page has a header, data that grows from the front, and an array of tags that grows from the back. \
                Pages of 16 and 32 KiB have the large header behind the plain one.",
        sources: &["db-2", "db-3"],
    },
    PageOf {
        file: "rows.md",
        title: "Rows, long values, compression",
        about: "What leaf nodes hold.",
        sources: &["db-4", "db-5", "db-6"],
    },
    PageOf {
        file: "logs.md",
        title: "Log files and the checkpoint",
        about: "A log of the 8.x format is a header of one segment and segments of 4096 bytes behind it; one of the 7.x format has sectors \
                without a head, and integrity records.",
        sources: &["log-1", "log-7"],
    },
    PageOf {
        file: "log-records.md",
        title: "Log records",
        about: "The first byte of a record is its type. Records that change a page begin with `PageHead`, those that change a node with \
                `PageHead` and `NodeHeadFields`; their own fields and then the variable parts, in the order of their length fields, follow.",
        sources: &["log-2"],
    },
];

/// Writes the pages.
pub fn write() -> Result<(), String> {
    let folder = folder();
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (file, text) in pages() {
        let path = folder.join(file);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

fn folder() -> PathBuf {
    checkout().join("docs/format")
}

fn pages() -> Vec<(&'static str, String)> {
    let mut pages = vec![("README.md", index())];
    pages.extend(PAGES.iter().map(|page| (page.file, text(page))));
    pages
}

fn index() -> String {
    let mut text = String::from(
        "# The format, as it is declared\n\n\
         Made by `cargo xtask docs` from the declarations in `crates/format`: each structure is written down once, and reading, writing,\n\
         `anchorlog inspect` and these pages all come from there. `anchorlog inspect --layout NAME` prints the same tables.\n\n\
         Sources such as `db-2 §2` name sections of the project's own specification of the format; traps (`G4`, `D11`) are its easily missed\n\
         facts. Microsoft's names are given so that people can search for them.\n\n| page | structures |\n|---|---|\n",
    );
    for page in &PAGES {
        let names: Vec<String> = layouts_of(page).map(|layout| format!("`{}`", name_of(layout))).collect();
        let _ = writeln!(text, "| [{}]({}) | {} |", page.title, page.file, names.join(", "));
    }
    text
}

fn text(page: &PageOf) -> String {
    let mut text = format!("# {}\n\n{}\n\nMade by `cargo xtask docs`; see [README](README.md).\n", page.title, page.about);
    if page.file == "log-records.md" {
        text.push_str(&types());
    }
    for layout in layouts_of(page) {
        text.push_str(&structure(layout));
    }
    text
}

fn layouts_of(page: &PageOf) -> impl Iterator<Item = &'static Layout> {
    let sources = page.sources;
    LAYOUTS.iter().copied().filter(move |layout| sources.contains(&source_of(layout)))
}

fn source_of(layout: &Layout) -> &'static str {
    layout.source.split(' ').next().unwrap_or_default()
}

/// The fixed part of a record goes by the record's name.
fn name_of(layout: &Layout) -> &'static str {
    layout.name.strip_suffix("Fixed").unwrap_or(layout.name)
}

fn structure(layout: &Layout) -> String {
    let mut text = format!(
        "\n## {}\n\nMicrosoft: `{}`. {} bytes. Source: {}.\n\n\
         | offset | bytes | name | Microsoft's name | type | since | meaning |\n|---:|---:|---|---|---|---|---|\n",
        name_of(layout),
        layout.microsoft,
        layout.size,
        layout.source
    );
    for field in layout.fields {
        let microsoft = if field.microsoft.is_empty() { String::new() } else { format!("`{}`", field.microsoft) };
        let meaning = field.meaning.replace('|', "\\|");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {microsoft} | {} | {} | {meaning} |",
            field.offset, field.size, field.name, field.kind, field.since
        );
    }
    text
}

fn types() -> String {
    let mut text = String::from("\n## Types\n\n| type | name | Microsoft's name | since |\n|---:|---|---|---|\n");
    for number in 0..RecordType::COUNT {
        if let Some(entry) = RecordType(number).entry() {
            let _ = writeln!(text, "| {number} | {} | `lrtyp{}` | {} |", entry.name, entry.microsoft, entry.since);
        }
    }
    text
}

#[cfg(test)]
/// Whether a page stands as it would be written.
fn is_current(folder: &std::path::Path, file: &str, text: &str) -> bool {
    // A checkout may have turned the ends of lines.
    fs::read_to_string(folder.join(file)).is_ok_and(|found| found.replace("\r\n", "\n") == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_the_format_are_current() {
        for (file, text) in pages() {
            assert!(is_current(&folder(), file, &text), "docs/format/{file} is old: run `cargo xtask docs`");
        }
    }

    #[test]
    fn every_declared_structure_stands_on_a_page() {
        for layout in LAYOUTS {
            assert!(PAGES.iter().any(|page| page.sources.contains(&source_of(layout))), "{} has no page", layout.name);
        }
    }
}
