//! Ids in names are those of ops-1.

use super::*;
use anchorlog_format::units::LogTime;

fn manifest() -> Manifest {
    let time = LogTime::utc(2026, 11, 21, 11, 48, 45, 959);
    Manifest {
        format: FORMAT.into(),
        version: VERSION,
        kind: Kind::Offline,
        begun: time.into(),
        ended: LogTime([1, 2, 3, 4, 5, 99, 0, 0]).into(),
        host: "host".into(),
        environment: Environment::default(),
        partial: false,
        level: Level::L2,
        streams: vec![StreamPart {
            signature: Signature([7; 28]),
            base: "edb".into(),
            extension: "log".into(),
            wide: false,
            first: Some(1),
            last_closed: Some(0x12CF),
            seen: Some(0x12CF),
            continues: None,
            checkpoint: Some(LogPosition::new(0x12CF, 2, 3)),
            circular: false,
            breaks: vec![],
            attached: vec![Attached { path: "C:\\a.edb".into(), signature: Signature([1; 28]), in_set: None }],
            promises: vec![],
        }],
        files: vec![FilePart {
            name: Name::new("db/a.edb").unwrap(),
            role: Role::Database,
            source: "/data/db/a.edb".into(),
            size: 8192,
            blake3: [9; 32],
            owner: Owner { mode: Some(0o640), ..Owner::default() },
            database: None,
            pages: None,
            log: None,
            damage: vec![],
            other: Map::new(),
        }],
        stored: None,
        evidence: vec![],
        notes: vec![],
        other: Map::new(),
    }
}

#[test]
fn a_manifest_reads_back_as_it_was_written() {
    let manifest = manifest();
    assert_eq!(Manifest::read(&manifest.to_bytes().unwrap()).unwrap(), manifest);
}

#[test]
fn fields_of_later_programs_are_kept_and_later_versions_are_refused() {
    let mut value: Value = serde_json::from_slice(&manifest().to_bytes().unwrap()).unwrap();
    value["later"] = "kept".into();
    value["files"][0]["also"] = 5.into();
    let read = Manifest::read(value.to_string().as_bytes()).unwrap();
    let again: Value = serde_json::from_slice(&read.to_bytes().unwrap()).unwrap();
    assert_eq!((&again["later"], &again["files"][0]["also"]), (&value["later"], &value["files"][0]["also"]));
    value["version"] = 2.into();
    assert!(matches!(Manifest::read(value.to_string().as_bytes()), Err(ManifestError::Newer(2))));
    value["format"] = "another".into();
    assert!(matches!(Manifest::read(value.to_string().as_bytes()), Err(ManifestError::Foreign(_))));
    assert!(matches!(Manifest::read(b"no JSON"), Err(ManifestError::Foreign(_))));
}

#[test]
fn o20_a_time_is_shown_raw_and_in_utc_only_where_it_is_utc() {
    let value: Value = serde_json::from_slice(&manifest().to_bytes().unwrap()).unwrap();
    assert_eq!(value["begun"]["utc"], "2026-11-21T11:48:45.959Z");
    assert_eq!((&value["ended"]["utc"], &value["ended"]["raw"]), (&Value::Null, &"0102030405630000".into()));
    assert_eq!(Moment(LogTime::utc(1970, 1, 1, 0, 0, 0, 0)).seconds(), Some(0));
    assert_eq!(Moment(LogTime::utc(2000, 2, 29, 12, 0, 1, 0)).seconds(), Some(951_825_601));
    assert_eq!(Moment(LogTime::utc(2026, 11, 21, 11, 48, 45, 959)).seconds(), Some(1_795_261_725));
    assert_eq!(Moment(LogTime::utc(2026, 11, 21, 11, 48, 45, 959)).milliseconds(), Some(1_795_261_725_959));
    assert_eq!(Moment(LogTime([1, 2, 3, 4, 5, 99, 0, 0])).seconds(), None);
}

// trap ops-1 O2
#[test]
fn o2_a_generation_is_a_number_and_no_text_of_decimal_or_hexadecimal_digits() {
    let value: Value = serde_json::from_slice(&manifest().to_bytes().unwrap()).unwrap();
    assert_eq!(value["streams"][0]["last_closed"], 4815);
    assert_eq!(value["streams"][0]["checkpoint"], "000012CF,0002,0003");
}

#[test]
fn a_manifest_that_was_cut_off_or_changed_is_an_error_or_another_manifest_and_never_a_panic() {
    let bytes = manifest().to_bytes().unwrap();
    for end in 0..bytes.len() {
        assert!(Manifest::read(&bytes[..end]).is_err(), "cut at {end}");
        let mut changed = bytes.clone();
        changed[end] ^= 0x11;
        _ = Manifest::read(&changed);
    }
}
