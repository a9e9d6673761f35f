//! Exchange 5.5, 2000 and 2003: headers and pages are made here byte by byte from the specification (`db-1 §4`, `§15`, `db-2 §3`). No real
//! file of these generations was at hand: what is proved is that the rules hold for files as the specification describes them.
//! Ids in names are those of ops-1.

use crate::common::{back_up, breaches, damage, edit_log, plan_offline, refused, stopped_at_12};
use anchorlog_operations::backup::{Error, Options};
use anchorlog_operations::sets::Role;
use anchorlog_vault::Vault;
use anchorlog_vault::memory::MemoryVault;
use std::fs;
use std::path::Path;

const PAGE: usize = 4096;

/// A header field by field; what is not named is zero.
#[derive(Clone)]
struct Literal {
    /// `le_attrib`: 1 is a streaming file.
    attribute: u32,
    /// `le_dbstate`: 2 dirty, 3 clean.
    state: u32,
    /// First byte of `signDb`, repeated.
    signature: u8,
    /// `signLog`.
    log_signature: [u8; 28],
    /// `le_lgposConsistent` and `le_lgposDetach`: generation, sector, byte.
    consistent: (u32, u16, u16),
    /// `le_ulDaeUpdateMajor`: 2 is Exchange 5.5, 9 Exchange 2003.
    update: u32,
    /// First byte of `rgbReservedSignSLV`, repeated.
    streaming: u8,
}

impl Literal {
    fn header(&self) -> Vec<u8> {
        let mut page = vec![0; PAGE];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(4, &0x89AB_CDEF_u32.to_le_bytes());
        put(8, &0x620_u32.to_le_bytes());
        put(12, &self.attribute.to_le_bytes());
        put(16, &100_u64.to_le_bytes());
        put(24, &[self.signature; 28]);
        put(52, &self.state.to_le_bytes());
        for at in [56, 96] {
            put(at, &self.consistent.2.to_le_bytes());
            put(at + 2, &self.consistent.1.to_le_bytes());
            put(at + 4, &self.consistent.0.to_le_bytes());
        }
        put(108, &self.log_signature);
        put(232, &self.update.to_le_bytes());
        // The page size is 0: 4096.
        put(252, &[self.streaming; 28]);
        let xor = page[4..].chunks(4).fold(0x89AB_CDEF_u32, |sum, word| sum ^ u32::from_le_bytes(word.try_into().unwrap()));
        page[..4].copy_from_slice(&xor.to_le_bytes());
        page
    }

    /// Both copies of the header and three pages with the checksum of that time: XOR, and the page's number.
    fn write(&self, path: &Path) {
        let mut bytes = [self.header(), self.header()].concat();
        for number in 1..=3_u32 {
            let mut page = vec![0x11; PAGE];
            page[4..8].copy_from_slice(&number.to_le_bytes());
            // Page time, then flags without the new checksum format.
            page[8..16].copy_from_slice(&50_u64.to_le_bytes());
            page[36..40].copy_from_slice(&1_u32.to_le_bytes());
            let xor = page[4..].chunks(4).fold(0x89AB_CDEF_u32, |sum, word| sum ^ u32::from_le_bytes(word.try_into().unwrap()));
            page[..4].copy_from_slice(&xor.to_le_bytes());
            bytes.extend(page);
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn literal(update: u32, signature: u8) -> Literal {
    Literal { attribute: 0, state: 3, signature, log_signature: [0; 28], consistent: (0, 0, 0), update, streaming: 0 }
}

/// The store of a server: private and public database.
fn store(update: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    literal(update, 1).write(&folder.path().join("priv.edb"));
    literal(update, 2).write(&folder.path().join("pub.edb"));
    folder
}

#[test]
fn both_databases_of_an_exchange_55_store_go_into_one_set() {
    let (folder, vault) = (store(2), MemoryVault::new());
    let report = back_up(folder.path(), &vault, &Options::default()).unwrap();
    assert!(report.is_good());
    let formats: Vec<_> =
        report.manifest.databases().map(|(file, facts)| (file.name.as_str(), facts.update, facts.page_size)).collect();
    assert_eq!(formats, [("priv.edb", 2, 4096), ("pub.edb", 2, 4096)]);
}

#[test]
fn p3_a_database_of_exchange_55_in_use_is_refused_though_it_knows_no_required_range() {
    let folder = store(2);
    Literal { state: 2, ..literal(2, 1) }.write(&folder.path().join("priv.edb"));
    refused(folder.path(), &Options::default(), &["P3 R-NOT-CLEAN"]);
}

#[test]
fn p11_a_bad_page_fails_the_whole_store_of_exchange_55_and_one_database_of_exchange_2003() {
    for (update, together) in [(2, true), (9, false)] {
        let (folder, vault) = (store(update), MemoryVault::new());
        damage(&folder.path().join("pub.edb"), 3 * PAGE + 500);
        let made = back_up(folder.path(), &vault, &Options::default());
        assert_eq!(matches!(made, Err(Error::Damaged(_))), together, "update {update}");
        assert_eq!(vault.sets().unwrap().len(), usize::from(!together));
    }
}

/// A database with the signatures that the logs of a real stream name.
fn among_logs(update: u32) -> tempfile::TempDir {
    let folder = stopped_at_12();
    let path = folder.path().join("db/db1.edb");
    let header = fs::read(&path).unwrap();
    let mut bytes = fs::read({
        let literal =
            Literal { log_signature: header[108..136].try_into().unwrap(), consistent: (12, 3, 0), ..literal(update, 1) };
        literal.write(&path);
        &path
    })
    .unwrap();
    // The signature of the database, in both copies, with their checksums.
    for copy in 0..2 {
        let page = &mut bytes[copy * PAGE..(copy + 1) * PAGE];
        page[24..52].copy_from_slice(&header[24..52]);
        let xor = page[4..].chunks(4).fold(0x89AB_CDEF_u32, |sum, word| sum ^ u32::from_le_bytes(word.try_into().unwrap()));
        page[..4].copy_from_slice(&xor.to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    fs::remove_file(path.with_extension("jfm")).unwrap();
    folder
}

#[test]
fn p14_o1_of_both_generations_logs_are_stored_exactly_where_circular_logging_is_off() {
    for update in [2, 9] {
        let folder = among_logs(update);
        let logs = |folder: &Path| {
            let plan = plan_offline(folder, &MemoryVault::new(), &Options::default());
            assert!(plan.possible, "{:?}", breaches(&plan));
            (plan.files.iter().filter(|file| file.role == Role::Log).count(), plan.promises[0].rolls_forward)
        };
        assert_eq!(logs(folder.path()), (15, true), "update {update}");
        edit_log(&folder.path().join("log/edb.log"), |header| header.flags |= 2);
        assert_eq!(logs(folder.path()), (1, false), "update {update}");
    }
}

// trap ops-1 D8
#[test]
fn p7_of_exchange_55_no_database_can_be_left_out_and_of_exchange_2000_one_can() {
    for (update, may) in [(2, false), (9, true)] {
        let folder = among_logs(update);
        // The one that the logs name is gone; another one of the same stream is there.
        let path = folder.path().join("db/db1.edb");
        let log_signature = fs::read(&path).unwrap()[108..136].try_into().unwrap();
        fs::remove_file(&path).unwrap();
        Literal { log_signature, consistent: (12, 3, 0), ..literal(update, 9) }.write(&folder.path().join("db/other.edb"));
        let options = Options { without: vec!["db1.edb".into()], ..Options::default() };
        if may {
            assert!(back_up(folder.path(), &MemoryVault::new(), &options).unwrap().manifest.partial);
        } else {
            let predicates = refused(folder.path(), &options, &["P7 R-OTHERDB"]);
            assert!(predicates[0].next.contains("one unit"), "{}", predicates[0].next);
        }
    }
}

/// A database of Exchange 2003 with its streaming file.
fn pair(change: impl FnOnce(&mut Literal)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let database = Literal { streaming: 7, consistent: (5, 6, 7), log_signature: [3; 28], ..literal(9, 1) };
    let mut streaming = Literal { attribute: 1, signature: 7, ..database.clone() };
    change(&mut streaming);
    database.write(&folder.path().join("priv1.edb"));
    streaming.write(&folder.path().join("priv1.stm"));
    folder
}

#[test]
fn p6_a_database_and_its_streaming_file_go_together() {
    let report = back_up(pair(|_| ()).path(), &MemoryVault::new(), &Options::default()).unwrap();
    let roles: Vec<_> = report.manifest.files.iter().map(|file| (file.name.as_str(), file.role)).collect();
    assert_eq!(roles, [("priv1.edb", Role::Database), ("priv1.stm", Role::StreamingFile)]);
}

#[test]
fn p6_one_of_a_pair_alone_is_refused() {
    let folder = pair(|_| ());
    fs::remove_file(folder.path().join("priv1.stm")).unwrap();
    let predicates = refused(folder.path(), &Options::default(), &["P6 R-PAIR"]);
    assert_eq!(predicates[0].jet.unwrap().0, -540);
    let folder = pair(|_| ());
    fs::remove_file(folder.path().join("priv1.edb")).unwrap();
    refused(folder.path(), &Options::default(), &["P6 R-PAIR"]);
}

// trap ops-1 D9
#[test]
fn p6_a_streaming_file_of_another_moment_state_or_database_is_refused() {
    refused(pair(|streaming| streaming.consistent = (5, 6, 8)).path(), &Options::default(), &["P6 R-PAIR"]);
    refused(pair(|streaming| streaming.state = 2).path(), &Options::default(), &["P6 R-PAIR"]);
    refused(pair(|streaming| (streaming.signature, streaming.streaming) = (8, 8)).path(), &Options::default(), &["P6 R-PAIR"]);
}

#[test]
fn p6_o25_signatures_of_zeros_make_no_pair() {
    let folder = tempfile::tempdir().unwrap();
    let database = Literal { streaming: 0, ..literal(9, 1) };
    database.write(&folder.path().join("priv1.edb"));
    Literal { attribute: 1, signature: 0, ..database }.write(&folder.path().join("priv1.stm"));
    refused(folder.path(), &Options::default(), &["P6 R-PAIR"]);
}
