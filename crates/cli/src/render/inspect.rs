//! Files, pages, records and layouts as text.

use super::bytes;
use anchorlog_format::layout::{Layout, Shown};
use anchorlog_operations::inspect::{FieldView, Inspection, PageView, RecordView, Section};

/// A file.
pub fn text(inspection: &Inspection) -> String {
    let mut text = format!("{}: {}, {}\n", inspection.path, inspection.kind, bytes(inspection.size));
    for section in &inspection.sections {
        text.push('\n');
        text.push_str(&section_text(section));
    }
    if !inspection.findings.is_empty() {
        text.push('\n');
    }
    for finding in &inspection.findings {
        text.push_str(&super::finding(finding));
        text.push('\n');
    }
    text
}

fn section_text(section: &Section) -> String {
    let mut text = section.title.clone();
    if !section.microsoft.is_empty() {
        text.push_str(&format!(" ({})", section.microsoft));
    }
    text.push('\n');
    for field in &section.fields {
        let line = format!("  {:26} {:44} {}", field.name, value(&field.value), field.microsoft);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Numbers that people know in hexadecimal get both forms.
fn value(shown: &Shown) -> String {
    match shown {
        Shown::Unsigned(number) if *number > 9 => format!("{number} ({number:#x})"),
        other => other.to_string(),
    }
}

/// A page.
pub fn page(view: &PageView) -> String {
    let mut text = format!("{}: page {}, offset {:#x}\nchecksum: {}\n", view.path, view.page, view.offset, view.checksum);
    for section in &view.sections {
        text.push('\n');
        text.push_str(&section_text(section));
    }
    if !view.external_header.is_empty() {
        text.push_str(&format!("\ntag 0: {}\n", view.external_header));
    }
    for line in &view.lines {
        let place = line.tag.map_or_else(String::new, |(offset, length)| format!(" at {offset:#x}, {length} bytes"));
        let flags = if line.flags.is_empty() { String::new() } else { format!(" [{}]", line.flags.join(" ")) };
        text.push_str(&format!("\nline {}{place}{flags}\n", line.line));
        if let Some(error) = &line.error {
            text.push_str(&format!("  cannot be read: {error}\n"));
        }
        let prefix = if line.prefix > 0 { format!(" ({} bytes of it from the prefix)", line.prefix) } else { String::new() };
        text.push_str(&format!("  key  {}{prefix}\n", line.key));
        match line.child {
            Some(child) => text.push_str(&format!("  child page {child}\n")),
            None => text.push_str(&format!("  data {} bytes {}\n", line.data_size, line.data)),
        }
    }
    text
}

/// A record, in one line.
pub fn record(record: &RecordView) -> String {
    let fields = record.fields.iter().filter(|field| !field.microsoft.is_empty() || field.offset.is_none());
    let fields: Vec<String> = fields.map(field_text).collect();
    let mut text = format!("{} {} ({} bytes) {}", record.position, record.kind, record.size, fields.join(", "));
    if let Some(error) = &record.error {
        text.push_str(&format!(" cannot be decoded: {error}"));
    }
    text.trim_end().to_owned()
}

fn field_text(field: &FieldView) -> String {
    format!("{} {}", field.name, field.value)
}

/// A declared structure.
pub fn layout(layout: &Layout) -> String {
    let mut text = format!("{} ({}), {} bytes, {}\n\n", layout.name, layout.microsoft, layout.size, layout.source);
    text.push_str(&format!(
        "{:>6} {:>5}  {:16} {:26} {:34} {:16} meaning\n",
        "offset", "size", "type", "name", "Microsoft's name", "since"
    ));
    for field in layout.fields {
        let name = field.name.replace('_', " ");
        text.push_str(&format!(
            "{:>6} {:>5}  {:16} {name:26} {:34} {:16} {}\n",
            field.offset, field.size, field.kind, field.microsoft, field.since, field.meaning
        ));
    }
    text
}
