//! The storage of the vault, as rustic_core wants it.

use anchorlog_vault::restic::backend::{Backend, Kind, Object};
use anchorlog_vault::restic::{Exclusive, Id};
use bytes::Bytes;
use rustic_core::{BytesList, ErrorKind, FileType, ReadBackend, RusticError, RusticResult, WriteBackend};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Nothing is removed before what was written is durable, and nothing is changed once the lock may be lost.
pub(crate) struct Bridge {
    backend: Arc<dyn Backend>,
    exclusive: Exclusive,
    /// Whether something was written since the last sync.
    written: AtomicBool,
}

impl Bridge {
    pub(crate) fn new(backend: Arc<dyn Backend>, exclusive: Exclusive) -> Self {
        Self { backend, exclusive, written: AtomicBool::new(false) }
    }
    fn refuse_without_lock(&self, object: Object) -> RusticResult<()> {
        if self.exclusive.is_held() {
            return Ok(());
        }
        Err(told(object, io::Error::other("the lock of the vault was not renewed in time")))
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bridge({})", self.backend.location())
    }
}

impl ReadBackend for Bridge {
    fn location(&self) -> String {
        self.backend.location()
    }
    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(rustic_core::Id, u32)>> {
        let kind = kind_of(kind);
        let failed = |error| told(Object::new(kind, Id::default()), error);
        let sized =
            |(id, size): (Id, u64)| Ok((rustic_core::Id::new(*id.bytes()), u32::try_from(size).map_err(io::Error::other)?));
        self.backend.list(kind).map_err(failed)?.into_iter().map(|entry| sized(entry).map_err(failed)).collect()
    }
    fn read_full(&self, kind: FileType, id: &rustic_core::Id) -> RusticResult<Bytes> {
        let object = object(kind, id)?;
        self.backend.read(object, u32::MAX.into()).map(Bytes::from).map_err(|error| told(object, error))
    }
    fn read_partial(&self, kind: FileType, id: &rustic_core::Id, _: bool, offset: u32, length: u32) -> RusticResult<Bytes> {
        let object = object(kind, id)?;
        let read = self.backend.read_range(object, offset.into(), length as usize);
        read.map(Bytes::from).map_err(|error| told(object, error))
    }
    fn warmup_path(&self, kind: FileType, id: &rustic_core::Id) -> String {
        object(kind, id).map(|object| object.to_string()).unwrap_or_default()
    }
}

impl WriteBackend for Bridge {
    fn write_bytes(&self, kind: FileType, id: &rustic_core::Id, _: bool, content: BytesList) -> RusticResult<()> {
        let object = object(kind, id)?;
        self.refuse_without_lock(object)?;
        let bytes: Vec<u8> = content.into_vec().concat();
        self.backend.create(object, &bytes).map_err(|error| told(object, error))?;
        self.written.store(true, Ordering::SeqCst);
        Ok(())
    }
    fn remove(&self, kind: FileType, id: &rustic_core::Id, _: bool) -> RusticResult<()> {
        let object = object(kind, id)?;
        self.refuse_without_lock(object)?;
        if self.written.swap(false, Ordering::SeqCst) {
            self.backend.sync().map_err(|error| told(object, error))?;
        }
        self.backend.remove(object).map_err(|error| told(object, error))
    }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::Config => Kind::Config,
        FileType::Index => Kind::Index,
        FileType::Key => Kind::Key,
        FileType::Snapshot => Kind::Snapshot,
        FileType::Pack => Kind::Pack,
    }
}

fn object(kind: FileType, id: &rustic_core::Id) -> RusticResult<Object> {
    let parsed = Id::parse(id.to_hex().as_str());
    let parsed = parsed.ok_or_else(|| RusticError::new(ErrorKind::Internal, "an id is not 64 hexadecimal digits"))?;
    Ok(Object::new(kind_of(kind), parsed))
}

fn told(object: Object, error: io::Error) -> Box<RusticError> {
    RusticError::with_source(ErrorKind::Backend, format!("{object}: {error}"), error)
}
