//! Headers, flush maps and trailers of every data set, against the engine's own texts.

use anchorlog_checksum::{PageVerdict, verify_page};
use anchorlog_format::database::flush_map::{self, FlushMapHeader, FlushMapPage, FlushType, MAP_PAGE};
use anchorlog_format::database::{Copies, DatabaseHeader, DatabaseState, HeaderPage, Trailer};
use anchorlog_format::units::{BackupInfo, LogPosition, LogTime, PageNumber, Signature};
use anchorlog_testkit::data;
use anchorlog_testkit::header_text::{HeaderText, header_texts};
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

fn time(time: LogTime) -> String {
    let [second, minute, hour, day, month, year, ..] = time.0;
    format!("{month:02}/{day:02}/{:04} {hour:02}:{minute:02}:{second:02}.{:03}", 1900 + u32::from(year), time.millisecond())
}

fn zoned(value: LogTime) -> String {
    format!("{} {}", time(value), if value.is_utc() { "UTC" } else { "LOC" })
}

fn position(value: LogPosition) -> String {
    format!("({:#X},{:X},{:X})", value.generation.0, value.sector, value.byte).replacen("0X", "0x", 1)
}

fn signature(value: &Signature) -> String {
    format!("Create time:{} Rand:{} Computer:", time(value.created()), value.random())
}

fn backup(label: &str, value: &BackupInfo) -> [String; 4] {
    let (low, high) = (value.low.0, value.high.0);
    [
        format!("{label}:"),
        format!("Log Gen: {low}-{high} ({low:#x}-{high:#x})"),
        format!("Mark: {}", position(value.mark)),
        format!("Mark: {}", zoned(value.time)),
    ]
}

fn count(label: &str, value: u32, date_label: &str, date: Option<LogTime>) -> Vec<String> {
    if value == 0 {
        return vec![format!("{label}: none")];
    }
    let mut lines = vec![format!("{label}: found ({value})")];
    lines.extend(date.map(|date| format!("{date_label}: {}", zoned(date))));
    lines
}

/// The header as the engine's text shows it, line by line.
fn rendered(h: &DatabaseHeader) -> Vec<String> {
    let dec_hex = |value: u64| format!("{value} ({value:#x})");
    let (low_sort, high_sort) = (h.sort_version & 0xFFFF_FFFF, h.sort_version >> 32);
    let mut lines = vec![
        format!("Expected Checksum: {:#010x}", h.checksum),
        format!("Actual Checksum: {:#010x}", h.checksum),
        "Fields:".into(),
        format!("File Type: {}", if u32::from(h.file_type) == 0 { "Unknown".into() } else { h.file_type.to_string() }),
        format!("Checksum: {:#x}", h.checksum),
        format!("Format ulMagic: {:#x}", h.magic),
        format!("Format ulVersion: {}  (attached by {})", h.format(), h.newest_engine),
        format!("Created ulVersion: {:#x},{}", h.create_version, h.create_update),
        format!("DB Signature: {}", signature(&h.signature)),
        format!("cbDbPage: {}", h.page_size),
        format!("dbtime: {}", dec_hex(h.dbtime.0)),
        format!("State: {}", h.state),
        format!(
            "Log Required: {}-{} ({:#x}-{:#x}) [Min. Req. Pre-Redo: {}]",
            h.min_required.0,
            h.max_required.0,
            h.min_required.0,
            h.max_required.0,
            dec_hex(h.pre_redo_min_required.0.into())
        ),
        format!("Gen. Max. Req. Creation Time: {}", zoned(h.max_required_time)),
        format!("Log Committed: 0-{} (0x0-{:#x})", h.max_committed.0, h.max_committed.0),
        format!("Gen. Max. Com. Creation Time: {}", zoned(h.max_committed_time)),
        format!(
            "Log Consistent: {} [Pre-Redo: {}]",
            dec_hex(h.min_consistent.0.into()),
            dec_hex(h.pre_redo_min_consistent.0.into())
        ),
        format!("Log Recovering: {}", dec_hex(h.recovering.0.into())),
        format!("Shadowed: {}", if h.flags & 1 == 0 { "Yes" } else { "No" }),
        format!("Last Objid: {}", h.last_object),
        format!("Scrub Dbtime: {}", dec_hex(h.scrub_dbtime)),
        format!("Scrub Date: {}", zoned(h.scrub_time)),
        format!("Repair Count: {}", h.repair_count),
        format!("Repair Date: {}", zoned(h.repair_time)),
        format!("Old Repair Count: {}", h.repair_count_old),
        format!("Last Consistent: {}  {}", position(h.consistent_position), zoned(h.consistent_time)),
        format!("Last Attach: {}  {}", position(h.attach_position), zoned(h.attach_time)),
        format!("Last Detach: {}  {}", position(h.detach_position), zoned(h.detach_time)),
        format!("Last ReAttach: {}  {}", position(h.reattach_position), zoned(h.reattach_time)),
        format!("Dbid: {}", h.slot),
        format!("Log Signature: {}", signature(&h.log_signature)),
        format!(
            "OS Version: ({}.{}.{} SP {} NLS {:x}.{:x})",
            h.os_major, h.os_minor, h.os_build, h.os_service_pack, high_sort, low_sort
        ),
    ];
    for (label, stamp) in [
        ("Previous Full Backup", &h.full_backup),
        ("Previous Incremental Backup", &h.incremental_backup),
        ("Previous Copy Backup", &h.copy_backup),
        ("Previous Differential Backup", &h.differential_backup),
        ("Current Full Backup", &h.current_backup),
        ("Current Shadow copy backup", &h.snapshot_backup),
    ] {
        lines.extend(backup(label, stamp));
    }
    lines.extend([
        format!("cpgUpgrade55Format: {}", h.upgrade_55_pages),
        format!("cpgUpgradeFreePages: {}", h.upgrade_free_pages),
        format!("cpgUpgradeSpaceMapPages: {}", h.upgrade_space_pages),
        format!("Last Resize: {}", position(h.resize_position)),
        format!("Extend Count: {}", h.extend_count),
        format!("Extend Date: {}", zoned(h.extend_time)),
        format!("Shrink Count: {}", h.shrink_count),
        format!("Shrink Date: {}", zoned(h.shrink_time)),
        format!("Trim Count: {}", h.trim_count),
    ]);
    lines.extend(count("ECC Fix Success Count", h.corrected, "Last ECC Fix Success Date", Some(h.corrected_time)));
    lines.extend(count("Old ECC Fix Success Count", h.corrected_old, "", None));
    lines.extend(count("ECC Fix Error Count", h.uncorrected, "Last ECC Fix Error Date", Some(h.uncorrected_time)));
    lines.extend(count("Old ECC Fix Error Count", h.uncorrected_old, "", None));
    lines.extend(count("Bad Checksum Error Count", h.bad_checksums, "Last Bad Checksum Error Date", Some(h.bad_checksum_time)));
    lines.extend(count("Old bad Checksum Error Count", h.bad_checksums_old, "", None));
    lines.extend([
        format!("Last Database Maintenance Finish Date: {}", zoned(h.scan_finished)),
        format!("Current Database Maintenance Start Date: {}", zoned(h.scan_started)),
        format!("Highest Continuous Database Maintenance Page: {}", h.scan_page),
        format!("Highest Database Maintenance Page: {}", h.scan_highest),
        format!("Database Header Flush Signature: {}", signature(&h.header_flush)),
        format!("Flush Map Header Flush Signature: {}", signature(&h.map_flush)),
        format!("RBS Header Flush Signature: {}", signature(&h.revert_flush)),
    ]);
    lines
}

/// The lines that show the header, without the tool's own versions and remarks. Behind the trailer's block, which has its own test, the
/// tool prints empty flush signatures whatever the file holds: it has merged the trailer in memory by then.
fn lines_of_the_header(text: &HeaderText) -> Vec<String> {
    let mut lines = Vec::new();
    let mut in_trailer = false;
    for line in &text.lines {
        in_trailer |= line.starts_with("Patch Current Full Backup");
        let remark = ["DATABASE HEADER", "Checksum Information", "Engine ul", "WARNING", "Initiating", "Operation", "Integrity"];
        if !in_trailer && !remark.iter().any(|start| line.starts_with(start)) {
            lines.push(line.split("  (Matches").next().unwrap().to_owned());
        }
    }
    lines
}

#[test]
fn every_field_of_every_header_is_what_the_engine_says() {
    let pairs = pairs();
    let mut compared = 0;
    for (file, text) in &pairs {
        let (page, _) = HeaderPage::elect(&start_of(file)).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
        let (mut ours, theirs) = (rendered(&page.header), lines_of_the_header(text));
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
        for line in backup("Patch Current Full Backup", &trailer.backup) {
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
