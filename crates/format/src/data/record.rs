//! Records: fixed, variable and tagged columns (`db-4 §14 to §16`).
//!
//! Offsets in the three parts count from three different places (trap R5); each part is cut out once, here.

use super::column::Fid;
use crate::units::PageSize;
use std::fmt;

layout! {
    /// The first four bytes of every record.
    pub struct RecordHeader = "RECHDR", 4, "db-4 §14" {
        0 last_fixed: u8, "fidFixedLastInRec", "", "last fixed column that the record has, 0: none";
        1 last_variable: u8, "fidVarLastInRec", "", "last variable column that the record has, 127: none";
        2 fixed_end: u16, "ibEndOfFixedData", "", "end of the fixed part, bitmap of NULLs included";
    }
}

layout! {
    /// One entry of the array in front of the tagged values.
    pub struct TaggedEntry = "TAGFLD", 4, "db-4 §15" {
        0 fid: u16, "fid", "", "column";
        2 offset: u16, "ib", "", "offset of the value from the array's start, and flags in its upper bits";
    }
}

/// How the tagged part is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordFormat {
    /// Pages up to 8 KiB: flags beside the offset, a header byte only where one is needed.
    Small,
    /// 16 and 32 KiB pages: offsets of 15 bits, a header byte always (trap R6).
    Large,
    /// Pages without the flag for the new record format: a plain sequence of values (trap R36).
    Old,
}

impl RecordFormat {
    /// The format of a page of `size` whose flag for the new record format is `sorted`.
    #[must_use]
    pub const fn of(size: PageSize, sorted: bool) -> Self {
        match (sorted, size.is_large()) {
            (false, _) => Self::Old,
            (true, false) => Self::Small,
            (true, true) => Self::Large,
        }
    }
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordFault {
    /// Shorter than its header says.
    Fixed,
    /// The end offsets of variable columns fall, or lie beyond the record.
    Variable,
    /// The array of tagged columns is out of order or leaves the record.
    Tagged,
    /// Flags of a tagged value contradict each other.
    TaggedFlags,
    /// The instances of a multi-valued column do not lie in its bytes.
    Instances,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed => "the record is shorter than its fixed part",
            Self::Variable => "the variable columns do not lie in the record",
            Self::Tagged => "the tagged columns are out of order or do not lie in the record",
            Self::TaggedFlags => "the flags of a tagged column contradict each other",
            Self::Instances => "the instances of a multi-valued column do not lie in its bytes",
        })
    }
}

impl std::error::Error for RecordFault {}

/// What a record holds for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<T> {
    /// Nothing: the column was added later, or has its default (trap R11).
    Absent,
    /// NULL, which hides a default (trap R12).
    Null,
    /// A value, perhaps of length 0.
    Value(T),
}

/// A record whose parts have been found to lie within it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    bytes: &'a [u8],
    last_fixed: u8,
    last_variable: u8,
    /// One bit for each fixed column, 1 = NULL (traps R1, R2).
    nulls: &'a [u8],
    /// End of the fixed values, from the record's start.
    fixed_end: usize,
    variable_ends: &'a [u8],
    variable: &'a [u8],
    tagged: &'a [u8],
    /// Bytes of the array of tagged columns.
    array: usize,
    format: RecordFormat,
}

/// Bit 15 of a variable column's end: NULL.
const VARIABLE_NULL: u16 = 0x8000;

impl<'a> Record<'a> {
    /// Cuts a record into its parts.
    ///
    /// # Errors
    /// [`RecordFault`] where a part does not lie in the record. What a tagged value holds is checked when it is read.
    pub fn parse(bytes: &'a [u8], format: RecordFormat) -> Result<Self, RecordFault> {
        let header = RecordHeader::read(bytes).ok_or(RecordFault::Fixed)?;
        let fixed_and_nulls = bytes.get(..header.fixed_end.into()).ok_or(RecordFault::Fixed)?;
        let bitmap = usize::from(header.last_fixed).div_ceil(8);
        let fixed_end = fixed_and_nulls.len().checked_sub(bitmap).ok_or(RecordFault::Fixed)?;
        if fixed_end < RecordHeader::SIZE || header.last_fixed > 127 {
            return Err(RecordFault::Fixed);
        }
        let variables = header.last_variable.checked_sub(127).ok_or(RecordFault::Variable)?;
        let behind = &bytes[fixed_and_nulls.len()..];
        let (variable_ends, rest) = behind.split_at_checked(2 * usize::from(variables)).ok_or(RecordFault::Variable)?;
        let mut end = 0;
        for raw in variable_ends.chunks_exact(2) {
            let next = u16::from_le_bytes([raw[0], raw[1]]) & !VARIABLE_NULL;
            if next < end {
                return Err(RecordFault::Variable);
            }
            end = next;
        }
        let (variable, tagged) = rest.split_at_checked(end.into()).ok_or(RecordFault::Variable)?;
        let mut record = Self {
            bytes,
            last_fixed: header.last_fixed,
            last_variable: header.last_variable,
            nulls: &fixed_and_nulls[fixed_end..],
            fixed_end,
            variable_ends,
            variable,
            tagged,
            array: 0,
            format,
        };
        record.array = record.check_array()?;
        Ok(record)
    }
    /// The last fixed column that the record has, 0: none.
    #[must_use]
    pub const fn last_fixed(&self) -> u8 {
        self.last_fixed
    }
    /// The last variable column that the record has, 127: none.
    #[must_use]
    pub const fn last_variable(&self) -> u8 {
        self.last_variable
    }
    /// A fixed column whose value lies `size` bytes long at `offset` from the record's start.
    ///
    /// # Errors
    /// [`RecordFault::Fixed`] where the record has the column but not its bytes.
    pub fn fixed(&self, fid: Fid, offset: u16, size: usize) -> Result<Stored<&'a [u8]>, RecordFault> {
        if fid.0 == 0 || fid.0 > self.last_fixed.into() {
            return Ok(Stored::Absent);
        }
        let bit = usize::from(fid.0 - 1);
        if self.nulls.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1) {
            return Ok(Stored::Null);
        }
        let start = usize::from(offset);
        let end = start.checked_add(size).ok_or(RecordFault::Fixed)?;
        match self.bytes[..self.fixed_end].get(start..end) {
            Some(value) if start >= RecordHeader::SIZE => Ok(Stored::Value(value)),
            _ => Err(RecordFault::Fixed),
        }
    }
    /// A variable column.
    #[must_use]
    pub fn variable(&self, fid: Fid) -> Stored<&'a [u8]> {
        if fid.0 < 128 || fid.0 > self.last_variable.into() {
            return Stored::Absent;
        }
        let index = usize::from(fid.0 - 128);
        let end = |index: usize| {
            let raw = self.variable_ends.get(2 * index..2 * index + 2)?;
            Some(u16::from_le_bytes([raw[0], raw[1]]))
        };
        let Some(raw) = end(index) else { return Stored::Absent };
        if raw & VARIABLE_NULL != 0 {
            return Stored::Null;
        }
        let start = index.checked_sub(1).and_then(end).map_or(0, |before| before & !VARIABLE_NULL);
        self.variable.get(start.into()..raw.into()).map_or(Stored::Absent, Stored::Value)
    }
    /// A tagged column: of the template's when `derived`.
    ///
    /// # Errors
    /// [`RecordFault`] where its flags or instances contradict each other.
    pub fn tagged(&self, fid: Fid, derived: bool) -> Result<Stored<Tagged<'a>>, RecordFault> {
        if self.format == RecordFormat::Old {
            return self.old_tagged(fid, derived);
        }
        let (mut low, mut high) = (0, self.array / TaggedEntry::SIZE);
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entry(middle).ok_or(RecordFault::Tagged)?;
            match order(entry.fid, entry.offset & DERIVED != 0).cmp(&order(fid.0, derived)) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.value(middle, &entry),
            }
        }
        Ok(Stored::Absent)
    }
    /// The tagged columns that the record has, in stored order: column, and whether it is the template's.
    pub fn tagged_columns(&self) -> impl Iterator<Item = (Fid, bool)> + use<'a> {
        let record = *self;
        let sorted = (0..self.array / TaggedEntry::SIZE)
            .map_while(move |index| record.entry(index))
            .map(|entry| (Fid(entry.fid), entry.offset & DERIVED != 0));
        let old = OldValues { bytes: if self.format == RecordFormat::Old { self.tagged } else { &[] } };
        let mut last = None;
        let old = old.map_while(Result::ok).filter_map(move |value| {
            let column = (value.fid, value.derived);
            (last.replace(column) != Some(column)).then_some(column)
        });
        sorted.chain(old)
    }

    fn check_array(&self) -> Result<usize, RecordFault> {
        if self.tagged.is_empty() {
            return Ok(0);
        }
        if self.format == RecordFormat::Old {
            let mut last = None;
            for value in (OldValues { bytes: self.tagged }) {
                let value = value?;
                let here = order(value.fid.0, value.derived);
                if last.is_some_and(|last| here < last) {
                    return Err(RecordFault::Tagged);
                }
                last = Some(here);
            }
            return Ok(0);
        }
        let first = TaggedEntry::read(self.tagged).ok_or(RecordFault::Tagged)?;
        let array = self.offset(&first);
        if array == 0 || !array.is_multiple_of(TaggedEntry::SIZE) || array > self.tagged.len() {
            return Err(RecordFault::Tagged);
        }
        let mut last: Option<TaggedEntry> = None;
        for raw in self.tagged[..array].chunks_exact(TaggedEntry::SIZE) {
            let entry = TaggedEntry::read(raw).ok_or(RecordFault::Tagged)?;
            let ascends = last.as_ref().is_none_or(|last| {
                order(last.fid, last.offset & DERIVED != 0) < order(entry.fid, entry.offset & DERIVED != 0)
                    && self.offset(last) <= self.offset(&entry)
            });
            if !ascends || self.offset(&entry) > self.tagged.len() {
                return Err(RecordFault::Tagged);
            }
            last = Some(entry);
        }
        Ok(array)
    }
    fn entry(&self, index: usize) -> Option<TaggedEntry> {
        let start = index.checked_mul(TaggedEntry::SIZE)?;
        TaggedEntry::read(self.tagged.get(..self.array)?.get(start..)?)
    }
    fn offset(&self, entry: &TaggedEntry) -> usize {
        usize::from(entry.offset & if self.format == RecordFormat::Large { 0x7FFF } else { 0x1FFF })
    }
    fn value(&self, index: usize, entry: &TaggedEntry) -> Result<Stored<Tagged<'a>>, RecordFault> {
        let end = self.entry(index + 1).map_or(self.tagged.len(), |next| self.offset(&next));
        let bytes = self.tagged.get(self.offset(entry)..end).ok_or(RecordFault::Tagged)?;
        let has_header = match self.format {
            RecordFormat::Small => {
                let (null, extended) = (entry.offset & SMALL_NULL != 0, entry.offset & SMALL_EXTENDED != 0);
                if null {
                    return if extended || !bytes.is_empty() { Err(RecordFault::TaggedFlags) } else { Ok(Stored::Null) };
                }
                extended
            }
            _ => true,
        };
        if !has_header {
            return Ok(Stored::Value(Tagged { flags: TaggedFlags(0), content: Content::Single(bytes) }));
        }
        let (&flags, data) = bytes.split_first().ok_or(RecordFault::TaggedFlags)?;
        let flags = TaggedFlags(flags);
        if flags.0 & 0x80 != 0 || flags.is_two_values() && !flags.is_multi_valued() {
            return Err(RecordFault::TaggedFlags);
        }
        if flags.is_null() {
            return if self.format == RecordFormat::Small { Err(RecordFault::TaggedFlags) } else { Ok(Stored::Null) };
        }
        let content = if flags.is_two_values() {
            let (&length, data) = data.split_first().ok_or(RecordFault::Instances)?;
            let (first, second) = data.split_at_checked(length.into()).ok_or(RecordFault::Instances)?;
            Content::Two(first, second)
        } else if flags.is_multi_valued() {
            check_instances(data)?;
            Content::Many(data)
        } else {
            Content::Single(data)
        };
        Ok(Stored::Value(Tagged { flags, content }))
    }
    fn old_tagged(&self, fid: Fid, derived: bool) -> Result<Stored<Tagged<'a>>, RecordFault> {
        let mut rest = OldValues { bytes: self.tagged };
        loop {
            let bytes = rest.bytes;
            match rest.next().transpose()? {
                None => return Ok(Stored::Absent),
                Some(value) if (value.fid, value.derived) == (fid, derived) => {
                    return Ok(if value.null {
                        Stored::Null
                    } else {
                        Stored::Value(Tagged { flags: TaggedFlags(0), content: Content::Old(bytes, fid, derived) })
                    });
                }
                Some(_) => {}
            }
        }
    }
}

/// In an entry's offset: the column is the template's.
const DERIVED: u16 = 0x8000;
/// On small pages: the value begins with a header byte.
const SMALL_EXTENDED: u16 = 0x4000;
/// On small pages: the value is NULL.
const SMALL_NULL: u16 = 0x2000;

/// Columns of the template come first (trap R13).
const fn order(fid: u16, derived: bool) -> (bool, u16) {
    (!derived, fid)
}

/// The header byte of a tagged value (`TAGFLD_HEADER`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaggedFlags(pub u8);

impl TaggedFlags {
    /// The column is of a long type.
    #[must_use]
    pub const fn is_long_value(self) -> bool {
        self.0 & 0x01 != 0
    }
    /// The first instance is compressed (traps R10, L8).
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        self.0 & 0x02 != 0
    }
    /// The data is the identifier of a long value; never set for several instances (trap R9).
    #[must_use]
    pub const fn is_separated(self) -> bool {
        self.0 & 0x04 != 0
    }
    /// Several instances.
    #[must_use]
    pub const fn is_multi_valued(self) -> bool {
        self.0 & 0x08 != 0
    }
    /// Exactly two, in the compact form (trap R8).
    #[must_use]
    pub const fn is_two_values(self) -> bool {
        self.0 & 0x10 != 0
    }
    /// NULL, on large pages.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 & 0x20 != 0
    }
    /// The first instance is encrypted.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        self.0 & 0x40 != 0
    }
}

/// A tagged column's value in a record: one instance, or several.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'a> {
    flags: TaggedFlags,
    content: Content<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Single(&'a [u8]),
    Two(&'a [u8], &'a [u8]),
    /// Array of offsets, then the instances.
    Many(&'a [u8]),
    /// The old format: values from the first of this column on.
    Old(&'a [u8], Fid, bool),
}

/// One instance of a tagged column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance<'a> {
    /// The value, its compressed form, or a long value's identifier.
    pub data: &'a [u8],
    /// The data is the identifier of a long value.
    pub separated: bool,
    /// The data is compressed.
    pub compressed: bool,
    /// The data is encrypted.
    pub encrypted: bool,
}

impl<'a> Tagged<'a> {
    /// Its header byte; 0 where there is none.
    #[must_use]
    pub const fn flags(&self) -> TaggedFlags {
        self.flags
    }
    /// Its instances, in order; at least one.
    pub fn instances(&self) -> impl Iterator<Item = Instance<'a>> + use<'a> {
        let this = *self;
        (0..).map_while(move |index| this.instance(index))
    }
    /// The instance at `index`, counted from 0.
    #[must_use]
    pub fn instance(&self, index: usize) -> Option<Instance<'a>> {
        let first = index == 0;
        let plain = |data| Instance {
            data,
            separated: false,
            compressed: first && self.flags.is_compressed(),
            encrypted: first && self.flags.is_encrypted(),
        };
        match self.content {
            Content::Single(data) if first => Some(Instance { separated: self.flags.is_separated(), ..plain(data) }),
            Content::Two(data, _) if first => Some(plain(data)),
            Content::Two(_, data) if index == 1 => Some(plain(data)),
            Content::Single(_) | Content::Two(..) => None,
            Content::Many(data) => {
                let raw = |index: usize| u16_at(data, index);
                let count = usize::from(raw(0)? & !INSTANCE_SEPARATED) / 2;
                if index >= count {
                    return None;
                }
                let start = raw(index)?;
                let end = if index + 1 < count { usize::from(raw(index + 1)? & !INSTANCE_SEPARATED) } else { data.len() };
                let bytes = data.get(usize::from(start & !INSTANCE_SEPARATED)..end)?;
                Some(Instance { separated: start & INSTANCE_SEPARATED != 0, ..plain(bytes) })
            }
            Content::Old(bytes, fid, derived) => {
                let value = OldValues { bytes }.nth(index)?.ok()?;
                ((value.fid, value.derived) == (fid, derived)).then_some(value.instance)
            }
        }
    }
}

/// In the offset of an instance: separated.
const INSTANCE_SEPARATED: u16 = 0x8000;

fn u16_at(data: &[u8], index: usize) -> Option<u16> {
    data.get(2 * index..2 * index + 2).map(|raw| u16::from_le_bytes([raw[0], raw[1]]))
}

/// Offsets of instances ascend, and the first stands behind the last offset.
fn check_instances(data: &[u8]) -> Result<(), RecordFault> {
    let offset = |index| u16_at(data, index).map(|raw| usize::from(raw & !INSTANCE_SEPARATED)).ok_or(RecordFault::Instances);
    let first = offset(0)?;
    if first < 2 || !first.is_multiple_of(2) {
        return Err(RecordFault::Instances);
    }
    let mut last = first;
    for index in 0..first / 2 {
        let next = offset(index)?;
        if next < last || next > data.len() {
            return Err(RecordFault::Instances);
        }
        last = next;
    }
    Ok(())
}

/// The values of the old record format (`db-4 §15.1`).
struct OldValues<'a> {
    bytes: &'a [u8],
}

struct OldValue<'a> {
    fid: Fid,
    derived: bool,
    null: bool,
    instance: Instance<'a>,
}

impl<'a> Iterator for OldValues<'a> {
    type Item = Result<OldValue<'a>, RecordFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return None;
        }
        let Some(entry) = TaggedEntry::read(bytes) else { return Some(Err(RecordFault::Tagged)) };
        let value = bytes[TaggedEntry::SIZE..].split_at_checked(usize::from(entry.offset & 0x0FFF));
        let Some((mut data, rest)) = value else { return Some(Err(RecordFault::Tagged)) };
        let (null, long) = (entry.offset & 0x4000 != 0, entry.offset & 0x8000 != 0);
        let mut separated = false;
        if long && !null {
            let Some((&flag, value)) = data.split_first() else { return Some(Err(RecordFault::TaggedFlags)) };
            (separated, data) = (flag & 1 != 0, value);
        }
        self.bytes = rest;
        Some(Ok(OldValue {
            fid: Fid(entry.fid),
            derived: entry.offset & 0x2000 != 0,
            null,
            instance: Instance { data, separated, compressed: false, encrypted: false },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace([' ', '|'], "")).unwrap()
    }
    fn fixed<'a>(record: &Record<'a>, fid: u16, offset: u16, size: usize) -> Stored<&'a [u8]> {
        record.fixed(Fid(fid), offset, size).unwrap()
    }
    fn instances<'a>(record: &Record<'a>, fid: u16) -> Vec<Instance<'a>> {
        match record.tagged(Fid(fid), false).unwrap() {
            Stored::Value(tagged) => tagged.instances().collect(),
            other => panic!("{other:?}"),
        }
    }
    fn data<'a>(record: &Record<'a>, fid: u16) -> Vec<&'a [u8]> {
        instances(record, fid).into_iter().map(|instance| instance.data).collect()
    }

    #[test]
    fn the_smallest_record_has_nothing() {
        let raw = bytes("00 7f 04 00");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert_eq!(fixed(&record, 1, 4, 4), Stored::Absent);
        assert_eq!(record.variable(Fid(128)), Stored::Absent);
        assert!(matches!(record.tagged(Fid(256), false), Ok(Stored::Absent)));
        assert_eq!(record.tagged_columns().count(), 0);
    }

    // traps R1, R2, R27
    #[test]
    fn r1_r2_r27_a_set_bit_in_front_of_the_fixed_end_is_null_whatever_bytes_fill_the_column() {
        // The column row of `ObjidTable`: column 8 is NULL and filled with an asterisk.
        let mut raw = bytes("09 80 2300 | 02000000 0200 01000000 04000000 04000000 01000000 e4040000 2a 0400 | 80 fe | 0a00");
        raw.extend_from_slice(b"ObjidTable");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert_eq!(fixed(&record, 1, 4, 4), Stored::Value(&[2, 0, 0, 0][..]));
        assert_eq!(fixed(&record, 8, 30, 1), Stored::Null);
        assert_eq!(fixed(&record, 9, 31, 2), Stored::Value(&[4, 0][..]));
        assert_eq!(fixed(&record, 10, 33, 4), Stored::Absent);
        assert_eq!(record.variable(Fid(128)), Stored::Value(&b"ObjidTable"[..]));
    }

    #[test]
    fn nulls_and_empty_values_of_variable_columns_are_told_apart() {
        let raw = bytes("00 82 0400 | 0000 0080 0300 | 616263");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert_eq!(record.variable(Fid(128)), Stored::Value(&[][..]));
        assert_eq!(record.variable(Fid(129)), Stored::Null);
        assert_eq!(record.variable(Fid(130)), Stored::Value(&b"abc"[..]));
        assert_eq!(record.variable(Fid(131)), Stored::Absent);
    }

    // trap R5
    #[test]
    fn r5_each_part_counts_its_offsets_from_its_own_start() {
        // One fixed byte, one variable byte, one column of two instances.
        let raw = bytes("01 80 0600 | 11 fe | 0100 | 22 | 0001 0440 | 08 0400 0500 33 44");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert_eq!(fixed(&record, 1, 4, 1), Stored::Value(&[0x11][..]));
        assert_eq!(record.variable(Fid(128)), Stored::Value(&[0x22][..]));
        assert_eq!(data(&record, 256), [[0x33], [0x44]]);
    }

    // trap R6
    #[test]
    fn r6_on_large_pages_offsets_have_15_bits_and_a_header_byte_is_always_there() {
        let mut raw = bytes("00 7f 0400 | 0001 0800 0101 0960 | 00");
        raw.resize(4 + 0x6009, 7);
        raw.extend_from_slice(&[0x01, 9]);
        let record = Record::parse(&raw, RecordFormat::Large).unwrap();
        assert_eq!(data(&record, 256)[0].len(), 0x6000);
        assert_eq!(data(&record, 257), [[9]]);
        let null = bytes("00 7f 0400 | 0001 0400 | 20");
        let record = Record::parse(&null, RecordFormat::Large).unwrap();
        assert!(matches!(record.tagged(Fid(256), false), Ok(Stored::Null)));
    }

    // trap R7
    #[test]
    fn r7_a_short_single_value_has_no_header_byte_on_small_pages() {
        // A row of MSysObjids.
        let raw = bytes("00 7f 04 00 | 00 01 0c 00  01 01 10 00  02 01 14 00 | 07000000 04000000 0100");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert_eq!(data(&record, 256), [[7, 0, 0, 0]]);
        assert_eq!(data(&record, 258), [[1, 0]]);
        assert_eq!(record.tagged_columns().map(|(fid, _)| fid.0).collect::<Vec<_>>(), [256, 257, 258]);
    }

    // trap R8
    #[test]
    fn r8_two_values_have_a_compact_form() {
        let raw = bytes("00 7f 0400 | 0001 0440 | 18 02 6162 636465");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert_eq!(data(&record, 256), [&b"ab"[..], b"cde"]);
        let alone = bytes("00 7f 0400 | 0001 0440 | 10 02 6162 636465");
        let record = Record::parse(&alone, RecordFormat::Small).unwrap();
        assert!(matches!(record.tagged(Fid(256), false), Err(RecordFault::TaggedFlags)));
    }

    // traps R9, R10, L8
    #[test]
    fn r9_r10_l8_each_instance_says_whether_it_is_separated_and_only_the_first_is_compressed() {
        let raw = bytes("00 7f 0400 | 0001 0440 | 0b 0600 0880 0c00 0f41 01000000 5a");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        let found = instances(&record, 256);
        assert_eq!(found.iter().map(|i| i.separated).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(found.iter().map(|i| i.compressed).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(found[1].data, [1, 0, 0, 0]);
    }

    // traps R11, R12
    #[test]
    fn r11_r12_absent_and_null_are_not_the_same() {
        let raw = bytes("00 7f 0400 | 0001 0420");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert!(matches!(record.tagged(Fid(256), false), Ok(Stored::Null)));
        assert!(matches!(record.tagged(Fid(257), false), Ok(Stored::Absent)));
        let both = bytes("00 7f 0400 | 0001 0460 | 01");
        let record = Record::parse(&both, RecordFormat::Small).unwrap();
        assert!(matches!(record.tagged(Fid(256), false), Err(RecordFault::TaggedFlags)));
    }

    // trap R13
    #[test]
    fn r13_columns_of_the_template_come_first() {
        let raw = bytes("00 7f 0400 | 0001 0880 0001 0900 | 61 62");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert_eq!(data(&record, 256), [b"b"]);
        let Ok(Stored::Value(derived)) = record.tagged(Fid(256), true) else { panic!("the template's column is there") };
        assert_eq!(derived.instance(0).unwrap().data, b"a");
        let swapped = bytes("00 7f 0400 | 0001 0800 0001 0980 | 61 62");
        assert!(matches!(Record::parse(&swapped, RecordFormat::Small), Err(RecordFault::Tagged)));
    }

    // trap L22
    #[test]
    fn l22_an_empty_long_value_has_its_header_byte_only() {
        let raw = bytes("00 7f 0400 | 0001 0440 | 01");
        let record = Record::parse(&raw, RecordFormat::Small).unwrap();
        assert_eq!(data(&record, 256), [[0_u8; 0]]);
    }

    // trap R36
    #[test]
    fn r36_the_old_format_is_a_plain_sequence_and_repeats_a_column_for_each_instance() {
        let raw = bytes("00 7f 0400 | 0001 0200 6162 | 0101 0580 01 01000000 | 0201 0100 78 | 0201 0100 79 | 0301 0040");
        let record = Record::parse(&raw, RecordFormat::Old).unwrap();
        assert_eq!(data(&record, 256), [b"ab"]);
        assert!(instances(&record, 257)[0].separated);
        assert_eq!(data(&record, 258), [b"x", b"y"]);
        assert!(matches!(record.tagged(Fid(259), false), Ok(Stored::Null)));
        assert_eq!(record.tagged_columns().map(|(fid, _)| fid.0).collect::<Vec<_>>(), [256, 257, 258, 259]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_record_or_a_fault(raw: Vec<u8>, kind in 0..3) {
            let format = [RecordFormat::Small, RecordFormat::Large, RecordFormat::Old][kind as usize];
            if let Ok(record) = Record::parse(&raw, format) {
                for fid in 1..300 {
                    let _ = record.fixed(Fid(fid), fid, 4);
                    let _ = record.variable(Fid(fid));
                    if let Ok(Stored::Value(tagged)) = record.tagged(Fid(fid), false) {
                        proptest::prop_assert!(tagged.instances().count() <= raw.len());
                    }
                }
            }
        }
    }
}
