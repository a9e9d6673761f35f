//! Every file of the data is recognised by its content.

use anchorlog_operations::identify::{Content, identify};
use anchorlog_storage::{DiskFolder, Folder};
use anchorlog_testkit::data;

/// What a file must be, by the name that the engine gave it; the recogniser never sees the name.
fn expected(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let extension = lower.rsplit_once('.').map_or("", |(_, extension)| extension);
    Some(match extension {
        "edb" | "ide" | "mdb" | "sdb" | "dit" | "dat" | "db" => "database",
        "jrs" => "prepared",
        "chk" | "jcp" => "checkpoint",
        "jfm" => "flush map",
        "log" | "jtx" if lower.contains("tmp.") || matches!(lower.as_str(), "res1.log" | "res2.log") => "log or prepared",
        "log" | "jtx" => "log",
        "txt" | "json" | "jsonl" | "raw" | "md" => "unknown",
        _ => return None,
    })
}

#[test]
fn every_file_of_every_set_is_recognised_by_its_content() {
    for set in data::engine_sets().into_iter().chain(data::real_sets()) {
        let root = set.folder();
        let folder = DiskFolder::read_only(&root);
        for entry in folder.list().unwrap() {
            let name = entry.path.file_name().unwrap().to_string_lossy().into_owned();
            // Made by the engine only to be read by people, although named after a database or a log.
            let is_text = set.name == "oracle" && !entry.path.components().any(|part| part.as_os_str() == "after");
            let Some(expected) = expected(&name).filter(|_| !is_text) else { continue };
            let found = identify(&folder, &entry.path).unwrap().content;
            let right = match expected {
                "database" => matches!(found, Content::Database { .. }),
                "prepared" => matches!(found, Content::Prepared),
                "checkpoint" => matches!(found, Content::Checkpoint(..)),
                "flush map" => matches!(found, Content::FlushMap(_)),
                "log" => matches!(found, Content::Log(_)),
                "log or prepared" => matches!(found, Content::Log(_) | Content::Prepared),
                _ => matches!(found, Content::Unknown | Content::Empty),
            };
            assert!(right, "{}/{}: {} instead of {expected}", root.display(), entry.path.display(), found.describe());
        }
    }
}
