//! What a verification came to, and the space of a database.

use anchorlog_operations::verify::space::{SpaceReport, TreeKind, TreeSpace};
use anchorlog_operations::verify::{DatabaseCheck, Depth, Verification};
use std::time::Duration;

/// The result for one path, in lines.
pub fn result(result: &Verification, depth: Depth, took: Duration) -> String {
    let mut text = String::new();
    for database in &result.databases {
        text.push_str(&database_line(database, depth));
    }
    if result.logs > 0 {
        text.push_str(&format!("{} logs with {} records\n", result.logs, result.records));
    }
    let verdict = match (result.errors, result.warnings) {
        _ if result.interrupted => "interrupted: what was found so far stands".to_owned(),
        (0, 0) => "no findings".to_owned(),
        (0, warnings) => format!("no errors, {}", several(warnings, "warning")),
        (errors, 0) => format!("{}, no warnings", several(errors, "error")),
        (errors, warnings) => format!("{}, {}", several(errors, "error"), several(warnings, "warning")),
    };
    let read: u64 = result.databases.iter().map(|database| database.bytes).sum();
    let seconds = took.as_secs_f64();
    text.push_str(&format!("{verdict} ({} in {seconds:.1} s)\n", super::bytes(read)));
    text
}

fn several(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn database_line(database: &DatabaseCheck, depth: Depth) -> String {
    let counts = &database.counts;
    let pages = format!(
        "{} pages, {} bad checksums, {} correctable, {} never written, {} wrong numbers",
        counts.pages, counts.bad_checksums, counts.correctable, counts.uninitialised, counts.wrong_numbers
    );
    let trees = format!("{} trees with {} pages", counts.trees, counts.tree_pages);
    let seen = match depth {
        Depth::Checksums => format!("{pages}; highest page time {} (page {})", counts.highest_dbtime, counts.highest_dbtime_page),
        Depth::Quick => format!("{trees}, but no rows"),
        Depth::Full => format!(
            "{pages}; {trees}, {} rows, {} long values, {} index entries; {} pages available, {} lost",
            counts.rows, counts.long_values, counts.index_entries, counts.available, counts.leaked
        ),
    };
    format!("{} ({}): {seen}\n", database.path, database.state)
}

/// The space of a database as a table; MiB and percentages as Microsoft's tool gives them.
pub fn space(report: &SpaceReport) -> String {
    let mut text = format!(
        "{}\n{:<32} {:<12} {:>12} {:>8} {:>9} {:>12} {:>9} {:>12}\n",
        report.path, "name", "kind", "owned MiB", "of file", "of table", "free MiB", "of table", "counter"
    );
    for tree in &report.trees {
        text.push_str(&tree_line(tree, report));
    }
    let used = report.owned.saturating_sub(report.available);
    text.push_str(&format!(
        "{} pages: {used} used ({}), {} available ({}), {} shelved\n",
        report.owned,
        percent(used, report.owned, 1),
        report.available,
        percent(report.available, report.owned, 1),
        report.shelved
    ));
    text
}

fn tree_line(tree: &TreeSpace, report: &SpaceReport) -> String {
    let (indent, kind) = match tree.kind {
        TreeKind::Database => ("", "database"),
        TreeKind::Table => ("", "table"),
        TreeKind::LongValues => ("  ", "long values"),
        TreeKind::Index => ("  ", "index"),
    };
    let of_table = |pages: u64| match tree.kind {
        TreeKind::Database => "-".to_owned(),
        _ => percent(pages, tree.table_owned, 2),
    };
    let counter = tree.auto_increment.map_or_else(String::new, |value| value.to_string());
    let line = format!(
        "{:<32} {kind:<12} {:>12} {:>8} {:>9} {:>12} {:>9} {counter:>12}",
        format!("{indent}{}", tree.name),
        mebibytes(tree.owned, report.page_size),
        percent(tree.owned, report.owned, 2),
        of_table(tree.owned),
        mebibytes(tree.available, report.page_size),
        of_table(tree.available),
    );
    format!("{}\n", line.trim_end())
}

/// Thousandths of a MiB: any part of one counts, as with Microsoft's tool.
fn mebibytes(pages: u64, page_size: u64) -> String {
    let bytes = pages.saturating_mul(page_size);
    let thousandths = bytes.saturating_mul(1000) / (1 << 20) + u64::from(!bytes.is_multiple_of(1 << 20));
    // A tree without a page has not even a part.
    let thousandths = if bytes == 0 { 0 } else { thousandths };
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// Halves are rounded up, as Microsoft's tool does.
fn percent(part: u64, whole: u64, digits: u32) -> String {
    let unit = 10_u128.pow(digits);
    let whole = u128::from(whole.max(1));
    let share = (u128::from(part) * 200 * unit + whole) / (2 * whole);
    format!("{}.{:0width$}%", share / unit, share % unit, width = usize::try_from(digits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares_are_written_as_microsofts_tool_writes_them() {
        assert_eq!([462, 11, 4, 0, 256].map(|pages| mebibytes(pages, 4096)), ["1.805", "0.043", "0.016", "0.000", "1.000"]);
        let shares =
            [(20, 462, 2), (0, 0, 2), (1, 160, 2), (70, 462, 1)].map(|(part, whole, digits)| percent(part, whole, digits));
        assert_eq!(shares, ["4.33%", "0.00%", "0.63%", "15.2%"]);
    }
}
