//! A structure's fields as people and programs read them.

use anchorlog_format::layout::{Layout, Shown};
use anchorlog_format::log::attachments::{Attachment, AttachmentFields};
use anchorlog_format::log::parameters::Parameters;
use anchorlog_format::units::Signature;
use serde::Serialize;

/// One field.
#[derive(Clone, Debug, Serialize)]
pub struct FieldView {
    /// Our plain name.
    pub name: String,
    /// Microsoft's name; empty where none is known.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub microsoft: &'static str,
    /// Bytes from the structure's start; `None` for what is not stored but derived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    /// The value.
    pub value: Shown,
    /// What it means.
    pub meaning: &'static str,
}

/// A structure.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Which one it is in this file.
    pub title: String,
    /// Our name of the structure; empty for what is not one structure on disk.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub layout: &'static str,
    /// Microsoft's name of the structure.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub microsoft: &'static str,
    /// Its fields.
    pub fields: Vec<FieldView>,
}

impl Section {
    /// A section of derived values alone.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), layout: "", microsoft: "", fields: Vec::new() }
    }

    /// All fields of a structure that lies at the start of `bytes`.
    #[must_use]
    pub fn of(layout: &Layout, bytes: &[u8], title: &str) -> Self {
        let mut section = Self { title: title.to_owned(), layout: layout.name, microsoft: layout.microsoft, fields: Vec::new() };
        for field in layout.fields {
            if let Some(value) = (field.show)(bytes) {
                let (name, offset) = (field.name.replace('_', " "), Some(field.offset));
                section.fields.push(FieldView { name, microsoft: field.microsoft, offset, value, meaning: field.meaning });
            }
        }
        section
    }

    /// The same, with the engine's parameters in a section of their own and without the list of attached databases.
    #[must_use]
    pub fn nested(layout: &Layout, bytes: &[u8], title: &str) -> Vec<Self> {
        let mut section = Self::of(layout, bytes, title);
        let parameters = layout.fields.iter().find(|field| field.size == Parameters::SIZE);
        let inner = parameters.and_then(|field| bytes.get(field.offset..));
        let apart = |field: &FieldView| field.microsoft == "rgbAttach" || field.microsoft == "dbms_param";
        section.fields.retain(|field| !apart(field));
        let mut sections = vec![section];
        if let Some(inner) = inner {
            let mut own = Self::of(&Parameters::LAYOUT, inner, "parameters of the engine");
            if let Some(read) = Parameters::read(inner) {
                for (field, text) in
                    [("szSystemPathDebugOnly", read.system_folder()), ("szLogFilePathDebugOnly", read.log_folder())]
                {
                    if let Some(view) = own.fields.iter_mut().find(|view| view.microsoft == field) {
                        view.value = Shown::Text(text);
                    }
                }
            }
            sections.push(own);
        }
        sections
    }

    /// An entry of a list of attached databases.
    #[must_use]
    pub fn of_attachment(entry: &Attachment) -> Self {
        let mut bytes = vec![0; AttachmentFields::SIZE];
        AttachmentFields {
            database: entry.database,
            flags: entry.flags,
            name_length: u16::try_from(entry.name.len()).unwrap_or(u16::MAX),
            dbtime: entry.dbtime,
            object_last: entry.object_last,
            size_max: entry.size_max,
            attach: entry.attach,
            consistent: entry.consistent,
            signature: entry.signature,
        }
        .write(&mut bytes);
        let mut section = Self::of(&AttachmentFields::LAYOUT, &bytes, &format!("attached database {}", entry.database));
        section.derived("path", Shown::Text(entry.path().to_string()), "as the engine knew it");
        section
    }

    /// Adds a value that is not stored as such.
    pub fn derived(&mut self, name: &str, value: Shown, meaning: &'static str) {
        self.fields.push(FieldView { name: name.to_owned(), microsoft: "", offset: None, value, meaning });
    }

    /// The value of a field, by either name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Shown> {
        self.fields.iter().find(|field| field.name == name || field.microsoft == name).map(|field| &field.value)
    }
}

/// A signature short enough to tell streams apart by eye.
#[must_use]
pub fn short(signature: &Signature) -> String {
    if signature.is_none() { "none".into() } else { format!("{:08x}", signature.random()) }
}
