//! The engine's dumps (`dump*.jsonl`, `catalog.jsonl` of the data sets), and where two dumps differ.

use std::fs;
use std::path::Path;

/// The engine's dump, cut at each database: its file name, and its lines.
///
/// # Panics
/// When the file cannot be read or is no dump.
#[must_use]
pub fn engine_dumps(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut dumps: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("{\"db\":\"") {
            let name = rest.split('"').next().expect("a name ends with a quote");
            dumps.push((name.to_owned(), String::new()));
        }
        let (_, lines) = dumps.last_mut().expect("a dump begins with a database");
        lines.push_str(line);
        lines.push('\n');
    }
    dumps
}

/// Where the first difference between two dumps is, if there is any.
#[must_use]
pub fn first_difference(ours: &str, theirs: &str) -> Option<String> {
    let found = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
    if let Some((ours, theirs)) = found {
        let at = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
        let cut = |line: &str| {
            let range = at.saturating_sub(150).min(line.len())..line.len().min(at + 150);
            String::from_utf8_lossy(&line.as_bytes()[range]).into_owned()
        };
        return Some(format!("  ours:   {}\n  theirs: {}", cut(ours), cut(theirs)));
    }
    let (ours, theirs) = (ours.lines().count(), theirs.lines().count());
    (ours != theirs).then(|| format!("  {ours} lines, theirs {theirs}"))
}
