//! Commands around a backup: one that dismounts the databases, one that mounts them again as soon as they are copied.

use std::process::{Command, Stdio};

/// What is done before and behind the copying of the databases.
pub trait Hooks {
    /// Dismounts.
    ///
    /// # Errors
    /// What went wrong, in words: it is reported, and the state of the databases decides whether they can be backed up.
    fn dismount(&mut self) -> Result<(), String>;
    /// Mounts again: called exactly once behind every [`Hooks::dismount`], however the backup goes.
    ///
    /// # Errors
    /// What went wrong, in words: it is reported, and never loses the set.
    fn mount(&mut self) -> Result<(), String>;
}

/// Nothing is done.
impl Hooks for () {
    fn dismount(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn mount(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Commands, as the system's shell understands them.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// Dismounts the databases, or stops the service.
    pub dismount: Option<String>,
    /// Mounts them, or starts it.
    pub mount: Option<String>,
}

impl Hooks for Commands {
    fn dismount(&mut self) -> Result<(), String> {
        self.dismount.as_deref().map_or(Ok(()), run)
    }
    fn mount(&mut self) -> Result<(), String> {
        self.mount.as_deref().map_or(Ok(()), run)
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
