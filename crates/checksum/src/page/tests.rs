use super::*;

/// The worked page of `db-2 §18`: page 42, three nodes.
fn worked(size: usize) -> Vec<u8> {
    let mut page = vec![0; size];
    let put = |page: &mut Vec<u8>, at: usize, text: &str| {
        let bytes: Vec<u8> = text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        page[at..at + bytes.len()].copy_from_slice(&bytes);
    };
    put(&mut page, 8, "34 12 00 00 00 00 00 00 29 00 00 00 2b 00 00 00 07 00 00 00");
    put(&mut page, 36, "02 28 01 00");
    if size <= 8192 {
        put(&mut page, 28, "a5 0f 00 00 23 00 04 00");
        put(&mut page, 0x28, "43 55 53 54 4f 4d 45 52 08 00 04 00 30 30 30 31 41 31 08 00 04 00 30 30 30 32 42 32");
        put(&mut page, 0x44, "03 00 5a 45 44 43 33");
        put(&mut page, size - 16, "07 00 1c 20 0a 00 12 c0 0a 00 08 80 08 00 00 00");
    } else {
        put(&mut page, 28, if size == 32768 { "7d 7f 00 00 23 00 04 00" } else { "7d 3f 00 00 23 00 04 00" });
        put(&mut page, 0x40, "2a 00 00 00");
        put(&mut page, 0x50, "43 55 53 54 4f 4d 45 52 08 80 04 00 30 30 30 31 41 31 08 c0 04 00 30 30 30 32 42 32");
        put(&mut page, 0x6c, "03 20 5a 45 44 43 33");
        put(&mut page, size - 16, "07 00 1c 00 0a 00 12 00 0a 00 08 00 08 00 00 00");
    }
    set_page_checksum(&mut page, 42);
    page
}

#[test]
fn the_worked_page_has_the_known_checksum() {
    assert_eq!(worked(4096)[..8], [0x96, 0x5d, 0x32, 0x10, 0x20, 0x01, 0x20, 0x01]);
    assert_eq!(worked(32768)[..8], [0x6d, 0x8d, 0x11, 0xb0, 0xd9, 0x01, 0x26, 0xfe]);
    assert_eq!(worked(16384)[..8], [0x6d, 0xcd, 0x11, 0xb0, 0x37, 0x01, 0x37, 0x01]);
    let large = worked(32768);
    assert_eq!(
        large[0x28..0x40],
        [[0x2a, 0, 0, 0, 0, 0, 0, 0], [0x2a, 0, 0, 0, 0, 0, 0, 0], [0x25, 0, 6, 0, 0x23, 0, 0x23, 0]].concat()
    );
}

#[test]
fn every_size_verifies_after_its_checksum_was_set() {
    for size in [2048, 4096, 8192, 16384, 32768] {
        let mut page: Vec<u8> = (0..size).map(|i: usize| (i * 7).to_le_bytes()[0]).collect();
        page[64..68].copy_from_slice(&9_u32.to_le_bytes());
        set_page_checksum(&mut page, 9);
        assert_eq!(verify_page(&page, 9), PageVerdict::Valid(PageFormat::Ecc), "{size}");
    }
}

// trap db-2 D8
#[test]
fn d8_the_old_format_compares_the_number_and_includes_it_in_the_xor() {
    let mut page = worked(4096);
    page[36..40].copy_from_slice(&0x802_u32.to_le_bytes());
    page[..8].copy_from_slice(&[0x79, 0xb0, 0x98, 0x99, 0x2a, 0, 0, 0]);
    assert_eq!(verify_page(&page, 42), PageVerdict::Valid(PageFormat::Legacy));
    let PageVerdict::Damaged(damage) = verify_page(&page, 43) else { panic!("another number") };
    assert_eq!(damage.written_for, Some(42));
}

// trap db-2 D5
#[test]
fn d5_only_a_page_of_zeros_is_uninitialised() {
    let mut page = vec![0; 4096];
    assert_eq!(verify_page(&page, 1), PageVerdict::Uninitialised);
    page[4000] = 1;
    assert!(matches!(verify_page(&page, 1), PageVerdict::Damaged(_)));
}

// trap db-2 D7
#[test]
fn d7_block_0_of_a_large_page_covers_the_checksums_of_the_others() {
    let mut page = worked(16384);
    page[9000] ^= 3;
    let sum = crate::ecc(&page[8192..12288], 42, false);
    page[48..56].copy_from_slice(&sum.to_le_bytes());
    assert!(matches!(verify_page(&page, 42), PageVerdict::Damaged(_)));
}

// trap db-2 D9
#[test]
fn d9_a_page_at_the_wrong_place_names_the_page_it_was_written_for() {
    for size in [4096, 32768] {
        let PageVerdict::Damaged(damage) = verify_page(&worked(size), 6) else { panic!("{size}") };
        assert_eq!(damage.written_for, Some(42));
    }
}

// trap db-2 D10
#[test]
fn d10_the_format_flag_is_never_corrected() {
    let mut page = worked(4096);
    page[37] ^= 0x20;
    assert!(matches!(verify_page(&page, 42), PageVerdict::Damaged(_)));
    // Set where the stored checksum was made without it: the difference points at exactly that bit.
    let mut page = worked(4096);
    page[37] ^= 0x20;
    let sum = crate::ecc(&page, 42, true);
    page[..8].copy_from_slice(&sum.to_le_bytes());
    page[37] ^= 0x20;
    assert!(matches!(verify_page(&page, 42), PageVerdict::Damaged(_)));
}

#[test]
fn the_worked_flip_is_located_and_turned_back() {
    let good = worked(4096);
    let mut page = good.clone();
    page[48] ^= 1 << 4;
    assert_eq!(verify_page(&page, 42), PageVerdict::Correctable(vec![BitError { byte: 48, bit: 4 }]));
    assert!(correct_page(&mut page, 42).is_some());
    assert_eq!(page, good);
}

#[test]
fn any_single_bit_outside_the_checksum_and_the_flag_is_corrected_and_two_are_not() {
    for size in [2048, 4096, 16384] {
        let good = {
            let mut page = worked(4096.max(size));
            page.truncate(size);
            set_page_checksum(&mut page, 42);
            page
        };
        for byte in (0..size).step_by(37) {
            let bit = u8::try_from(byte % 8).unwrap();
            let mut page = good.clone();
            page[byte] ^= 1 << bit;
            let expected = byte >= 8 && (byte, bit) != (37, 5);
            assert_eq!(correct_page(&mut page, 42) == Some(vec![BitError { byte, bit }]), expected, "{size} {byte}");
            assert_eq!(page == good, expected);
            page.copy_from_slice(&good);
            page[byte] ^= 1 << bit;
            page[(byte + 5) % (size / 4).min(2048)] ^= 2;
            assert!(!verify_page(&page, 42).is_valid());
        }
    }
}

#[test]
fn each_block_of_a_large_page_may_have_one_flip_also_in_a_stored_checksum() {
    let good = worked(32768);
    let mut page = good.clone();
    page[42] ^= 0x10; // the stored checksum of block 1, a data bit of block 0
    page[8192 + 100] ^= 1;
    page[20000] ^= 0x80;
    assert_eq!(correct_page(&mut page, 42).map(|errors| errors.len()), Some(3));
    assert_eq!(page, good);
    page[8192 + 100] ^= 1;
    page[8192 + 200] ^= 2;
    let before = page.clone();
    assert_eq!(correct_page(&mut page, 42), None);
    assert_eq!(page, before);
}

#[test]
fn a_large_page_with_a_right_checksum_and_another_number_field_is_another_page() {
    let mut page = worked(32768);
    page[64] = 43;
    set_page_checksum(&mut page, 42);
    assert_eq!(verify_page(&page, 42), PageVerdict::OtherPage { number: 43 });
}

#[test]
fn no_length_panics() {
    for size in [0, 1, 7, 8, 39, 512, 1024, 4095, 65536] {
        assert_eq!(verify_page(&vec![1; size], 1), PageVerdict::NotAPage);
    }
}
