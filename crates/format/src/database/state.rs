//! States of a database (`db-1 §6`).

use crate::layout::{Shown, Wire};
use serde::{Serialize, Serializer};
use std::fmt;

/// Whether a database was closed well, and if not, what is under way (`le_dbstate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatabaseState {
    /// 0: never written; illegal in a file.
    Unset,
    /// 1: creation did not finish.
    JustCreated,
    /// 2: attached, or left by a crash; pages may need redo and undo.
    DirtyShutdown,
    /// 3: complete; no log is needed.
    CleanShutdown,
    /// 4: an upgrade from an old format was interrupted.
    BeingConverted,
    /// 5: obsolete.
    ForceDetach,
    /// 6: pages are being replaced from another copy.
    IncrementalReseed,
    /// 7: dirty, and pages may be newer than the log position.
    DirtyAndPatched,
    /// 8: a revert from a snapshot is under way.
    RevertInProgress,
    /// Any other number.
    Unknown(u32),
}

use DatabaseState::{
    BeingConverted, CleanShutdown, DirtyAndPatched, DirtyShutdown, ForceDetach, IncrementalReseed, JustCreated, RevertInProgress,
    Unknown, Unset,
};

const STATES: [DatabaseState; 9] = [
    Unset,
    JustCreated,
    DirtyShutdown,
    CleanShutdown,
    BeingConverted,
    ForceDetach,
    IncrementalReseed,
    DirtyAndPatched,
    RevertInProgress,
];

impl DatabaseState {
    /// The plain name, as Microsoft's header dump prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Unset => "Unset",
            JustCreated => "Just Created",
            DirtyShutdown => "Dirty Shutdown",
            CleanShutdown => "Clean Shutdown",
            BeingConverted => "Being Converted",
            ForceDetach => "Force Detach",
            IncrementalReseed => "Incremental Reseed In Progress",
            DirtyAndPatched => "Dirty And Patched Shutdown",
            RevertInProgress => "Revert In Progress",
            Unknown(_) => "Unknown",
        }
    }

    /// The constant's name in Microsoft's engine.
    #[must_use]
    pub const fn microsoft(self) -> &'static str {
        match self {
            JustCreated => "JET_dbstateJustCreated",
            DirtyShutdown => "JET_dbstateDirtyShutdown",
            CleanShutdown => "JET_dbstateCleanShutdown",
            BeingConverted => "JET_dbstateBeingConverted",
            ForceDetach => "JET_dbstateForceDetach",
            IncrementalReseed => "JET_dbstateIncrementalReseedInProgress",
            DirtyAndPatched => "JET_dbstateDirtyAndPatchedShutdown",
            RevertInProgress => "JET_dbstateRevertInProgress",
            Unset | Unknown(_) => "",
        }
    }

    /// Whether logs are needed before it can be used.
    #[must_use]
    pub const fn is_dirty(self) -> bool {
        matches!(self, DirtyShutdown | DirtyAndPatched)
    }

    /// Whether the engine ever goes from this state to `next`; staying is always legal.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Unset, JustCreated)
                | (JustCreated, JustCreated | DirtyShutdown)
                | (DirtyShutdown, DirtyShutdown | CleanShutdown | IncrementalReseed | RevertInProgress)
                | (CleanShutdown, CleanShutdown | DirtyShutdown | RevertInProgress)
                | (BeingConverted, BeingConverted | CleanShutdown)
                | (IncrementalReseed, IncrementalReseed | DirtyAndPatched)
                | (DirtyAndPatched, DirtyAndPatched | DirtyShutdown | IncrementalReseed | RevertInProgress)
                | (RevertInProgress, RevertInProgress | DirtyAndPatched | CleanShutdown | DirtyShutdown | JustCreated)
        )
    }
}

impl From<u32> for DatabaseState {
    fn from(number: u32) -> Self {
        usize::try_from(number).ok().and_then(|index| STATES.get(index)).copied().unwrap_or(Unknown(number))
    }
}

impl From<DatabaseState> for u32 {
    fn from(state: DatabaseState) -> Self {
        match state {
            Unset => 0,
            JustCreated => 1,
            DirtyShutdown => 2,
            CleanShutdown => 3,
            BeingConverted => 4,
            ForceDetach => 5,
            IncrementalReseed => 6,
            DirtyAndPatched => 7,
            RevertInProgress => 8,
            Unknown(number) => number,
        }
    }
}

impl fmt::Display for DatabaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown(number) => write!(f, "Unknown ({number})"),
            known => f.write_str(known.name()),
        }
    }
}

impl Serialize for DatabaseState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Wire for DatabaseState {
    const SIZE: usize = 4;
    const NAME: &'static str = "DatabaseState";
    fn get(bytes: &[u8]) -> Self {
        u32::get(bytes).into()
    }
    fn put(&self, bytes: &mut [u8]) {
        u32::from(*self).put(bytes);
    }
    fn show(&self) -> Shown {
        Shown::Text(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_keeps_its_value() {
        for number in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, u32::MAX] {
            assert_eq!(u32::from(DatabaseState::from(number)), number);
        }
    }

    // trap db-1 D11
    #[test]
    fn d11_a_patched_database_never_becomes_clean_directly() {
        assert!(!DirtyAndPatched.may_become(CleanShutdown));
        assert!(DirtyAndPatched.may_become(DirtyShutdown) && DirtyShutdown.may_become(CleanShutdown));
    }

    #[test]
    fn a_just_created_database_only_becomes_dirty() {
        let after: Vec<_> = STATES.into_iter().filter(|&next| JustCreated.may_become(next)).collect();
        assert_eq!(after, [JustCreated, DirtyShutdown]);
    }
}
