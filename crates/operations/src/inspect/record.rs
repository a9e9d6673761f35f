//! The records of a log, one by one.

use super::section::FieldView;
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::layout::Shown;
use anchorlog_format::log::file::{LogFile, LogRecord};
use anchorlog_format::log::record::Operation;
use anchorlog_format::units::LogPosition;
use serde::Serialize;
use std::ops::ControlFlow;

/// One record.
#[derive(Clone, Debug, Serialize)]
pub struct RecordView {
    /// Its position, as the writer saw it.
    pub position: LogPosition,
    /// Our name of its type.
    pub kind: &'static str,
    /// Microsoft's name of its type.
    pub microsoft: &'static str,
    /// The number of its type.
    pub number: u8,
    /// Bytes.
    pub size: usize,
    /// Its fields.
    pub fields: Vec<FieldView>,
    /// Why it could not be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Hands every record of a log to `each`, in order, until it breaks. A place at which the records cannot be followed is returned.
pub fn records(log: &LogFile<'_>, file: &str, mut each: impl FnMut(RecordView) -> ControlFlow<()>) -> Option<Finding> {
    for record in log.records() {
        match record {
            Ok(record) => {
                if each(view(&record)).is_break() {
                    return None;
                }
            }
            Err(fault) => {
                let place = Place::file(file).position(fault.position);
                return Some(Finding::error(place, fault.error.jet(), fault.to_string()));
            }
        }
    }
    None
}

fn view(record: &LogRecord<'_>) -> RecordView {
    let kind = record.record_type();
    let mut fields = Vec::new();
    let mut error = None;
    match record.operation() {
        Ok(operation) => fields = fields_of(&operation, &record.bytes),
        Err(fault) => error = Some(fault.to_string()),
    }
    RecordView {
        position: record.writer_position,
        kind: kind.name(),
        microsoft: kind.entry().map_or("", |entry| entry.microsoft),
        number: kind.0,
        size: record.bytes.len(),
        fields,
        error,
    }
}

fn fields_of(operation: &Operation<'_>, bytes: &[u8]) -> Vec<FieldView> {
    let mut fields = Vec::new();
    for field in operation.layouts().into_iter().flat_map(|layout| layout.fields) {
        if let Some(value) = (field.show)(bytes) {
            let (name, offset) = (field.name.replace('_', " "), Some(field.offset));
            fields.push(FieldView { name, microsoft: field.microsoft, offset, value, meaning: field.meaning });
        }
    }
    for (name, value) in operation.parts() {
        if !matches!(&value, Shown::Text(text) if text.is_empty()) {
            fields.push(FieldView { name: name.replace('_', " "), microsoft: "", offset: None, value, meaning: "variable part" });
        }
    }
    fields
}
