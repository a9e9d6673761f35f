//! Trees: what is in a folder of a snapshot (restic's design document, "Trees and Data").

use crate::error::{Error, Result};
use crate::restic::Id;
use crate::restic::backend::{Kind, Object};
use crate::restic::index::Index;
use crate::restic::pack::BlobKind;
use crate::restic::repository::Repository;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Everything in a snapshot has this time: the same bytes then make the same trees, which are stored once. The times of the files are the
/// business of the manifest.
const TIME: &str = "1970-01-01T00:00:00Z";
/// Bits of a folder in the modes of the Go language, which restic writes down.
const FOLDER_MODE: u32 = 1 << 31 | 0o755;
const FILE_MODE: u32 = 0o644;
/// Trees kept in memory.
const CACHED: usize = 8;

/// Trees by their names, the newest last.
pub(crate) type TreeCache = Mutex<VecDeque<(Id, Arc<Tree>)>>;

/// A folder's entries, ascending by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The entries.
    pub nodes: Vec<Node>,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Name, escaped as in a string of the Go language.
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    mode: u32,
    #[serde(default)]
    mtime: String,
    #[serde(default)]
    atime: String,
    #[serde(default)]
    ctime: String,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    /// Size of a file in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// The blobs of a file, in order.
    pub content: Option<Vec<Id>>,
    /// The tree of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtree: Option<Id>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(size: &u64) -> bool {
    *size == 0
}

impl Node {
    /// A file.
    pub(crate) fn file(name: &str, size: u64, content: Vec<Id>) -> Self {
        Self { size, content: Some(content), ..Self::new(name, "file", FILE_MODE) }
    }
    /// A folder.
    pub(crate) fn folder(name: &str, tree: Id) -> Self {
        Self { subtree: Some(tree), ..Self::new(name, "dir", FOLDER_MODE) }
    }
    fn new(name: &str, kind: &str, mode: u32) -> Self {
        let (name, kind, time) = (escape(name), kind.to_owned(), || TIME.to_owned());
        let (mtime, atime, ctime) = (time(), time(), time());
        Self { name, kind, mode, mtime, atime, ctime, uid: 0, gid: 0, size: 0, content: None, subtree: None }
    }
    /// Its name; `None` where it is no text.
    pub(crate) fn name(&self) -> Option<String> {
        unescape(&self.name)
    }
}

impl Tree {
    /// A folder with these entries, in any order.
    pub(crate) fn of(mut nodes: Vec<Node>) -> Self {
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Self { nodes }
    }
    /// As it is stored.
    pub(crate) fn bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
    pub(crate) fn load(repository: &Repository, index: &Index, id: Id) -> Result<Self> {
        let bytes = repository.load_blob(index, BlobKind::Tree, id)?;
        serde_json::from_slice(&bytes).map_err(|error| Object::new(Kind::Pack, id).damage(format!("the tree {id}: {error}")))
    }
    /// As [`Tree::load`], for folders that are looked into again and again: who reads a set asks for each of its streams by name.
    fn cached(repository: &Repository, index: &Index, id: Id) -> Result<Arc<Self>> {
        let cache = || repository.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tree)) = cache().iter().find(|(cached, _)| *cached == id) {
            return Ok(tree.clone());
        }
        let tree = Arc::new(Self::load(repository, index, id)?);
        let mut cache = cache();
        cache.push_back((id, tree.clone()));
        if cache.len() > CACHED {
            cache.pop_front();
        }
        Ok(tree)
    }
    /// The entry of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Node> {
        let escaped = escape(name);
        let found = self.nodes.binary_search_by(|node| node.name.cmp(&escaped));
        // Other programs escape more, and sort by what is not escaped.
        let searched = || self.nodes.iter().find(|node| node.name().as_deref() == Some(name));
        found.ok().and_then(|at| self.nodes.get(at)).or_else(searched)
    }
    /// The entry at a path below the tree `root`; `None` where there is none.
    pub(crate) fn resolve(repository: &Repository, index: &Index, root: Id, path: &str) -> Result<Option<Node>> {
        let mut tree = Some(root);
        let mut found = None;
        for part in path.split('/') {
            let Some(id) = tree else { return Ok(None) };
            found = Self::cached(repository, index, id)?.find(part).cloned();
            tree = found.as_ref().and_then(|node| node.subtree);
        }
        Ok(found)
    }
}

/// The bytes of a file that is small.
pub(crate) fn small_file(repository: &Repository, index: &Index, node: &Node, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for id in node.content.iter().flatten() {
        bytes.extend(repository.load_blob(index, BlobKind::Data, *id)?);
        if bytes.len() as u64 > limit {
            return Err(Error::Unsupported(format!("{} is longer than {limit} bytes", node.name)));
        }
    }
    Ok(bytes)
}

/// As restic writes names: what the Go language would put between quotation marks.
fn escape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '\0'..='\x1F' | '\x7F' => text.push_str(&format!("\\x{:02x}", u32::from(character))),
            _ => text.push(character),
        }
    }
    text
}

/// The reverse; `None` where the text is no such string, or what comes out is not UTF-8.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let kind = after.chars().next()?;
        rest = after.get(kind.len_utf8()..)?;
        let mut digits = |count: usize, radix| {
            let (digits, after) = rest.split_at_checked(count)?;
            rest = after;
            u32::from_str_radix(digits, radix).ok()
        };
        let character = match kind {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0C',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0B',
            '\\' | '"' | '\'' => kind,
            'u' => char::from_u32(digits(4, 16)?)?,
            'U' => char::from_u32(digits(8, 16)?)?,
            'x' => {
                bytes.push(u8::try_from(digits(2, 16)?).ok()?);
                continue;
            }
            _ => return None,
        };
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_the_go_language_does() {
        for (name, escaped) in [("mail.edb", "mail.edb"), ("a\"b", "a\\\"b"), ("a\nb", "a\\x0ab"), ("ä\u{1F4BE}", "ä\u{1F4BE}")]
        {
            assert_eq!((escape(name).as_str(), unescape(escaped).as_deref()), (escaped, Some(name)));
        }
        assert_eq!(unescape("\\u00e4\\t\\xc3\\xa4\\U0001f4be").as_deref(), Some("ä\tä\u{1F4BE}"));
        for text in ["\\", "\\x", "\\xzz", "\\q", "\\xff", "\\ud800"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    #[test]
    fn the_entries_of_a_tree_stand_in_the_order_of_their_names() {
        let tree = Tree::of(vec![Node::file("b", 1, vec![]), Node::folder("a", Id::default())]);
        assert_eq!(tree.nodes.iter().map(|node| node.name().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(serde_json::from_slice::<Tree>(&tree.bytes().unwrap()).unwrap(), tree);
    }
}
