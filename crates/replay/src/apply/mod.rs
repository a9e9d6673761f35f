//! What each physical operation does to the pages that it names: the one place where pages change (`log-4`).
//!
//! Nothing here knows files, caches, sessions or the order of things: the caller has decided which pages an operation
//! applies to, has stamped them, and hands them in as a [`PageSet`]. A fuzzer, a page restore or a history reader can do
//! the same.

pub mod image;
pub mod merge;
pub mod node;
pub mod split;
pub mod tree;

use anchorlog_format::jet::JetCode;
use anchorlog_format::page::{Fault, NoRoom, Page, PageEditor};
use anchorlog_format::units::PageNumber;
use std::fmt;

/// An operation that does not fit the page it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyError {
    /// The code that Microsoft's engine gives.
    pub jet: JetCode,
    /// The page.
    pub page: PageNumber,
    /// What does not fit.
    pub reason: String,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}: {} ({})", self.page, self.reason, self.jet)
    }
}

impl std::error::Error for ApplyError {}

impl ApplyError {
    pub(crate) fn new(jet: JetCode, page: PageNumber, reason: impl Into<String>) -> Self {
        Self { jet, page, reason: reason.into() }
    }
    pub(crate) fn corrupt(page: PageNumber, reason: impl Into<String>) -> Self {
        Self::new(JetCode::DATABASE_CORRUPTED, page, reason)
    }
    pub(crate) fn edit(page: PageNumber, error: NoRoom) -> Self {
        match error {
            NoRoom::Space => Self::corrupt(page, "the node does not fit on the page"),
            NoRoom::Line => Self::new(JetCode::BAD_LINE_COUNT, page, "the page has no such line"),
            NoRoom::Damaged(fault) => Self::corrupt(page, fault.to_string()),
        }
    }
    fn fault(page: PageNumber, fault: Fault) -> Self {
        Self::edit(page, fault.into())
    }
}

/// Page images with their numbers.
pub type PageImages = Vec<(PageNumber, Box<[u8]>)>;

/// The pages that take part in one operation. A page that is not in the set is left as it is: it is newer than the operation, or
/// noted as missing. A scratch page stands in for a newer one as a source of nodes and is thrown away (trap V11).
#[derive(Default)]
pub struct PageSet {
    pages: Vec<Participant>,
}

struct Participant {
    number: PageNumber,
    image: Box<[u8]>,
    scratch: bool,
}

impl PageSet {
    /// Adds a page that the operation applies to.
    pub fn add(&mut self, number: PageNumber, image: Box<[u8]>) {
        self.pages.push(Participant { number, image, scratch: false });
    }
    /// Adds a stand-in for a page that is newer than the operation.
    pub fn add_scratch(&mut self, number: PageNumber, image: Box<[u8]>) {
        self.pages.push(Participant { number, image, scratch: true });
    }
    /// Whether the operation applies to a page.
    #[must_use]
    pub fn needs(&self, number: PageNumber) -> bool {
        self.pages.iter().any(|page| page.number == number && !page.scratch)
    }
    /// A page as a source: one that the operation applies to, or its stand-in.
    #[must_use]
    pub fn source(&self, number: PageNumber) -> Option<Page<'_>> {
        self.pages.iter().find(|page| page.number == number).and_then(|page| Page::new(&page.image))
    }
    /// A page to be changed; `None` where the operation does not apply to it.
    pub fn editor(&mut self, number: PageNumber) -> Option<PageEditor<'_>> {
        let page = self.pages.iter_mut().find(|page| page.number == number && !page.scratch)?;
        PageEditor::new(&mut page.image)
    }
    /// The changed pages; stand-ins are dropped.
    #[must_use]
    pub fn into_pages(self) -> PageImages {
        self.pages.into_iter().filter(|page| !page.scratch).map(|page| (page.number, page.image)).collect()
    }
    /// The page numbers to which the operation applies.
    #[must_use]
    pub fn needed(&self) -> Vec<PageNumber> {
        self.pages.iter().filter(|page| !page.scratch).map(|page| page.number).collect()
    }
}

/// Equal leading bytes: what a node may take from a prefix. Two bytes or less save nothing and are not taken (trap V14).
pub(crate) fn prefix_length(key: &[u8], prefix: &[u8]) -> u16 {
    let common = key.iter().zip(prefix).take_while(|(a, b)| a == b).count();
    if common > 2 { u16::try_from(common).unwrap_or(0) } else { 0 }
}
