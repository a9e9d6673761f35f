//! Commands around a backup: one that dismounts the databases and one that mounts them again as soon as they are copied; or one that takes a
//! snapshot and one that drops it.

use std::process::{Command, Stdio};

/// What is done before and behind the copying of the files.
pub trait Hooks {
    /// Dismounts, or takes the snapshot.
    ///
    /// # Errors
    /// What went wrong, in words. It is reported; the state of the databases then decides whether they can be backed up, but without a snapshot
    /// there is no image.
    fn before(&mut self) -> Result<(), String>;
    /// Mounts again, or drops the snapshot: called exactly once behind every [`Hooks::before`], however the backup goes.
    ///
    /// # Errors
    /// What went wrong, in words: it is reported, and never loses the set.
    fn behind(&mut self) -> Result<(), String>;
}

/// Nothing is done.
impl Hooks for () {
    fn before(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn behind(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Commands, as the system's shell understands them.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// Dismounts the databases, stops the service, or takes the snapshot.
    pub before: Option<String>,
    /// Mounts them, starts it, or drops the snapshot.
    pub behind: Option<String>,
}

impl Hooks for Commands {
    fn before(&mut self) -> Result<(), String> {
        self.before.as_deref().map_or(Ok(()), run)
    }
    fn behind(&mut self) -> Result<(), String> {
        self.behind.as_deref().map_or(Ok(()), run)
    }
}

fn run(line: &str) -> Result<(), String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("/bin/sh", "-c") };
    let status = Command::new(shell).arg(flag).arg(line).stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the command `{line}` ended with {status}")),
        Err(error) => Err(format!("the command `{line}` could not be run: {error}")),
    }
}
