//! Every structure that is declared, for `--layout` and the format pages of the docs.

use anchorlog_format::data::compression::xpress9::Xpress9Block;
use anchorlog_format::data::compression::xpress10::Xpress10Header;
use anchorlog_format::data::long_value::LongValueRootFields;
use anchorlog_format::data::record::{RecordHeader, TaggedEntry};
use anchorlog_format::database::flush_map::{FlushMapHeader, FlushMapPage};
use anchorlog_format::database::{DatabaseHeader, Trailer};
use anchorlog_format::layout::Layout;
use anchorlog_format::log::attachments::AttachmentFields;
use anchorlog_format::log::checkpoint::Checkpoint;
use anchorlog_format::log::header::LogHeader;
use anchorlog_format::log::parameters::Parameters;
use anchorlog_format::log::record as r;
use anchorlog_format::log::segment::SegmentHeader;
use anchorlog_format::page::header::{LargePageHeader, PageHeader};
use anchorlog_format::space::SpaceHeader;

macro_rules! layouts {
    ($($type:ty),* $(,)?) => {
        /// Every declared structure: files first, then pages, then log records.
        pub static LAYOUTS: &[&Layout] = &[$(&<$type>::LAYOUT),*];
    };
}

layouts![
    DatabaseHeader,
    Trailer,
    FlushMapHeader,
    FlushMapPage,
    LogHeader,
    Parameters,
    AttachmentFields,
    Checkpoint,
    SegmentHeader,
    PageHeader,
    LargePageHeader,
    SpaceHeader,
    RecordHeader,
    TaggedEntry,
    LongValueRootFields,
    Xpress9Block,
    Xpress10Header,
    r::PageHead,
    r::NodeHeadFields,
    r::AttachDatabaseFixed,
    r::BackupFixed,
    r::BackupOldFixed,
    r::BareFixed,
    r::BeginFixed,
    r::BeginOutermostFixed,
    r::CommitContextFixed,
    r::CommitFixed,
    r::CommitOutermostFixed,
    r::ConvertOldFixed,
    r::ConvertToMultipleExtentFixed,
    r::CreateDatabaseFinishFixed,
    r::CreateDatabaseFixed,
    r::CreateDatabaseVersion,
    r::CreateMultipleExtentFixed,
    r::CreateSingleExtentFixed,
    r::DeleteFixed,
    r::Delta64Fixed,
    r::DeltaFixed,
    r::DetachDatabaseFixed,
    r::EmptyPage,
    r::EmptyTreeFixed,
    r::ExtendDatabaseFixed,
    r::ExtentFreed2Fixed,
    r::ExtentFreedFixed,
    r::FillFixed,
    r::FlagDeleteFixed,
    r::FlagInsertAndReplaceFixed,
    r::FlagInsertFixed,
    r::ForceWriteLogFixed,
    r::FragmentBeginFixed,
    r::FragmentFixed,
    r::FreeTreeFixed,
    r::IgnoredFixed,
    r::InitFixed,
    r::InitTime,
    r::InsertFixed,
    r::JetOperationFixed,
    r::LegacyChecksumFixed,
    r::MacroMarkFixed,
    r::MacroPagesFixed,
    r::MacroPagesOfFixed,
    r::MergeFields,
    r::MergeImageFields,
    r::NewPageFixed,
    r::PageMoveFixed,
    r::PagePatchRequestFixed,
    r::PrepareCommitFixed,
    r::PrepareRollbackFixed,
    r::ReAttachDatabaseFixed,
    r::RecoveryUndoTime,
    r::RefreshFixed,
    r::ReplaceFixed,
    r::RestoreMarkFixed,
    r::RollbackFixed,
    r::RootPageMoveFixed,
    r::ScanCheck2Fixed,
    r::ScanCheckFixed,
    r::ScrubFixed,
    r::SetDatabaseVersionFixed,
    r::SetExternalHeaderFixed,
    r::ShrinkDatabase3Fixed,
    r::ShrinkDatabaseFixed,
    r::SignalAttachDatabaseFixed,
    r::SplitFields,
    r::SplitImageFields,
    r::TermFixed,
    r::TermTime,
    r::TraceFixed,
    r::TrimDatabaseFixed,
    r::UndoFixed,
    r::UndoInfoFixed,
];

/// The structure of a name: ours, or Microsoft's (any of them, where several share a layout); case does not matter.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Layout> {
    let plain = |layout: &Layout| layout.name.strip_suffix("Fixed").unwrap_or(layout.name).eq_ignore_ascii_case(name);
    let own = |layout: &&&Layout| {
        layout.name.eq_ignore_ascii_case(name)
            || plain(layout)
            || layout.microsoft.split(", ").any(|part| part.eq_ignore_ascii_case(name))
    };
    LAYOUTS.iter().find(own).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn declared(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                declared(&entry.path(), found);
                continue;
            }
            for line in std::fs::read_to_string(entry.path()).unwrap().lines() {
                if let Some(rest) = line.trim().strip_prefix("pub struct ")
                    && let Some((_, rest)) = rest.split_once(" = \"")
                    && rest.trim_end().ends_with('{') | rest.contains("parts(")
                {
                    found.push(rest.split('"').next().unwrap().to_owned());
                }
            }
        }
    }

    #[test]
    fn every_declared_structure_can_be_shown() {
        let mut found = Vec::new();
        declared(&anchorlog_testkit::data::checkout().join("crates/format/src"), &mut found);
        assert!(found.len() > 60, "{found:?}");
        for microsoft in found.iter().filter(|name| !matches!(name.as_str(), "EXAMPLE")) {
            assert!(LAYOUTS.iter().any(|layout| layout.microsoft == microsoft), "{microsoft} is not listed");
        }
    }

    #[test]
    fn a_structure_is_found_by_our_name_and_by_microsofts() {
        for name in ["DatabaseHeader", "dbfilehdr", "Insert", "LREXTRESTORE"] {
            assert!(by_name(name).is_some(), "{name}");
        }
        assert!(by_name("nothing").is_none());
    }
}
