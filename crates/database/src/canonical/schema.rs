//! How a table's schema is written: in the terms of Microsoft's interface, whose bits are not those of the catalog (`db-4 §6`).

use crate::catalog::{Column, DEFAULT_KEY_MOST, Index, Table};
use anchorlog_format::data::catalog::IndexFlags;
use anchorlog_format::data::column::{ColumnType, Placement};
use anchorlog_format::space::{CATALOG, CATALOG_SHADOW};
use std::fmt::Write as _;

/// The line that describes a table.
pub(super) fn table(table: &Table) -> String {
    let template = table.template.as_ref().map(|name| format!(",\"template\":{}", string(name))).unwrap_or_default();
    let columns: Vec<String> = table.columns.iter().map(|each| column(each)).collect();
    let indexes: Vec<String> = table.indexes.iter().map(|each| index(table, each)).collect();
    format!(
        "{{\"table\":{},\"flags\":{}{template},\"columns\":[{}],\"indexes\":[{}]}}",
        string(&table.name),
        table.flags,
        columns.join(","),
        indexes.join(",")
    )
}

/// A JSON string.
pub(super) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn column(column: &Column) -> String {
    let default = default(column).map(|bytes| format!(",\"default\":\"{bytes}\"")).unwrap_or_default();
    format!(
        "{{\"id\":{},\"name\":{},\"coltyp\":{},\"max_len\":{},\"code_page\":{},\"flags\":{}{default}}}",
        column.id(),
        string(&column.name),
        column.kind.number(),
        column.size,
        column.code_page,
        column_bits(column)
    )
}

/// The default as the engine tells it: a bit is 0 or 0xFF, whatever non-zero byte the catalog has.
fn default(column: &Column) -> Option<String> {
    match (column.kind, column.default.as_deref()?) {
        (ColumnType::Bit, [byte]) => Some(if *byte == 0 { "00" } else { "ff" }.into()),
        (_, bytes) => Some(hex::encode(bytes)),
    }
}

/// `JET_bitColumn…`
fn column_bits(column: &Column) -> u32 {
    let flags = column.flags;
    let placement = match column.fid.placement() {
        Some(Placement::Fixed) => 0x1,
        Some(Placement::Tagged) => 0x2,
        _ => 0,
    };
    let bits = [
        (flags.is_not_null(), 0x4),
        (flags.is_version(), 0x8),
        (flags.is_autoincrement(), 0x10),
        (flags.is_multi_valued(), 0x400),
        (flags.is_escrow(), 0x800),
        (flags.is_finalize(), 0x4000),
        (flags.has_user_default(), 0x8000),
        (flags.is_delete_on_zero(), 0x20000),
        (flags.is_compressed(), 0x80000),
        (flags.is_encrypted(), 0x10_0000),
    ];
    bits.iter().filter(|(set, _)| *set).fold(placement, |all, (_, bit)| all | bit)
}

fn index(table: &Table, index: &Index) -> String {
    let name_of = |segment| table.column_of(segment).map_or("?", |column| column.name.as_str());
    let key: Vec<String> = index
        .segments
        .iter()
        .map(|segment| string(&format!("{}{}", if segment.descending { '-' } else { '+' }, name_of(segment))))
        .collect();
    let mut text = format!("{{\"name\":{},\"key\":[{}],\"flags\":{}", string(&index.name), key.join(","), index_bits(index));
    // Of tables that derive from a template the engine's interface does not tell the rest reliably.
    if table.template.is_none() {
        let _ = write!(text, ",\"key_most\":{}", index.key_most.max(DEFAULT_KEY_MOST));
        match index.tuple {
            Some(t) => {
                let _ = write!(text, ",\"tuple\":[{},{},{},{},{}]", t.least, t.most, t.to_index, t.increment, t.start);
            }
            None => {
                let _ = write!(text, ",\"var_seg_max\":{}", segment_most(table, index));
            }
        }
        if !index.conditions.is_empty() {
            let conditions: Vec<String> = index
                .conditions
                .iter()
                .map(|condition| {
                    let kind = if condition.must_be_null { "null" } else { "nonnull" };
                    string(&format!("{kind}:{}", name_of(condition)))
                })
                .collect();
            let _ = write!(text, ",\"conditions\":[{}]", conditions.join(","));
        }
        let _ = write!(text, ",\"map_flags\":{}", map_flags(table, index));
        if let Some(locale) = &index.locale {
            let _ = write!(text, ",\"locale\":{}", string(locale));
        }
    }
    text.push('}');
    text
}

/// `JET_bitIndex…`
fn index_bits(index: &Index) -> u32 {
    let flags: IndexFlags = index.flags;
    let nulls_matter = !flags.refuses_nulls();
    let bits = [
        (flags.is_unique(), 0x1),
        (flags.is_primary(), 0x2),
        (flags.refuses_nulls(), 0x4),
        (nulls_matter && !flags.allows_all_nulls(), 0x8),
        (nulls_matter && !flags.allows_some_nulls(), 0x20),
        (nulls_matter && !flags.allows_first_null(), 0x40),
        (flags.sorts_nulls_high(), 0x400),
        (index.tuple.is_some(), 0x3000),
        (flags.is_cross_product(), 0x4000),
        (index.key_most > DEFAULT_KEY_MOST, 0x8000),
        (flags.refuses_truncation(), 0x10000),
        (flags.is_nested_table(), 0x20000),
        (flags.has_dot_net_guids(), 0x40000),
    ];
    bits.iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit)
}

/// Most bytes of a segment. Where all columns of a primary key have a fixed size, the engine tells the bytes that they take.
fn segment_most(table: &Table, index: &Index) -> u16 {
    let fixed = |segment| {
        let column = table.column_of(segment)?;
        let of_binary = || (column.kind == ColumnType::Binary && column.fid.is_fixed()).then_some(column.size as usize);
        Some(1 + column.kind.size().or_else(of_binary)?)
    };
    let whole = || index.segments.iter().map(fixed).sum::<Option<usize>>().and_then(|sum| u16::try_from(sum).ok());
    index
        .segment_most
        .or_else(|| if index.flags.is_primary() { whole() } else { None })
        .map_or(index.key_most, |most| most.min(index.key_most))
}

/// Flags of text mapping: the engine tells them where they matter, and of the catalog's own indexes what it was built with.
fn map_flags(table: &Table, index: &Index) -> u32 {
    let of_catalog = table.tree.objid == CATALOG.objid || table.tree.objid == CATALOG_SHADOW.objid;
    match (of_catalog, index.flags.is_localized()) {
        (true, _) => DEFAULT_MAP_FLAGS,
        (false, true) => index.map_flags,
        (false, false) => 0,
    }
}

/// Sort key, ignoring case, kana type and width (`db-6 §6`).
const DEFAULT_MAP_FLAGS: u32 = 0x0003_0401;
