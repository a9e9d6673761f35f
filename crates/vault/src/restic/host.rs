//! Who and where this program is, as keys, locks and snapshots tell it.

use std::env;

/// The name of this machine.
pub(crate) fn name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// The name of the user; empty where it is not known.
pub(crate) fn user() -> String {
    ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| env::var(name).ok()).unwrap_or_default()
}

/// User and group; 0 where there are none.
#[cfg(unix)]
pub(crate) fn user_and_group() -> (u32, u32) {
    (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
}
#[cfg(not(unix))]
pub(crate) fn user_and_group() -> (u32, u32) {
    (0, 0)
}

/// Whether a process of this machine is gone. Where that cannot be told it is not.
#[cfg(unix)]
pub(crate) fn is_gone(process: i64) -> bool {
    let process = i32::try_from(process).ok().filter(|id| *id > 0).and_then(rustix::process::Pid::from_raw);
    process.is_some_and(|process| rustix::process::test_kill_process(process) == Err(rustix::io::Errno::SRCH))
}
#[cfg(not(unix))]
pub(crate) fn is_gone(_process: i64) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_there_and_one_that_was_waited_for_is_gone() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let id = child.id();
        child.wait().unwrap();
        assert!(is_gone(id.into()));
        assert!(!is_gone(std::process::id().into()) && !is_gone(0) && !is_gone(-1) && !is_gone(i64::MAX));
    }
}
