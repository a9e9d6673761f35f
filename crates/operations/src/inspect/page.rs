//! One page of a database: header, tags, nodes.

use super::section::Section;
use crate::identify::{Content, identify};
use anchorlog_checksum::{PageVerdict, verify_page};
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::Page;
use anchorlog_format::page::header::{LargePageHeader, PageHeader};
use anchorlog_format::units::{PageNumber, PageSize};
use anchorlog_storage::Folder;
use serde::Serialize;
use std::io;
use std::path::Path;

/// A page.
#[derive(Clone, Debug, Serialize)]
pub struct PageView {
    /// The file.
    pub path: String,
    /// The page's number by its place in the file.
    pub page: PageNumber,
    /// Where it begins in the file.
    pub offset: u64,
    /// What its checksum says.
    pub checksum: String,
    /// Its header.
    pub sections: Vec<Section>,
    /// Tag 0 in hexadecimal: the prefix of the page's keys, or a root's space header and other fields.
    pub external_header: String,
    /// Its nodes.
    pub lines: Vec<LineView>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct LineView {
    /// Line, from 0.
    pub line: u16,
    /// The tag: offset in the data area and length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<(usize, usize)>,
    /// Flags by name.
    pub flags: Vec<&'static str>,
    /// Bytes of the page's prefix with which the key begins.
    pub prefix: u16,
    /// The whole key in hexadecimal.
    pub key: String,
    /// Bytes of data.
    pub data_size: usize,
    /// Data in hexadecimal.
    pub data: String,
    /// The page below, on inner pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<PageNumber>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl PageView {
    /// Reads a page of a database.
    ///
    /// # Errors
    /// `InvalidInput` where the file is no database, or ends before the page; any error of the storage.
    pub fn read(folder: &dyn Folder, path: &Path, shown: &str, page: PageNumber) -> io::Result<Self> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let size = match identify(folder, path)?.content {
            Content::Database { page, .. } => page.page_size(),
            Content::DamagedDatabase { page_size: Some(size) } => size,
            other => return Err(invalid(format!("{shown} has no pages: it is {}", other.describe()))),
        };
        let mut bytes = vec![0; size.bytes()];
        let offset = size.offset_of(page);
        if page.is_none() || folder.open(path)?.read_at(offset, &mut bytes)? < bytes.len() {
            return Err(invalid(format!("{shown} has no page {page}")));
        }
        Ok(Self::of(&bytes, size, shown, page))
    }

    fn of(bytes: &[u8], size: PageSize, shown: &str, number: PageNumber) -> Self {
        let mut view = Self {
            path: shown.to_owned(),
            page: number,
            offset: size.offset_of(number),
            checksum: String::new(),
            sections: vec![Section::of(&PageHeader::LAYOUT, bytes, "page header")],
            external_header: String::new(),
            lines: Vec::new(),
            findings: Vec::new(),
        };
        if size.is_large() {
            view.sections.push(Section::of(&LargePageHeader::LAYOUT, bytes, "rest of the header of a large page"));
        }
        let verdict = verify_page(bytes, number.0);
        view.checksum = view.judge(&verdict);
        if verdict != PageVerdict::Uninitialised
            && let Some(page) = Page::new(bytes)
        {
            view.external_header = page.external_header().map(hex).unwrap_or_default();
            view.lines = (0..page.lines()).map(|line| line_of(&page, line)).collect();
        }
        view
    }

    fn judge(&mut self, verdict: &PageVerdict) -> String {
        let place = Place::file(&self.path).page(self.page).offset(self.offset);
        let (jet, text) = match verdict {
            PageVerdict::Valid(format) => return format!("right ({format:?})"),
            PageVerdict::Uninitialised => return "the page was never written: all zero".into(),
            PageVerdict::Correctable(errors) => {
                let text = format!("{} flipped bit(s), which can be corrected: {errors:?}", errors.len());
                self.findings.push(Finding::warning(place, text.clone()).with_jet(JetCode::READ_VERIFY_FAILURE));
                return text;
            }
            PageVerdict::OtherPage { number } => {
                (JetCode::READ_PGNO_VERIFY_FAILURE, format!("right, but it carries the number of page {number}"))
            }
            PageVerdict::Damaged(_) | PageVerdict::NotAPage => {
                (JetCode::READ_VERIFY_FAILURE, "wrong: the page is damaged".to_owned())
            }
        };
        self.findings.push(Finding::error(place, jet, text.clone()));
        text
    }
}

fn line_of(page: &Page<'_>, line: u16) -> LineView {
    let mut view = LineView {
        line,
        tag: line.checked_add(page.reserved_tags()).and_then(|index| page.place_of(index).ok()),
        flags: Vec::new(),
        prefix: 0,
        key: String::new(),
        data_size: 0,
        data: String::new(),
        child: None,
        error: None,
    };
    let node = match page.line(line) {
        Ok(node) => node,
        Err(fault) => {
            view.error = Some(fault.to_string());
            return view;
        }
    };
    let names = [
        (node.flags.is_versioned(), "version"),
        (node.flags.is_deleted(), "deleted"),
        (node.flags.is_compressed(), "compressed"),
    ];
    view.flags = names.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    view.prefix = node.prefix_length;
    let mut key = Vec::new();
    match page.key(&node, &mut key) {
        Ok(()) => view.key = hex(&key),
        Err(fault) => view.error = Some(fault.to_string()),
    }
    view.data_size = node.data.len();
    view.data = hex(node.data);
    view.child = if page.flags().is_leaf() { None } else { node.child() };
    view
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
