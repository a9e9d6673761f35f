//! The text of Microsoft's header dumps (`mh*.txt` of the data sets), cut into one list of lines for each database, and our own
//! headers in the same words.

use anchorlog_format::database::DatabaseHeader;
use anchorlog_format::units::{BackupInfo, LogPosition, LogTime, Signature};

/// The header text of one database.
#[derive(Clone, Debug)]
pub struct HeaderText {
    /// File name of the database, without a folder.
    pub file: String,
    /// Its lines, trimmed, without empty ones.
    pub lines: Vec<String>,
}

impl HeaderText {
    /// The value behind `label:`, of the first line that has it.
    #[must_use]
    pub fn value(&self, label: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(label)?.strip_prefix(':').map(str::trim))
    }
}

/// Cuts a text that holds the dumps of one or more databases, each led by its own `Database:` line.
#[must_use]
pub fn header_texts(text: &str) -> Vec<HeaderText> {
    let mut texts: Vec<HeaderText> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("====")) {
        if let Some(path) = line.strip_prefix("Database:") {
            let file = path.trim().rsplit(['\\', '/']).next().unwrap_or_default().to_owned();
            texts.push(HeaderText { file, lines: Vec::new() });
        } else if let Some(current) = texts.last_mut() {
            current.lines.push(line.to_owned());
        }
    }
    texts
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

/// A backup stamp as the engine's text shows it.
#[must_use]
pub fn backup_lines(label: &str, value: &BackupInfo) -> [String; 4] {
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
#[must_use]
pub fn header_lines(h: &DatabaseHeader) -> Vec<String> {
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
        lines.extend(backup_lines(label, stamp));
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
#[must_use]
pub fn lines_of_the_header(text: &HeaderText) -> Vec<String> {
    let mut lines = Vec::new();
    let mut in_trailer = false;
    for line in &text.lines {
        in_trailer |= line.starts_with("Patch Current Full Backup");
        let remark = ["DATABASE HEADER", "Checksum Information", "Engine ul", "WARNING", "Initiating", "Operation", "Integrity"];
        if !in_trailer && !remark.iter().any(|start| line.starts_with(start)) {
            lines.push(line.split("  (Matches").next().unwrap_or_default().to_owned());
        }
    }
    lines
}
