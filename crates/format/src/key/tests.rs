use super::unicode::CODE_PAGE;
use super::*;
use crate::data::column::ColumnType::{
    self, Binary, Bit, Currency, DateTime, Double, Guid, Long, LongText, Short, Single, Text, UnsignedLong,
};

const WINDOWS_8: u64 = 0x0006_020e_0006_020e;
const WINDOWS_7: u64 = 0x0006_0101_0006_0101;

fn rule(kind: ColumnType) -> SegmentRule {
    SegmentRule {
        kind,
        fixed: false,
        code_page: 1252,
        descending: false,
        nulls_high: false,
        dot_net_guid: false,
        map_flags: 0x0003_0401,
        sort_version: WINDOWS_8,
    }
}

fn unicode(version: u64) -> SegmentRule {
    SegmentRule { code_page: CODE_PAGE, sort_version: version, ..rule(LongText) }
}

/// A key of one segment under the old limit.
fn key(rule: &SegmentRule, value: &[u8]) -> Vec<u8> {
    key_of(255, rule, value).unwrap()
}

fn key_of(most: u16, rule: &SegmentRule, value: &[u8]) -> Result<Vec<u8>, Unpredictable> {
    let mut key = KeyBuilder::new(most, None);
    key.push(rule, Some(value))?;
    Ok(key.finish())
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn numbers_sort_as_bytes() {
    assert_eq!(key(&rule(Long), &1_i32.to_le_bytes()), hex("7f 80000001"));
    assert_eq!(key(&rule(Long), &(-1_i32).to_le_bytes()), hex("7f 7fffffff"));
    assert_eq!(key(&rule(Short), &2_i16.to_le_bytes()), hex("7f 8002"));
    assert_eq!(key(&rule(UnsignedLong), &2_u32.to_le_bytes()), hex("7f 00000002"));
    assert_eq!(key(&rule(Currency), &(-2_i64).to_le_bytes()), hex("7f 7ffffffffffffffe"));
    assert_eq!(key(&rule(Double), &1.0_f64.to_le_bytes()), hex("7f bff0000000000000"));
    assert_eq!(key(&rule(Double), &(-1.0_f64).to_le_bytes()), hex("7f 400fffffffffffff"));
    assert_eq!(key_of(255, &rule(Long), &[1, 2, 3]), Err(Unpredictable::NoValue));
}

// trap K1
#[test]
fn k1_guids_sort_neither_as_stored_nor_as_written() {
    let stored = hex("33221100 5544 7766 8899 aabbccddeeff");
    assert_eq!(key(&rule(Guid), &stored), hex("7f aabbccddeeff 8899 7766 5544 33221100"));
    let dot_net = SegmentRule { dot_net_guid: true, ..rule(Guid) };
    assert_eq!(key(&dot_net, &stored), hex("7f 00112233 4455 6677 8899 aabbccddeeff"));
}

// trap K2
#[test]
fn k2_a_fixed_binary_column_has_no_chunks() {
    assert_eq!(key(&SegmentRule { fixed: true, ..rule(Binary) }, &[1, 2, 3]), hex("7f 010203"));
    assert_eq!(key(&rule(Binary), &[1, 2, 3]), hex("7f 0102030000000000 03"));
}

// trap K3
#[test]
fn k3_eight_bytes_end_with_eight_and_nine_bytes_have_two_chunks() {
    assert_eq!(key(&rule(Binary), b"ABCDEFGH"), hex("7f 4142434445464748 08"));
    assert_eq!(key(&rule(Binary), b"ABCDEFGHI"), hex("7f 4142434445464748 09 4900000000000000 01"));
}

// traps K4, K5
#[test]
fn k4_k5_a_cut_text_loses_0x20_at_its_last_byte_and_has_no_end() {
    let cut = key(&rule(Text), &[b'B'; 300]);
    assert_eq!((cut.len(), cut[253], cut[254]), (255, b'B', 0x22));
    let fits = key(&rule(Text), &[b'B'; 253]);
    assert_eq!((fits.len(), fits[253], fits[254]), (255, b'B', 0));
    let misses = key(&rule(Text), &[b'B'; 254]);
    assert_eq!((misses.len(), misses[253], misses[254]), (255, b'B', 0x22));
}

// traps K6, K7
#[test]
fn k6_k7_only_ascii_letters_fold_and_a_zero_ends_the_text() {
    assert_eq!(key(&rule(Text), b"Hello"), hex("7f 48454c4c4f 00"));
    assert_eq!(key(&rule(Text), &[0xE4]), hex("7f e4 00"));
    assert_eq!(key(&rule(Text), b"a\0b"), key(&rule(Text), b"a"));
}

// trap K8
#[test]
fn k8_under_the_old_limit_127_characters_of_unicode_count() {
    let text = |last: char| utf16(&format!("{}{last}", "-".repeat(127)));
    assert_eq!(key(&unicode(WINDOWS_8), &text('a')), key(&unicode(WINDOWS_8), &text('b')));
}

// trap K23
#[test]
fn k23_any_other_limit_looks_at_the_whole_value() {
    let hyphens = |last: char| utf16(&format!("{}{last}", "\0".repeat(200)));
    let keys = |most: u16| ['a', 'b'].map(|last| key_of(most, &unicode(WINDOWS_8), &hyphens(last)).unwrap());
    let [a, b] = keys(255);
    assert_eq!(a, b);
    let [a, b] = keys(256);
    assert_ne!(a, b);
}

// trap K9
#[test]
fn k9_behind_a_segment_cut_by_its_own_limit_others_follow() {
    let mut builder = KeyBuilder::new(255, Some(5));
    builder.push(&rule(Text), Some(b"abcdefgh")).unwrap();
    builder.push(&rule(Long), Some(&1_i32.to_le_bytes())).unwrap();
    assert!(!builder.is_truncated());
    assert_eq!(builder.finish(), hex("7f 41424344 7f 80000001"));
}

// trap K10
#[test]
fn k10_behind_a_full_key_nothing_follows() {
    let mut builder = KeyBuilder::new(5, None);
    builder.push(&rule(Text), Some(b"abcdefgh")).unwrap();
    assert!(builder.is_truncated());
    builder.push(&rule(Long), Some(&1_i32.to_le_bytes())).unwrap();
    assert_eq!(builder.finish().len(), 5);
}

// traps K11, K12
#[test]
fn k11_k12_zeros_differ_and_dates_are_doubles_whatever_they_hold() {
    assert_eq!(key(&rule(Double), &(-0.0_f64).to_le_bytes()), hex("7f 7fffffffffffffff"));
    assert_eq!(key(&rule(Double), &0.0_f64.to_le_bytes()), hex("7f 8000000000000000"));
    assert_eq!(key(&rule(Single), &f32::NAN.to_le_bytes()), hex("7f ffc00000"));
    assert_eq!(key(&rule(DateTime), &0x01d0_0000_0000_0001_u64.to_le_bytes()), hex("7f 81d0000000000001"));
}

// trap K13
#[test]
fn k13_a_bit_is_all_or_nothing() {
    assert_eq!(key(&rule(Bit), &[1]), hex("7f ff"));
    assert_eq!(key(&rule(Bit), &[0]), hex("7f 00"));
}

// traps K18, K19
#[test]
fn k18_k19_descending_inverts_the_prefix_too_and_nulls_may_sort_last() {
    let null = |rule: &SegmentRule| {
        let mut key = KeyBuilder::new(255, None);
        key.push(rule, None).unwrap();
        key.finish()
    };
    assert_eq!(null(&rule(Long)), [0x00]);
    assert_eq!(null(&SegmentRule { descending: true, ..rule(Long) }), [0xFF]);
    assert_eq!(null(&SegmentRule { nulls_high: true, ..rule(Long) }), [0xC0]);
    assert_eq!(key(&SegmentRule { descending: true, ..rule(Long) }, &1_i32.to_le_bytes()), hex("80 7ffffffe"));
    assert_eq!(key(&rule(Text), b""), [0x40]);
}

// trap K24
#[test]
fn k24_upper_case_keys_are_big_endian_text() {
    let upper = SegmentRule { map_flags: 0x200, ..unicode(WINDOWS_8) };
    assert_eq!(key(&upper, &utf16("aB")), hex("7f 0041 0042 0000"));
}

// trap K25
#[test]
fn k25_a_cut_upper_case_key_cannot_be_told() {
    let upper = SegmentRule { map_flags: 0x200, ..unicode(WINDOWS_8) };
    assert_eq!(key_of(255, &upper, &utf16(&"a".repeat(200))), Err(Unpredictable::Weights));
}

// trap K31
#[test]
fn k31_under_word_sort_a_hyphen_comes_behind_everything() {
    assert_eq!(key(&unicode(WINDOWS_8), &utf16("a-b")), hex("7f 0e02 0e09 01 01 01 01 fffe 82 12 00"));
    let string_sort = SegmentRule { map_flags: 0x0003_1403, ..unicode(WINDOWS_8) };
    assert_eq!(key(&string_sort, &utf16("a-b")), hex("7f 0e02 0682 0e09 01 01 01 01 00"));
}

// trap K32
#[test]
fn k32_digits_weigh_by_the_version_of_the_index() {
    assert_eq!(key(&unicode(WINDOWS_8), &utf16("1")), hex("7f 0d1a 01 01 01 01 00"));
    assert_eq!(key(&unicode(WINDOWS_7), &utf16("1")), hex("7f 0d19 01 01 01 01 00"));
    assert_eq!(key(&unicode(WINDOWS_7), &utf16("2")), key(&unicode(WINDOWS_8), &utf16("1")));
}

// trap K35
#[test]
fn k35_a_stored_zero_at_the_end_does_not_alter_the_key() {
    assert_eq!(key(&unicode(WINDOWS_8), &utf16("IsDirty\0")), key(&unicode(WINDOWS_8), &utf16("IsDirty")));
    assert_eq!(key(&unicode(WINDOWS_8), &utf16("IsDirty")), hex("7f 0e32 0e91 0e1a 0e32 0e8a 0e99 0ea7 01 01 01 01 00"));
}

#[test]
fn other_text_than_ascii_cannot_be_told() {
    assert_eq!(key_of(255, &unicode(WINDOWS_8), &utf16("ä")), Err(Unpredictable::Weights));
}

proptest::proptest! {
    #[test]
    fn a_key_never_exceeds_its_limit(most in 1_u16..300, segment in 0_u16..300, values: Vec<Option<Vec<u8>>>, kinds: Vec<u8>) {
        let mut builder = KeyBuilder::new(most, Some(segment));
        for (value, kind) in values.iter().zip(kinds) {
            let kind = [Binary, Text, LongText, Long, Guid][usize::from(kind % 5)];
            let rule = SegmentRule { code_page: if kind == LongText { CODE_PAGE } else { 1252 }, ..rule(kind) };
            let _ = builder.push(&rule, value.as_deref());
        }
        proptest::prop_assert!(builder.finish().len() <= most.into());
    }
}
