//! What unit tests share.

use crate::Database;
use anchorlog_format::database::file_type::FileType;
use anchorlog_format::database::header::HeaderPage;
use anchorlog_format::units::PageSize;
use anchorlog_storage::File;
use std::io;
use std::sync::Arc;

/// A database of two header pages.
pub(crate) fn empty() -> Database {
    struct Headers(Vec<u8>);
    impl File for Headers {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = self.0.get(usize::try_from(offset).unwrap()..).unwrap_or(&[]);
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        }
        fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        fn size(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }
        fn set_size(&self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut page = HeaderPage::new(PageSize::FOUR_KIB);
    page.header.version = 0x620;
    page.header.update = 20;
    page.header.file_type = FileType::Database;
    let bytes = page.to_bytes();
    Database::open("empty", Arc::new(Headers([&bytes[..], &bytes].concat())), 0).unwrap()
}
