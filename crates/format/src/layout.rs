//! How a structure on disk is declared, once: fields with offset, type, names and meaning.
//!
//! [`layout!`] turns one declaration into a struct with `read` and `write`, and into a [`Layout`] table from which `inspect`,
//! `--layout` and the format pages of the docs are made. An offset never stands twice in the code.

use serde::Serialize;

/// A value that stands in a structure at a fixed size, little-endian.
pub trait Wire: Sized {
    /// Bytes on disk.
    const SIZE: usize;
    /// The type's name in layout tables.
    const NAME: &'static str;
    /// Reads from exactly [`Self::SIZE`] bytes.
    fn get(bytes: &[u8]) -> Self;
    /// Writes to exactly [`Self::SIZE`] bytes.
    fn put(&self, bytes: &mut [u8]);
    /// The value as people read it.
    fn show(&self) -> Shown;
}

/// A decoded field value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// A number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// Decoded text: a state's name, a time, a position.
    Text(String),
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

macro_rules! wire_integers {
    ($($type:ty => $shown:ident),*) => {$(
        impl Wire for $type {
            const SIZE: usize = size_of::<$type>();
            const NAME: &'static str = stringify!($type);
            fn get(bytes: &[u8]) -> Self {
                let mut raw = [0; size_of::<$type>()];
                raw.copy_from_slice(bytes);
                Self::from_le_bytes(raw)
            }
            fn put(&self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
            fn show(&self) -> Shown {
                Shown::$shown((*self).into())
            }
        }
    )*};
}
wire_integers!(u8 => Unsigned, u16 => Unsigned, u32 => Unsigned, u64 => Unsigned, i16 => Signed, i32 => Signed, i64 => Signed);

impl<const N: usize> Wire for [u8; N] {
    const SIZE: usize = N;
    const NAME: &'static str = "bytes";
    fn get(bytes: &[u8]) -> Self {
        let mut raw = [0; N];
        raw.copy_from_slice(bytes);
        raw
    }
    fn put(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(self);
    }
    fn show(&self) -> Shown {
        if self.iter().all(|&byte| byte == 0) {
            return Shown::Text(format!("{N} zero bytes"));
        }
        let mut text = String::with_capacity(2 * N);
        for byte in self {
            text.push_str(&format!("{byte:02x}"));
        }
        Shown::Text(text)
    }
}

/// One field of a declared structure.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Bytes from the structure's start.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// Our plain name.
    pub name: &'static str,
    /// Microsoft's name, as its header dumps print it; empty where none is known.
    pub microsoft: &'static str,
    /// The type's name.
    pub kind: &'static str,
    /// The format since which it has meaning; empty: always.
    pub since: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Decodes the field from the structure's bytes; `None` where they end before it.
    pub show: fn(&[u8]) -> Option<Shown>,
}

/// A declared structure.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Our name.
    pub name: &'static str,
    /// Microsoft's name.
    pub microsoft: &'static str,
    /// Bytes of the declared part.
    pub size: usize,
    /// Where the facts come from.
    pub source: &'static str,
    /// Fields, ascending by offset.
    pub fields: &'static [Field],
}

impl Layout {
    /// Whether fields ascend, do not overlap, and end inside the structure: asserted at compile time for each declaration.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        let mut end = 0;
        let mut i = 0;
        while i < self.fields.len() {
            let field = &self.fields[i];
            if field.offset < end {
                return false;
            }
            end = field.offset + field.size;
            i += 1;
        }
        end <= self.size
    }
}

/// Reads a value at `offset`; `None` where the bytes end before it.
#[must_use]
pub fn get_at<T: Wire>(bytes: &[u8], offset: usize) -> Option<T> {
    bytes.get(offset..offset.checked_add(T::SIZE)?).map(T::get)
}

/// One declared field, for code that reads or writes a single field in place.
#[derive(Clone, Copy, Debug)]
pub struct At<T> {
    offset: usize,
    kind: std::marker::PhantomData<fn() -> T>,
}

impl<T: Wire> At<T> {
    /// A field at `offset`: made by [`layout!`] alone.
    #[must_use]
    pub const fn new(offset: usize) -> Self {
        Self { offset, kind: std::marker::PhantomData }
    }
    /// The field's value.
    ///
    /// # Panics
    /// When `bytes` end before it: for views that have checked their length.
    #[must_use]
    #[inline]
    pub fn get(self, bytes: &[u8]) -> T {
        T::get(&bytes[self.offset..self.offset + T::SIZE])
    }
    /// Writes the field.
    ///
    /// # Panics
    /// When `bytes` end before it: for views that have checked their length.
    #[inline]
    pub fn set(self, bytes: &mut [u8], value: T) {
        value.put(&mut bytes[self.offset..self.offset + T::SIZE]);
    }
}

/// Declares a structure: `offset name: Type, "MicrosoftName", "since", "meaning";` for each field.
///
/// ```
/// use anchorlog_format::layout;
/// layout! {
///     /// An example.
///     pub struct Example = "EXAMPLE", 8, "none" {
///         0 first: u32, "le_first", "", "the first";
///         4 second: u32, "le_second", "", "the second";
///     }
/// }
/// let example = Example::read(&[1, 0, 0, 0, 2, 0, 0, 0]).unwrap();
/// assert_eq!((example.first, example.second), (1, 2));
/// assert_eq!(Example::LAYOUT.fields[1].offset, 4);
/// ```
///
/// With `pub struct Example in example = …` a module `example` with an [`At`] for each field is made as well.
#[macro_export]
macro_rules! layout {
    (
        $(#[$doc:meta])*
        pub struct $name:ident in $module:ident = $microsoft:literal, $size:expr, $source:literal {
            $( $offset:literal $field:ident : $type:ty, $ms:literal, $since:literal, $meaning:literal; )*
        }
    ) => {
        $crate::layout! {
            $(#[$doc])*
            pub struct $name = $microsoft, $size, $source {
                $( $offset $field : $type, $ms, $since, $meaning; )*
            }
        }
        #[doc = concat!("The fields of [`", stringify!($name), "`] in place.")]
        #[allow(non_upper_case_globals)]
        pub mod $module {
            #[allow(unused_imports)]
            use super::*;
            $( #[doc = $meaning] pub const $field: $crate::layout::At<$type> = $crate::layout::At::new($offset); )*
        }
    };
    (
        $(#[$doc:meta])*
        pub struct $name:ident = $microsoft:literal, $size:expr, $source:literal {
            $( $offset:literal $field:ident : $type:ty, $ms:literal, $since:literal, $meaning:literal; )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $( #[doc = $meaning] pub $field: $type, )*
        }

        impl $name {
            /// Bytes of the declared part.
            pub const SIZE: usize = $size;
            /// The declaration as a table.
            pub const LAYOUT: $crate::layout::Layout = $crate::layout::Layout {
                name: stringify!($name),
                microsoft: $microsoft,
                size: $size,
                source: $source,
                fields: &[ $( $crate::layout::Field {
                    offset: $offset,
                    size: <$type as $crate::layout::Wire>::SIZE,
                    name: stringify!($field),
                    microsoft: $ms,
                    kind: <$type as $crate::layout::Wire>::NAME,
                    since: $since,
                    meaning: $meaning,
                    show: |bytes| {
                        $crate::layout::get_at::<$type>(bytes, $offset).map(|value| $crate::layout::Wire::show(&value))
                    },
                }, )* ],
            };

            /// Reads the structure from the start of `bytes`; `None` where they are shorter than [`Self::SIZE`].
            #[must_use]
            #[allow(clippy::question_mark, unused_variables)]
            pub fn read(bytes: &[u8]) -> Option<Self> {
                let bytes = bytes.get(..Self::SIZE)?;
                Some(Self { $( $field: $crate::layout::get_at(bytes, $offset)?, )* })
            }

            /// Writes the fields, and nothing between them, to the start of `bytes`; bytes without a field keep their value.
            ///
            /// # Panics
            /// When `bytes` is shorter than [`Self::SIZE`]: the caller made the buffer.
            #[allow(unused_variables)]
            pub fn write(&self, bytes: &mut [u8]) {
                assert!(bytes.len() >= Self::SIZE, "the buffer holds a whole {}", stringify!($name));
                $( $crate::layout::Wire::put(
                    &self.$field,
                    &mut bytes[$offset..$offset + <$type as $crate::layout::Wire>::SIZE],
                ); )*
            }
        }

        const _: () = assert!($name::LAYOUT.is_sound());
    };
}
