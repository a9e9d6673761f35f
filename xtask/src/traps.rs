//! Which traps of the specifications no test cites. `traps.txt` lists all that concern reading or replaying; `docs/testing.md` names those
//! that no test can cite, and why.
//!
//! A test cites a trap in its name (`fn v26_…`) or in a comment (`// traps V26, db-1 D3`). What is numbered anew in each specification (C, D, H, O
//! and P, and the G of the `ops` ones) counts only with the specification in front of it, in a comment; or in a name, where the head of its file
//! says of which specification the ids in names are (`//! … Ids in names are those of ops-1.`).

use anchorlog_testkit::data::checkout;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const LIST: &str = include_str!("../traps.txt");
const HEADING: &str = "## Traps that no test cites";

/// Prints what is not cited; an error where the documentation does not say so.
pub fn check() -> Result<(), String> {
    let listed: BTreeSet<String> = LIST.lines().flat_map(ids_of_line).collect();
    let mut files = Vec::new();
    sources(&checkout().join("crates"), &mut files);
    let cited: BTreeSet<String> = files.iter().flat_map(|path| cited_in(path)).collect();
    let document = fs::read_to_string(checkout().join("docs/testing.md")).map_err(|error| error.to_string())?;
    let excepted = excepted(&document);
    let names = |ids: Vec<&String>| ids.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let missing = names(listed.difference(&cited).filter(|id| !excepted.contains(*id)).collect());
    let idle = names(excepted.iter().filter(|id| cited.contains(*id) || !listed.contains(*id)).collect());
    println!("{} traps, {} cited, {} excepted", listed.len(), listed.intersection(&cited).count(), excepted.len());
    match (missing.as_str(), idle.as_str()) {
        ("", "") => Ok(()),
        (missing, "") => Err(format!("no test cites {missing}, and docs/testing.md does not say why")),
        (_, idle) => Err(format!("docs/testing.md excepts {idle}: cited, or no trap of the list")),
    }
}

/// `log-1 G1-G28 G86`; all but D stand for themselves.
fn ids_of_line(line: &str) -> Vec<String> {
    let mut words = line.split_whitespace();
    let Some(specification) = words.next().filter(|word| !word.starts_with('#')) else { return Vec::new() };
    let number = |id: &str| id.get(1..).and_then(|digits| digits.parse::<u32>().ok());
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let letter = first.get(..1).unwrap_or_default().to_owned();
        let numbers = number(first).unwrap_or(1)..=number(last).unwrap_or(0);
        numbers.map(|number| named(specification, &format!("{letter}{number}"))).collect::<Vec<_>>()
    };
    words.flat_map(range).collect()
}

fn named(specification: &str, id: &str) -> String {
    if is_anew(specification, id) { format!("{specification} {id}") } else { id.to_owned() }
}

/// Whether other specifications have the same id for something else.
fn is_anew(specification: &str, id: &str) -> bool {
    id.starts_with(['C', 'D', 'H', 'O', 'P']) || (id.starts_with('G') && specification.starts_with("ops-"))
}

/// What the head of a file says before it names the specification of the ids in names.
const IN_NAMES: &str = "Ids in names are those of ";

/// The specification of the ids in the names of a file's tests; empty: they are the ones that no two specifications have.
fn in_names(source: &str) -> &str {
    let head = source.lines().take_while(|line| line.starts_with("//!"));
    let named = head.filter_map(|line| line.split_once(IN_NAMES)).map(|(_, rest)| rest.trim_end_matches('.'));
    named.last().unwrap_or_default()
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn cited_in(path: &Path) -> Vec<String> {
    let source = fs::read_to_string(path).unwrap_or_default();
    let tests_alone = path.components().any(|part| part.as_os_str() == "tests")
        || path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    let from = if tests_alone { Some(0) } else { source.find("#[cfg(test)]") };
    let specification = in_names(&source);
    from.map(|from| source[from..].lines().flat_map(|line| cited_by_line(line, specification)).collect()).unwrap_or_default()
}

/// `specification`: that of ids in names, or empty.
fn cited_by_line(line: &str, specification: &str) -> Vec<String> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("fn ") {
        let name = name.split('(').next().unwrap_or_default();
        let ids = name.split('_').map(str::to_uppercase).filter(|word| is_id(word));
        return ids.filter(|id| !specification.is_empty() || !is_anew("", id)).map(|id| named(specification, &id)).collect();
    }
    line.split_once("//").map(|(_, comment)| ids_of_text(comment)).unwrap_or_default()
}

/// Ids of a text; a specification counts until another is named.
fn ids_of_text(text: &str) -> Vec<String> {
    let (mut ids, mut specification) = (Vec::new(), "");
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && !['-', '_'].contains(&c)).filter(|word| !word.is_empty()) {
        if ["db-", "log-", "ops-"].iter().any(|start| word.starts_with(start)) {
            specification = word;
        } else if is_id(word) && (!specification.is_empty() || !is_anew("", word)) {
            ids.push(named(specification, word));
        }
    }
    ids
}

fn is_id(word: &str) -> bool {
    let digits = word.strip_prefix(|letter: char| "CDGHKLOPRSVWXYZ".contains(letter)).unwrap_or_default();
    (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first cells of the table of exceptions.
fn excepted(document: &str) -> BTreeSet<String> {
    let rows = document.lines().skip_while(|line| *line != HEADING).skip(1).take_while(|line| !line.starts_with("## "));
    rows.filter_map(|row| row.strip_prefix('|')?.split('|').next()).flat_map(ids_of_text).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_trap_is_cited_by_a_test_or_excepted_with_a_reason() {
        super::check().unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn ids_are_read_from_lists_names_and_comments() {
        assert_eq!(super::ids_of_line("db-1 D9-D11"), ["db-1 D9", "db-1 D10", "db-1 D11"]);
        assert_eq!(super::ids_of_line("ops-1 G7-G8 P1"), ["ops-1 G7", "ops-1 G8", "ops-1 P1"]);
        assert_eq!(super::cited_by_line("    fn v1_d2_w30_p3_and_u32_at() {", ""), ["V1", "W30"]);
        assert_eq!(
            super::cited_by_line("// traps db-3 D3, D6, V8 of it; db-1 D2; D", ""),
            ["db-3 D3", "db-3 D6", "V8", "db-1 D2"]
        );
        assert_eq!(super::cited_by_line("let d3 = 1; // D3, O4", ""), Vec::<String>::new());
    }

    #[test]
    fn what_each_specification_numbers_anew_counts_only_with_its_specification() {
        let head = "//! Purge.\n//! What may go. Ids in names are those of ops-1.\n\nuse std;\n";
        assert_eq!((super::in_names(head), super::in_names("//! Purge.\n")), ("ops-1", ""));
        assert_eq!(super::cited_by_line("fn g1_o7_p22_it_stays() {", "ops-1"), ["ops-1 G1", "ops-1 O7", "ops-1 P22"]);
        assert_eq!(super::cited_by_line("fn g1_it_stays() {", ""), ["G1"]);
        assert_eq!(
            super::cited_by_line("// traps ops-2 O4, O23; ops-3 H8; log-1 G3", "ops-1"),
            ["ops-2 O4", "ops-2 O23", "ops-3 H8", "G3"]
        );
    }
}
