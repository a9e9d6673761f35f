//! How a record is declared, once: [`record!`] makes the struct that code uses, its layout, reading, writing and its size from one list.

use crate::layout::{Layout, Shown, Wire};
use crate::log::record::{NodeHead, PageHead, RecordError, RecordType};
use crate::units::{DatabaseId, SessionId};

/// What every record can do; [`crate::log::record::Operation`] is the choice over all of them.
pub trait Record<'a>: Sized {
    /// The size that the fixed part asks for; `None` where `bytes` end inside the fixed part.
    fn size(kind: RecordType, bytes: &[u8]) -> Option<usize>;
    /// Reads the record from exactly its bytes.
    ///
    /// # Errors
    /// What does not fit together.
    fn decode(kind: RecordType, bytes: &'a [u8]) -> Result<Self, RecordError>;
    /// Writes the record behind `out`.
    ///
    /// # Errors
    /// A variable part that is too long for its length field.
    fn encode(&self, kind: RecordType, out: &mut Vec<u8>) -> Result<(), RecordError>;
    /// The declared parts, in order of their offsets.
    fn layouts(&self) -> Vec<&'static Layout>;
    /// The variable parts by name.
    fn parts(&self) -> Vec<(&'static str, Shown)> {
        Vec::new()
    }
    /// Which of the types that share this struct it is.
    fn kind(&self, kinds: &[u8]) -> RecordType {
        RecordType(kinds.first().copied().unwrap_or(0))
    }
    /// The head of a page record.
    fn page_head(&self) -> Option<&PageHead> {
        None
    }
    /// The head of a node record.
    fn node_head(&self) -> Option<&NodeHead> {
        None
    }
    /// The session, where the record names one.
    fn session(&self) -> Option<SessionId> {
        self.page_head().map(|head| head.session)
    }
    /// The database, where the record names one.
    fn database(&self) -> Option<DatabaseId> {
        self.page_head().map(|head| head.database)
    }
}

/// The head that a record begins with.
pub trait Head: Sized {
    fn read_head(bytes: &[u8]) -> Option<Self>;
    fn write_head(&self, bytes: &mut [u8]);
    fn head_layouts() -> Vec<&'static Layout>;
    fn page(&self) -> &PageHead;
    fn node(&self) -> Option<&NodeHead>;
}

/// A field that holds the length of a variable part.
pub trait LengthField: Wire {
    fn bytes(&self) -> usize;
    fn of(part: &[u8]) -> Result<Self, RecordError>;
}

macro_rules! length_fields {
    ($($type:ty),*) => {$(
        impl LengthField for $type {
            fn bytes(&self) -> usize {
                // A length beyond the address space is beyond every slice as well.
                usize::try_from(*self).unwrap_or(usize::MAX)
            }
            fn of(part: &[u8]) -> Result<Self, RecordError> {
                Self::try_from(part.len()).map_err(|_| RecordError::TooLong)
            }
        }
    )*};
}
length_fields!(u16, u32);

/// Takes the variable parts one after the other.
pub struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    pub fn behind(bytes: &'a [u8], fixed: usize) -> Result<Self, RecordError> {
        Ok(Self { rest: bytes.get(fixed..).ok_or(RecordError::Truncated)? })
    }
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (part, rest) = self.rest.split_at_checked(length).ok_or(RecordError::Truncated)?;
        self.rest = rest;
        Ok(part)
    }
    pub const fn end(&self) -> Result<(), RecordError> {
        if self.rest.is_empty() { Ok(()) } else { Err(RecordError::Inconsistent("bytes behind the last part")) }
    }
}

/// The fixed part of a new record, zeroed, with its type.
pub fn blank(kind: RecordType, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size.max(1)];
    bytes[0] = kind.0;
    bytes
}

/// Hex of a variable part.
pub fn hex(bytes: &[u8]) -> Shown {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    Shown::Text(text)
}

/// Declares a record.
///
/// The body lists the fixed part behind the head, ascending, with offsets from the record's type byte:
/// `OFFSET name: Type, "MicrosoftName", "meaning";` is a field; `=> part` behind the type makes it the length of that variable part;
/// `= value` makes it a constant, which is checked and written but not kept. `parts(…)` names the variable parts in their order.
macro_rules! record {
    (
        $(#[$doc:meta])*
        pub struct $name:ident, $fixed:ident = $microsoft:literal, $size:literal, $source:literal, head($($head:ident)?) {
            $($body:tt)*
        } parts($($part:ident),*)
    ) => {
        record! { @munch [$(#[$doc])*] $name $fixed $microsoft $size $source [$($head)?] [$($part)*] [] [] [] [] $($body)* }
    };
    (@munch $doc:tt $name:ident $fixed:ident $ms:literal $size:literal $src:literal $head:tt $order:tt
        [$($layout:tt)*] [$($plain:tt)*] [$($length:tt)*] [$($constant:tt)*]
        $offset:literal $field:ident : $ty:ty, $m:literal, $meaning:literal; $($rest:tt)*
    ) => {
        record! { @munch $doc $name $fixed $ms $size $src $head $order
            [$($layout)* $offset $field: $ty, $m, "", $meaning;] [$($plain)* ($field: $ty, $meaning)] [$($length)*] [$($constant)*] $($rest)* }
    };
    (@munch $doc:tt $name:ident $fixed:ident $ms:literal $size:literal $src:literal $head:tt $order:tt
        [$($layout:tt)*] [$($plain:tt)*] [$($length:tt)*] [$($constant:tt)*]
        $offset:literal $field:ident : $ty:ty => $part:ident, $m:literal, $meaning:literal; $($rest:tt)*
    ) => {
        record! { @munch $doc $name $fixed $ms $size $src $head $order
            [$($layout)* $offset $field: $ty, $m, "", "bytes of the variable part";] [$($plain)*]
            [$($length)* ($field: $ty, $part, $meaning)] [$($constant)*] $($rest)* }
    };
    (@munch $doc:tt $name:ident $fixed:ident $ms:literal $size:literal $src:literal $head:tt $order:tt
        [$($layout:tt)*] [$($plain:tt)*] [$($length:tt)*] [$($constant:tt)*]
        $offset:literal $field:ident : $ty:ty = $value:literal, $m:literal, $meaning:literal; $($rest:tt)*
    ) => {
        record! { @munch $doc $name $fixed $ms $size $src $head $order
            [$($layout)* $offset $field: $ty, $m, "", $meaning;] [$($plain)*] [$($length)*] [$($constant)* ($field: $ty, $value)] $($rest)* }
    };
    // No variable part: no lifetime.
    (@munch [$($doc:tt)*] $name:ident $fixed:ident $ms:literal $size:literal $src:literal [$($head:ident)?] []
        [$($layout:tt)*] [$(($plain:ident: $plain_ty:ty, $plain_doc:literal))*] [] [$(($constant:ident: $constant_ty:ty, $value:literal))*]
    ) => {
        $crate::layout! {
            /// The fixed part.
            pub struct $fixed = $ms, $size, $src { $($layout)* }
        }
        $($doc)*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $( /// The head.
               pub head: $head, )?
            $( #[doc = $plain_doc] pub $plain: $plain_ty, )*
        }
        record! { @impl [] $name [$name] $fixed [$($head)?] [] [$($plain)*] [] [$(($constant: $constant_ty, $value))*] }
    };
    (@munch [$($doc:tt)*] $name:ident $fixed:ident $ms:literal $size:literal $src:literal [$($head:ident)?] [$($order:ident)+]
        [$($layout:tt)*] [$(($plain:ident: $plain_ty:ty, $plain_doc:literal))*]
        [$(($length:ident: $length_ty:ty, $part:ident, $part_doc:literal))*] [$(($constant:ident: $constant_ty:ty, $value:literal))*]
    ) => {
        $crate::layout! {
            /// The fixed part.
            pub struct $fixed = $ms, $size, $src { $($layout)* }
        }
        $($doc)*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            $( /// The head.
               pub head: $head, )?
            $( #[doc = $plain_doc] pub $plain: $plain_ty, )*
            $( #[doc = $part_doc] pub $part: &'a [u8], )*
        }
        record! { @impl ['a] $name [$name<'a>] $fixed [$($head)?] [$($order)+] [$($plain)*]
            [$(($length: $length_ty, $part))*] [$(($constant: $constant_ty, $value))*] }
    };
    (@impl [$($life:lifetime)?] $name:ident [$($full:tt)*] $fixed:ident [$($head:ident)?] [$($order:ident)*]
        [$($plain:ident)*] [$(($length:ident: $length_ty:ty, $part:ident))*] [$(($constant:ident: $constant_ty:ty, $value:literal))*]
    ) => {
        impl<'a> $crate::log::record::declare::Record<'a> for $($full)* {
            #[allow(unused_variables)]
            fn size(kind: $crate::log::record::RecordType, bytes: &[u8]) -> Option<usize> {
                let fixed = $fixed::read(bytes)?;
                Some($fixed::SIZE $( .saturating_add($crate::log::record::declare::LengthField::bytes(&fixed.$length)) )*)
            }
            #[allow(unused_variables, unused_mut)]
            fn decode(kind: $crate::log::record::RecordType, bytes: &'a [u8]) -> Result<Self, $crate::log::record::RecordError> {
                use $crate::log::record::RecordError;
                let fixed = $fixed::read(bytes).ok_or(RecordError::Truncated)?;
                $( if fixed.$constant != $value {
                    return Err(RecordError::Inconsistent(concat!(stringify!($constant), " is not as declared")));
                } )*
                let mut parts = $crate::log::record::declare::Parts::behind(bytes, $fixed::SIZE)?;
                $( let $part = $crate::log::record::declare::LengthField::bytes(&fixed.$length); )*
                $( let $order = parts.take($order)?; )*
                parts.end()?;
                Ok(Self {
                    $( head: <$head as $crate::log::record::declare::Head>::read_head(bytes).ok_or(RecordError::Truncated)?, )?
                    $( $plain: fixed.$plain, )*
                    $( $order, )*
                })
            }
            fn encode(&self, kind: $crate::log::record::RecordType, out: &mut Vec<u8>) -> Result<(), $crate::log::record::RecordError> {
                let mut bytes = $crate::log::record::declare::blank(kind, $fixed::SIZE);
                $( <$head as $crate::log::record::declare::Head>::write_head(&self.head, &mut bytes); )?
                $fixed {
                    $( $plain: self.$plain, )*
                    $( $constant: $value, )*
                    $( $length: <$length_ty as $crate::log::record::declare::LengthField>::of(self.$part)?, )*
                }.write(&mut bytes);
                out.append(&mut bytes);
                $( out.extend_from_slice(self.$order); )*
                Ok(())
            }
            fn layouts(&self) -> Vec<&'static $crate::layout::Layout> {
                [ $( <$head as $crate::log::record::declare::Head>::head_layouts(), )? vec![&$fixed::LAYOUT] ].concat()
            }
            fn parts(&self) -> Vec<(&'static str, $crate::layout::Shown)> {
                vec![ $( (stringify!($order), $crate::log::record::declare::hex(self.$order)), )* ]
            }
            $(
                fn page_head(&self) -> Option<&$crate::log::record::PageHead> {
                    Some(<$head as $crate::log::record::declare::Head>::page(&self.head))
                }
                fn node_head(&self) -> Option<&$crate::log::record::NodeHead> {
                    <$head as $crate::log::record::declare::Head>::node(&self.head)
                }
            )?
            record! { @session [$($plain)*] }
            record! { @database [$($plain)*] }
        }
    };
    (@session [session $($rest:ident)*]) => {
        fn session(&self) -> Option<$crate::units::SessionId> { Some(self.session) }
    };
    (@session [$other:ident $($rest:ident)*]) => { record! { @session [$($rest)*] } };
    (@session []) => {};
    (@database [database $($rest:ident)*]) => {
        fn database(&self) -> Option<$crate::units::DatabaseId> { Some(self.database) }
    };
    (@database [$other:ident $($rest:ident)*]) => { record! { @database [$($rest)*] } };
    (@database []) => {};
}
