#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| anchorlog_fuzz_targets::format::catalog(input));
