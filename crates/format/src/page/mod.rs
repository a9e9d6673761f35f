//! Database pages (`db-2`): header, tags, nodes; reading, checking, and the only code that moves bytes inside a page.

pub mod check;
pub mod compare;
pub mod editor;
pub mod header;
pub mod node;
pub mod view;

pub use check::Fault;
pub use editor::{NewNode, NoRoom, PageEditor};
pub use header::PageFlags;
pub use node::{Node, NodeFlags};
pub use view::Page;

#[cfg(test)]
mod tests;
