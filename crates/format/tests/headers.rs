//! Headers, flush maps and trailers of every data set, against the engine's own texts.

use anchorlog_checksum::{PageVerdict, verify_page};
use anchorlog_format::database::flush_map::{self, FlushMapHeader, FlushMapPage, FlushType, MAP_PAGE};
use anchorlog_format::database::{Copies, DatabaseState, HeaderPage, Trailer};
use anchorlog_format::units::PageNumber;
use anchorlog_testkit::data;
use anchorlog_testkit::header_text::{HeaderText, backup_lines, header_lines, header_texts, lines_of_the_header};
use std::fs;
use std::path::{Path, PathBuf};

fn start_of(file: &Path) -> Vec<u8> {
    let mut bytes = fs::read(file).unwrap();
    bytes.truncate(HeaderPage::ELECTION_BYTES);
    bytes
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() { files.extend(files_below(&entry.path())) } else { files.push(entry.path()) }
    }
    files.sort();
    files
}

/// The folders in which a text's database may lie, best first: files that a recovery did not change lie in `before` alone.
fn folders_of(text: &str) -> Vec<String> {
    let name = text.trim_end_matches(".txt");
    let list: &[&str] = match name {
        "mh-before" => &["before/db", "base/db"],
        "mh" => &["after/db", "before/db", "clean"],
        "mh-redo" => &["after-redo/db", "before/db"],
        "mh-compacted" => &["compacted"],
        "mh-full-before" => &["full"],
        "mh-full" => &["after-full"],
        "mh-production" => &["production/db"],
        _ => return name.strip_prefix("mh-").map(str::to_owned).into_iter().collect(),
    };
    list.iter().map(|&folder| folder.to_owned()).collect()
}

/// Every pair of a database and the engine's text of its header.
fn pairs() -> Vec<(PathBuf, HeaderText)> {
    let mut pairs = Vec::new();
    for set in data::engine_sets() {
        let folder = set.folder();
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !(name.starts_with("mh") && name.ends_with(".txt")) {
                continue;
            }
            for text in header_texts(&String::from_utf8_lossy(&fs::read(entry.path()).unwrap())) {
                let place =
                    folders_of(&name).into_iter().map(|place| folder.join(place).join(&text.file)).find(|file| file.is_file());
                pairs.extend(place.map(|file| (file, text)));
            }
        }
    }
    let real = data::real_sets();
    for set in real.iter().filter(|set| set.name != "oracle") {
        let Some(oracle) = real.iter().find(|other| other.name == "oracle" && other.archive.parent() == set.archive.parent())
        else {
            continue;
        };
        let (files, texts) = (set.folder(), oracle.folder().join("db"));
        for text_file in if texts.is_dir() { files_below(&texts) } else { Vec::new() } {
            if text_file.file_name().unwrap() != "mh.txt" {
                continue;
            }
            let file = files.join(text_file.parent().unwrap().strip_prefix(&texts).unwrap());
            let text = header_texts(&String::from_utf8_lossy(&fs::read(&text_file).unwrap()));
            pairs.extend(text.into_iter().filter(|_| file.is_file()).map(|text| (file.clone(), text)));
        }
    }
    pairs
}

#[test]
fn every_field_of_every_header_is_what_the_engine_says() {
    let pairs = pairs();
    let mut compared = 0;
    for (file, text) in &pairs {
        let (page, _) = HeaderPage::elect(&start_of(file)).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
        let (mut ours, theirs) = (header_lines(&page.header), lines_of_the_header(text));
        if text.lines.iter().any(|line| line.starts_with("Patch Current Full Backup")) {
            ours.truncate(ours.len() - 3);
        }
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{}", file.display());
        }
        assert_eq!(ours.len(), theirs.len(), "{}: {theirs:#?}", file.display());
        compared += 1;
    }
    eprintln!("compared {compared} headers");
    assert!(compared >= 4, "only {compared} headers compared");
}

#[test]
fn every_header_is_written_back_as_it_was_and_keeps_the_engines_rules() {
    for (file, _) in pairs() {
        let start = start_of(&file);
        let (page, copies) = HeaderPage::elect(&start).unwrap();
        let size = page.page_size().bytes();
        let primary = if copies == Copies::PrimaryDamaged { &start[size..2 * size] } else { &start[..size] };
        assert_eq!(page.to_bytes(), primary, "{}", file.display());
        // A streamed copy's required range ends in its trailer, so that only the rules of a whole file hold for it.
        if page.header.format().known() == anchorlog_format::database::version::Known::Fully {
            assert_eq!(page.header.broken_rules(), Vec::<&str>::new(), "{}", file.display());
        }
    }
}

#[test]
fn the_trailer_of_every_streamed_copy_is_what_the_engine_says_and_completes_its_header() {
    for (file, text) in pairs() {
        if !text.lines.iter().any(|line| line.starts_with("Patch Current Full Backup")) {
            continue;
        }
        let bytes = fs::read(&file).unwrap();
        let (mut page, _) = HeaderPage::elect(&bytes).unwrap();
        let last = &bytes[bytes.len() - page.page_size().bytes()..];
        let trailer = Trailer::from_page(last).unwrap();
        assert_eq!(trailer.to_page(page.page_size()), last);
        let joined = text.lines.join("\n");
        for line in backup_lines("Patch Current Full Backup", &trailer.backup) {
            assert!(joined.contains(&line), "{line}");
        }
        let (low, high) = (trailer.min_required.0, trailer.max_required.0);
        assert!(joined.contains(&format!("Log Required: {low}-{high} ({low:#x}-{high:#x})\n")), "{joined}");
        trailer.complete(&mut page.header).unwrap();
        assert_eq!(page.header.max_required, trailer.backup.high);
        assert!(!page.header.needs_trailer() && page.header.broken_rules().is_empty());
    }
}

/// Databases with the flush map beside them.
fn maps() -> Vec<(PathBuf, PathBuf)> {
    data::engine_sets()
        .into_iter()
        .chain(data::real_sets())
        .flat_map(|set| files_below(&set.folder()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "jfm"))
        .filter_map(|map| {
            let beside = fs::read_dir(map.parent()?).ok()?.flatten().map(|entry| entry.path());
            let is_database = |file: &PathBuf| file.is_file() && *file != map && HeaderPage::elect(&start_of(file)).is_ok();
            let database = beside.into_iter().find(|file| file.file_stem() == map.file_stem() && is_database(file))?;
            Some((database, map))
        })
        .collect()
}

#[test]
fn every_flush_map_belongs_to_the_database_beside_it() {
    for (database, map) in maps() {
        let (page, _) = HeaderPage::elect(&start_of(&database)).unwrap();
        let bytes = fs::read(&map).unwrap();
        let header = FlushMapHeader::from_page(&bytes).unwrap_or_else(|fault| panic!("{}: {fault}", map.display()));
        assert_eq!(header.to_page(), &bytes[..MAP_PAGE], "{}", map.display());
        assert_eq!(header.accept_for(&page.header), Ok(()), "{}", map.display());
        for (number, map_page) in (0_u32..).zip(bytes[MAP_PAGE..].chunks_exact(MAP_PAGE)) {
            if map_page.iter().all(|&byte| byte == 0) {
                continue;
            }
            let head = FlushMapPage::read(map_page).unwrap();
            assert_eq!(head.number, number, "{}", map.display());
            assert!(matches!(verify_page(map_page, number), PageVerdict::Valid(_)), "{}", map.display());
        }
    }
}

// trap db-1 D29
#[test]
fn d29_only_a_clean_pair_is_compared_page_by_page_and_none_of_its_pages_differs() {
    for (database, map) in maps() {
        let (bytes, map_bytes) = (fs::read(&database).unwrap(), fs::read(&map).unwrap());
        let (page, _) = HeaderPage::elect(&bytes).unwrap();
        let map_header = FlushMapHeader::from_page(&map_bytes).unwrap();
        if page.header.state != DatabaseState::CleanShutdown || !map_header.is_clean() {
            continue;
        }
        let size = page.page_size();
        for (number, image) in (1_u32..).zip(bytes[2 * size.bytes()..].chunks_exact(size.bytes())) {
            if image.iter().all(|&byte| byte == 0) || !matches!(verify_page(image, number), PageVerdict::Valid(_)) {
                continue;
            }
            let flags = u32::from_le_bytes(image[36..40].try_into().unwrap());
            let in_page = FlushType::from_bits(u8::try_from(flags >> 15 & 3).unwrap());
            let (map_page, entry) = flush_map::entry_of(PageNumber(number));
            let at = (usize::try_from(map_page).unwrap() + 1) * MAP_PAGE;
            let in_map = flush_map::flush_type(&map_bytes[at..at + MAP_PAGE], entry);
            let old_writer = in_page == FlushType::Unknown || in_map == FlushType::Unknown;
            assert!(in_map == in_page || old_writer, "{}: page {number}: {in_map:?}, {in_page:?}", map.display());
        }
    }
}
