//! Every target over its first inputs and some mutations of them: the same on every machine. Longer runs: `cargo xtask fuzz`.

use anchorlog_fuzz_targets::driver::{Limit, run};
use anchorlog_fuzz_targets::target;

fn check(name: &str) {
    let keep = std::env::temp_dir().join("anchorlog-fuzz");
    let outcome = run(target(name).expect("a target of this name"), Limit::Mutations(5), 1, &keep).expect("inputs can be kept");
    assert!(outcome.seeds > 0, "no inputs to begin with");
    assert!(outcome.failures.is_empty(), "{:#?}", outcome.failures);
}

macro_rules! targets {
    ($($name:ident)*) => {
        $( #[test] fn $name() { check(stringify!($name)); } )*
        #[test]
        fn no_target_is_left_out() {
            let here = [$( stringify!($name) ),*];
            let all: Vec<&str> = anchorlog_fuzz_targets::TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(here.as_slice(), all.as_slice());
        }
    };
}

targets! {
    database_header trailer flush_map page page_edit space record catalog long_value compression database
    log_header log_file legacy_log_file log_record checkpoint inspect apply survey plan recover
}

#[test]
fn libfuzzer_has_every_target() {
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("the folder above holds the libFuzzer crate");
    for target in anchorlog_fuzz_targets::TARGETS {
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{} is missing in fuzz/Cargo.toml", target.name);
    }
}
