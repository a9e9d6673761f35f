//! The flush map against the pages of its database: a page that is older than the map knows was lost on its way to the disk (`db-1 §14.5`).

use anchorlog_checksum::{PageVerdict, verify_page};
use anchorlog_database::database::Database;
use anchorlog_format::database::DatabaseState;
use anchorlog_format::database::flush_map::{FlushMapHeader, FlushMapPage, FlushType, MAP_PAGE, entry_of, flush_type};
use anchorlog_format::finding::{Finding, Place};
use anchorlog_format::jet::JetCode;
use anchorlog_format::page::Page;
use anchorlog_format::units::PageNumber;
use anchorlog_storage::{File, Folder};
use std::io;
use std::path::Path;

/// Compares every page with the map beside the database. Only a clean pair tells anything: on a dirty database the map lags behind
/// (trap D29).
pub(super) fn compare(
    folder: &dyn Folder,
    path: &Path,
    database: &Database,
    shown: &str,
    out: &mut dyn FnMut(Finding),
) -> io::Result<()> {
    if database.header().header.state != DatabaseState::CleanShutdown {
        return Ok(());
    }
    let Ok(map) = folder.open(&path.with_extension("jfm")) else { return Ok(()) };
    let mut head = vec![0; MAP_PAGE];
    let read = map.read_at(0, &mut head)?;
    head.truncate(read);
    let accepted = FlushMapHeader::from_page(&head)
        .is_ok_and(|header| header.is_clean() && header.accept_for(&database.header().header).is_ok());
    if !accepted {
        return Ok(());
    }
    let pages = folder.open(path)?;
    let size = database.page_size();
    let mut image = vec![0; size.bytes()];
    let mut window = Window { map: &*map, number: None, bytes: vec![0; MAP_PAGE], usable: false };
    for number in (1..=database.pages()).map(PageNumber) {
        if pages.read_at(size.offset_of(number), &mut image)? < image.len() {
            break;
        }
        let (map_page, entry) = entry_of(number);
        window.move_to(map_page)?;
        let known = if window.usable { flush_type(&window.bytes, entry) } else { FlushType::Unknown };
        if known == FlushType::Unknown {
            continue;
        }
        let lost = match verify_page(&image, number.0) {
            PageVerdict::Uninitialised => true,
            PageVerdict::Valid(_) => Page::new(&image).is_some_and(|page| {
                let own = FlushType::from_bits(page.flags().flush_type());
                own != FlushType::Unknown && own != known && page.dbtime() <= window.highest()
            }),
            _ => false,
        };
        if lost {
            let message = "the page is older than the flush map knows: a write of it was lost";
            let place = Place::file(shown).page(number).offset(size.offset_of(number));
            out(Finding::error(place, JetCode::READ_LOST_FLUSH_VERIFY_FAILURE, message));
        }
    }
    Ok(())
}

/// One data page of the map.
struct Window<'a> {
    map: &'a dyn File,
    number: Option<u32>,
    bytes: Vec<u8>,
    usable: bool,
}

impl Window<'_> {
    fn move_to(&mut self, number: u32) -> io::Result<()> {
        if self.number == Some(number) {
            return Ok(());
        }
        self.number = Some(number);
        let offset = (u64::from(number) + 1) * MAP_PAGE as u64;
        let whole = self.map.read_at(offset, &mut self.bytes)? == MAP_PAGE;
        // A page of the map that does not hold tells nothing.
        self.usable = whole && matches!(verify_page(&self.bytes, number), PageVerdict::Valid(_));
        Ok(())
    }
    fn highest(&self) -> anchorlog_format::units::Dbtime {
        FlushMapPage::read(&self.bytes).map(|page| page.highest_dbtime).unwrap_or_default()
    }
}
