//! The engine's parameters as logs and checkpoints carry them (`log-1 §3.3`).

use crate::layout::{Shown, Wire};
use crate::log::text::LoggedText;

layout! {
    /// Parameters of the engine that wrote the file. Information only, but for the flag of circular logging.
    pub struct Parameters = "DBMS_PARAM", 567, "log-1 §3.3" {
        0 system_path: [u8; 261], "szSystemPathDebugOnly", "", "folder of the checkpoint, zero terminated, lossy";
        261 log_path: [u8; 261], "szLogFilePathDebugOnly", "", "folder of the logs, zero terminated, lossy";
        522 flags: u8, "fDBMSPARAMFlags", "", "bit 0: circular logging";
        523 sessions: u32, "le_lSessionsMax", "", "most sessions";
        527 open_tables: u32, "le_lOpenTablesMax", "", "most open tables";
        531 version_pages: u32, "le_lVerPagesMax", "", "most version pages";
        535 cursors: u32, "le_lCursorsMax", "", "most cursors";
        539 log_buffers: u32, "le_lLogBuffers", "", "log buffer in units of 512 bytes";
        543 log_sectors: u32, "le_lcsecLGFile", "", "sectors of a log file";
        547 cache_pages: u32, "le_ulCacheSizeMax", "", "largest cache in pages";
        551 reserved: [u8; 16], "", "", "zero";
    }
}

impl Parameters {
    /// All zero.
    #[must_use]
    pub fn empty() -> Self {
        Self::get(&[0; Self::SIZE])
    }
    /// Whether circular logging was on.
    #[must_use]
    pub const fn is_circular(&self) -> bool {
        self.flags & 1 != 0
    }
    /// The logs' folder, as the engine knew it.
    #[must_use]
    pub fn log_folder(&self) -> String {
        LoggedText::ansi(&self.log_path).first()
    }
    /// The checkpoint's folder, as the engine knew it.
    #[must_use]
    pub fn system_folder(&self) -> String {
        LoggedText::ansi(&self.system_path).first()
    }
}

impl Wire for Parameters {
    const SIZE: usize = Parameters::SIZE;
    const NAME: &'static str = "Parameters";
    fn get(bytes: &[u8]) -> Self {
        Self::read(bytes).expect("a field is read from exactly its size")
    }
    fn put(&self, bytes: &mut [u8]) {
        self.write(bytes);
    }
    fn show(&self) -> Shown {
        Shown::Text(format!(
            "system path {}, log path {}, circular logging {}, sessions {}, open tables {}, version pages {}, cursors {}, log buffers {}, \
             sectors per log {}, cache pages {}",
            self.system_folder(),
            self.log_folder(),
            if self.is_circular() { "on" } else { "off" },
            self.sessions,
            self.open_tables,
            self.version_pages,
            self.cursors,
            self.log_buffers,
            self.log_sectors,
            self.cache_pages
        ))
    }
}
