//! Arithmetic of log positions (`log-1 §2.3`).

use crate::units::LogPosition;

/// How a log file is cut: valid for positions inside files of the same geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogGeometry {
    /// Bytes of a sector (8.x: of a segment).
    pub sector_size: u16,
    /// Sectors of the whole file, header and last one included.
    pub sectors: u16,
    /// Sectors of the header.
    pub header_sectors: u16,
}

impl LogGeometry {
    /// Bytes of the file.
    #[must_use]
    pub const fn file_size(self) -> u64 {
        self.sector_size as u64 * self.sectors as u64
    }
    /// The byte of the file at which a position lies.
    #[must_use]
    pub fn offset_in_file(self, position: LogPosition) -> usize {
        usize::from(position.sector) * usize::from(self.sector_size) + usize::from(position.byte)
    }
    /// A position counted from the start of the stream.
    #[must_use]
    pub fn offset(self, position: LogPosition) -> u64 {
        let sectors = u64::from(position.generation.0) * u64::from(self.sectors) + u64::from(position.sector);
        sectors * u64::from(self.sector_size) + u64::from(position.byte)
    }
    /// Bytes from `from` to `to`; negative where `to` lies before. Holds only while every file between has this geometry.
    #[must_use]
    pub fn distance(self, from: LogPosition, to: LogPosition) -> i128 {
        i128::from(self.offset(to)) - i128::from(self.offset(from))
    }
    /// The last segment that may hold data: the very last is room for a shadow only (trap G5).
    #[must_use]
    pub const fn last_usable(self) -> u16 {
        self.sectors.saturating_sub(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_headers_and_last_sectors() {
        let geometry = LogGeometry { sector_size: 4096, sectors: 16, header_sectors: 1 };
        let (a, b) = (LogPosition::new(1, 14, 100), LogPosition::new(2, 1, 0));
        assert_eq!(geometry.distance(a, b), 3 * 4096 - 100);
        assert_eq!(geometry.distance(b, a), 100 - 3 * 4096);
        assert_eq!((geometry.file_size(), geometry.last_usable()), (65536, 14));
        assert!(geometry.distance(LogPosition::NONE, LogPosition::MAX) > 0);
    }
}
