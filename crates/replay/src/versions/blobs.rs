//! Bytes of version entries: in blocks, a stated amount of them in memory, the others in a file; a block that nothing needs any more is
//! used again.

use anchorlog_storage::File;
use std::io;
use std::sync::Arc;

/// Bytes of a block: more than an entry ever has, two pages of the largest size and a key.
const BLOCK: usize = 96 << 10;

/// Where bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    block: u32,
    offset: u32,
    length: u32,
}

enum Place {
    Memory(Box<[u8]>),
    /// Number of the block in the file.
    File(u32),
    /// Nothing is in it.
    Free,
}

struct Block {
    place: Place,
    /// Blobs that are still needed.
    live: u32,
}

/// A store of byte strings.
pub struct BlobStore {
    blocks: Vec<Block>,
    /// The block being filled, and how far.
    open: Option<(u32, usize)>,
    free_blocks: Vec<u32>,
    in_memory: usize,
    limit: usize,
    file: Option<Arc<dyn File>>,
    free_slots: Vec<u32>,
    slots: u32,
    most_slots: u32,
    /// A block of the file that was read last.
    read: Option<(u32, Box<[u8]>)>,
    make_file: Box<dyn FnMut() -> io::Result<Arc<dyn File>> + Send>,
}

impl BlobStore {
    /// A store that keeps about `limit` bytes in memory, one block at least, and asks `make_file` for a file when more come.
    pub fn new(limit: usize, make_file: impl FnMut() -> io::Result<Arc<dyn File>> + Send + 'static) -> Self {
        Self {
            blocks: Vec::new(),
            open: None,
            free_blocks: Vec::new(),
            in_memory: 0,
            limit,
            file: None,
            free_slots: Vec::new(),
            slots: 0,
            most_slots: 0,
            read: None,
            make_file: Box::new(make_file),
        }
    }
    /// Bytes that the file held at most.
    #[must_use]
    pub const fn spilled(&self) -> u64 {
        self.most_slots as u64 * BLOCK as u64
    }
    /// Bytes in memory.
    #[must_use]
    pub const fn in_memory(&self) -> usize {
        self.in_memory
    }

    /// Keeps the parts as one string.
    ///
    /// # Errors
    /// Any error of the file; `OutOfMemory` for more than a block.
    pub fn put(&mut self, parts: &[&[u8]]) -> io::Result<Blob> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > BLOCK {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let (block, at) = match self.open {
            Some((block, at)) if at + length <= BLOCK => (block, at),
            _ => (self.next_block()?, 0),
        };
        let Some(Block { place: Place::Memory(bytes), live }) = self.blocks.get_mut(block as usize) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut end = at;
        for part in parts {
            bytes[end..end + part.len()].copy_from_slice(part);
            end += part.len();
        }
        *live += 1;
        self.open = Some((block, end));
        let number = |value: usize| u32::try_from(value).map_err(io::Error::other);
        Ok(Blob { block, offset: number(at)?, length: number(length)? })
    }

    /// Gives the bytes of a blob to `look`.
    ///
    /// # Errors
    /// Any error of the file.
    pub fn with<T>(&mut self, blob: Blob, look: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let range = blob.offset as usize..(blob.offset + blob.length) as usize;
        let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
        match &self.blocks.get(blob.block as usize).ok_or_else(missing)?.place {
            Place::Memory(bytes) => Ok(look(bytes.get(range).ok_or_else(missing)?)),
            Place::File(slot) => {
                let slot = *slot;
                if self.read.as_ref().is_none_or(|(read, _)| *read != slot) {
                    let mut bytes = self.read.take().map_or_else(|| vec![0; BLOCK].into_boxed_slice(), |(_, bytes)| bytes);
                    let file = self.file.as_ref().ok_or_else(missing)?;
                    if file.read_at(u64::from(slot) * BLOCK as u64, &mut bytes)? < BLOCK {
                        return Err(missing());
                    }
                    self.read = Some((slot, bytes));
                }
                let (_, bytes) = self.read.as_ref().ok_or_else(missing)?;
                Ok(look(bytes.get(range).ok_or_else(missing)?))
            }
            Place::Free => Err(missing()),
        }
    }

    /// A blob is not needed any more.
    pub fn release(&mut self, blob: Blob) {
        let Some(block) = self.blocks.get_mut(blob.block as usize) else { return };
        block.live = block.live.saturating_sub(1);
        if block.live > 0 {
            return;
        }
        if self.open.is_some_and(|(open, _)| open == blob.block) {
            self.open = Some((blob.block, 0));
            return;
        }
        match std::mem::replace(&mut block.place, Place::Free) {
            Place::Memory(_) => self.in_memory -= BLOCK,
            Place::File(slot) => {
                self.free_slots.push(slot);
                if self.read.as_ref().is_some_and(|(read, _)| *read == slot) {
                    self.read = None;
                }
            }
            Place::Free => {}
        }
        self.free_blocks.push(blob.block);
    }

    /// An empty block to be filled; the full one goes to the file where memory has no room for another.
    fn next_block(&mut self) -> io::Result<u32> {
        let mut bytes = None;
        if let Some((full, _)) = self.open.take()
            && self.in_memory + BLOCK > self.limit
        {
            bytes = self.spill(full)?;
        }
        let bytes = bytes.unwrap_or_else(|| {
            self.in_memory += BLOCK;
            vec![0; BLOCK].into_boxed_slice()
        });
        let block = Block { place: Place::Memory(bytes), live: 0 };
        if let Some(number) = self.free_blocks.pop()
            && let Some(free) = self.blocks.get_mut(number as usize)
        {
            *free = block;
            return Ok(number);
        }
        self.blocks.push(block);
        u32::try_from(self.blocks.len() - 1).map_err(io::Error::other)
    }

    /// Writes a block to the file and gives its memory back.
    fn spill(&mut self, number: u32) -> io::Result<Option<Box<[u8]>>> {
        let Some(block) = self.blocks.get_mut(number as usize) else { return Ok(None) };
        let Place::Memory(bytes) = std::mem::replace(&mut block.place, Place::Free) else { return Ok(None) };
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert((self.make_file)()?),
        };
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        });
        self.most_slots = self.most_slots.max(self.slots);
        file.write_at(u64::from(slot) * BLOCK as u64, &bytes)?;
        block.place = Place::File(slot);
        Ok(Some(bytes))
    }
}
