//! Column numbers and column types (`db-4 §1, §2`).

use serde::Serialize;
use std::fmt;

/// Number of a column in its table (`FID`): its range says where the value lies in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Fid(pub u16);

/// Where a column's value lies in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// 1 to 127: at a fixed offset.
    Fixed,
    /// 128 to 255: behind the fixed part, by end offsets.
    Variable,
    /// 256 and up: in the tagged part, present only when the record has it.
    Tagged,
}

impl Fid {
    /// The first fixed column.
    pub const FIRST_FIXED: Self = Self(1);
    /// The first variable column.
    pub const FIRST_VARIABLE: Self = Self(128);
    /// The first tagged column.
    pub const FIRST_TAGGED: Self = Self(256);
    /// The last tagged column.
    pub const LAST_TAGGED: Self = Self(0xFEE0);

    /// Where the column lies; `None` for 0 and for numbers beyond the last tagged column.
    #[must_use]
    pub const fn placement(self) -> Option<Placement> {
        match self.0 {
            1..=127 => Some(Placement::Fixed),
            128..=255 => Some(Placement::Variable),
            256..=0xFEE0 => Some(Placement::Tagged),
            _ => None,
        }
    }
    /// Whether it is a fixed column.
    #[must_use]
    pub const fn is_fixed(self) -> bool {
        matches!(self.placement(), Some(Placement::Fixed))
    }
    /// Whether it is a tagged column.
    #[must_use]
    pub const fn is_tagged(self) -> bool {
        matches!(self.placement(), Some(Placement::Tagged))
    }
}

impl fmt::Display for Fid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Type of a column (`JET_coltyp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[allow(missing_docs, reason = "the names are those of the engine's interface")]
pub enum ColumnType {
    Bit,
    UnsignedByte,
    Short,
    Long,
    Currency,
    Single,
    Double,
    DateTime,
    Binary,
    Text,
    LongBinary,
    LongText,
    UnsignedLong,
    LongLong,
    Guid,
    UnsignedShort,
    UnsignedLongLong,
}

impl ColumnType {
    /// From the number in the catalog; `None` for 0 (a deleted column), 13 (streaming files, no longer there) and unknown ones.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Bit,
            2 => Self::UnsignedByte,
            3 => Self::Short,
            4 => Self::Long,
            5 => Self::Currency,
            6 => Self::Single,
            7 => Self::Double,
            8 => Self::DateTime,
            9 => Self::Binary,
            10 => Self::Text,
            11 => Self::LongBinary,
            12 => Self::LongText,
            14 => Self::UnsignedLong,
            15 => Self::LongLong,
            16 => Self::Guid,
            17 => Self::UnsignedShort,
            18 => Self::UnsignedLongLong,
            _ => return None,
        })
    }
    /// Its number in the catalog.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Bit => 1,
            Self::UnsignedByte => 2,
            Self::Short => 3,
            Self::Long => 4,
            Self::Currency => 5,
            Self::Single => 6,
            Self::Double => 7,
            Self::DateTime => 8,
            Self::Binary => 9,
            Self::Text => 10,
            Self::LongBinary => 11,
            Self::LongText => 12,
            Self::UnsignedLong => 14,
            Self::LongLong => 15,
            Self::Guid => 16,
            Self::UnsignedShort => 17,
            Self::UnsignedLongLong => 18,
        }
    }
    /// Bytes of a value; `None` for binary and text.
    #[must_use]
    pub const fn size(self) -> Option<usize> {
        match self {
            Self::Bit | Self::UnsignedByte => Some(1),
            Self::Short | Self::UnsignedShort => Some(2),
            Self::Long | Self::UnsignedLong | Self::Single => Some(4),
            Self::Currency | Self::Double | Self::DateTime | Self::LongLong | Self::UnsignedLongLong => Some(8),
            Self::Guid => Some(16),
            Self::Binary | Self::Text | Self::LongBinary | Self::LongText => None,
        }
    }
    /// Whether values are text in the column's code page.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::LongText)
    }
}

/// Flags of a column in the catalog (`FIELDFLAG`, `db-4 §6`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ColumnFlags(pub u16);

macro_rules! column_flags {
    ($( $(#[$doc:meta])* $name:ident = $bit:literal, $test:ident; )*) => {
        impl ColumnFlags {
            $( $(#[$doc])* pub const $name: Self = Self($bit); )*
            $( $(#[$doc])* #[must_use] pub const fn $test(self) -> bool { self.0 & $bit != 0 } )*
        }
    };
}

column_flags! {
    /// NULL is refused.
    NOT_NULL = 0x0001, is_not_null;
    /// Counts the updates of its record.
    VERSION = 0x0002, is_version;
    /// Numbers the records.
    AUTOINCREMENT = 0x0004, is_autoincrement;
    /// May have several instances.
    MULTI_VALUED = 0x0008, is_multi_valued;
    /// Has a default value.
    DEFAULT = 0x0010, has_default;
    /// Changed in place by sums.
    ESCROW = 0x0020, is_escrow;
    /// A sum of zero calls back.
    FINALIZE = 0x0040, is_finalize;
    /// Its default is computed by the application.
    USER_DEFAULT = 0x0080, has_user_default;
    /// Column of a new-style template (`db-4 §10`).
    TEMPLATE = 0x0100, is_new_template;
    /// A sum of zero deletes the record.
    DELETE_ON_ZERO = 0x0200, is_delete_on_zero;
    /// First column of the primary key, always false.
    PRIMARY_PLACEHOLDER = 0x0800, is_primary_placeholder;
    /// Values may be compressed.
    COMPRESSED = 0x1000, is_compressed;
    /// Values are encrypted.
    ENCRYPTED = 0x2000, is_encrypted;
}
