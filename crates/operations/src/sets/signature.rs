//! Signatures of proofs: Ed25519 over the proof's JSON, with a key that belongs to the vault.
//!
//! The key lies in the vault as a document, or, where its owner wants that, only its public half does: then whoever may write to the vault
//! still cannot sign. What is signed is the proof as compact JSON, members in the order in which they stand, without the member `signature`:
//! `jq -cj 'del(.signature)'` gives the same bytes, and any Ed25519 tool verifies them.

use super::moment::Moment;
use anchorlog_vault::restic::crypto::random;
use anchorlog_vault::{Name, Vault};
use ed25519_dalek::{Signature as Ed25519, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// What the document says that it is.
pub const FORMAT: &str = "anchorlog proof key";
/// The version that is written, and the highest that is read.
pub const VERSION: u32 = 1;
/// Name of the document, one for each key of the vault.
const NAME: &str = "proof-key.json";
/// The member of a proof that holds its signature.
pub(super) const MEMBER: &str = "signature";

/// The public half of a key: 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A key as it is written; `None` where the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = hex::decode(text.trim()).ok()?.try_into().ok()?;
        VerifyingKey::from_bytes(&bytes).ok().map(|_| Self(bytes))
    }
    fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(message, &Ed25519::from_bytes(signature)).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no public key of Ed25519"))
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// What signs proofs.
#[derive(Clone)]
pub struct ProofKey(SigningKey);

impl fmt::Debug for ProofKey {
    /// Never the secret half.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofKey({})", self.public())
    }
}

impl ProofKey {
    /// A new key.
    ///
    /// # Errors
    /// No random numbers to be had.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self(SigningKey::from_bytes(&random()?)))
    }
    /// What is in a key file: the seed as 64 hexadecimal digits. `None` where the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let seed: [u8; 32] = hex::decode(text.trim()).ok()?.try_into().ok()?;
        Some(Self(SigningKey::from_bytes(&seed)))
    }
    /// As a key file holds it. Who reads it signs as its owner.
    #[must_use]
    pub fn to_file(&self) -> String {
        hex::encode(self.0.to_bytes()) + "\n"
    }
    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }
    pub(super) fn sign(&self, message: &[u8]) -> Seal {
        Seal { key: self.public(), ed25519: self.0.sign(message).to_bytes() }
    }
}

/// A signature as a proof carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// With which key.
    pub key: PublicKey,
    /// The signature.
    #[serde(with = "super::wire::ed25519")]
    pub ed25519: [u8; 64],
}

/// What the signature of a proof is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signed {
    /// By a key of this vault.
    Good(PublicKey),
    /// There is none: the proof was made before the vault had a key, or by somebody who does not have it.
    Unsigned,
    /// By a key that this vault does not know: worth no more than none.
    Foreign(PublicKey),
    /// The proof is not what was signed, or is of another set: it counts for nothing.
    Bad(String),
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(_) => f.write_str("signed"),
            Self::Unsigned => f.write_str("not signed"),
            Self::Foreign(key) => write!(f, "signed by {key}, which is no key of this vault"),
            Self::Bad(why) => write!(f, "BAD SIGNATURE: {why}"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u32,
    made: Moment,
    public: PublicKey,
    /// The seed; none: its owner keeps it elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// The keys of a vault that sign its proofs.
#[derive(Clone, Debug, Default)]
pub struct ProofKeys {
    /// All, oldest first: two clients may have made one at the same time, and all are good.
    pub public: Vec<PublicKey>,
    /// The oldest whose secret half lies in the vault.
    pub inside: Option<ProofKey>,
    /// Keys that cannot be read, and why.
    pub unreadable: Vec<String>,
}

impl ProofKeys {
    /// Reads the keys of a vault.
    ///
    /// # Errors
    /// The vault's.
    pub fn read(vault: &dyn Vault) -> anchorlog_vault::Result<Self> {
        let mut keys = Self::default();
        let documents = match vault.documents() {
            // What is damaged among them may be a key: it is told, and hides no set.
            Err(anchorlog_vault::Error::Damaged(damage)) => {
                keys.unreadable.push(damage.to_string());
                return Ok(keys);
            }
            documents => documents?,
        };
        for document in documents.iter().filter(|document| document.name.as_str() == NAME) {
            match serde_json::from_slice::<Document>(&document.bytes) {
                Ok(read) if read.format == FORMAT && read.version <= VERSION => keys.take(&read),
                Ok(read) => keys.unreadable.push(format!("it is \"{}\", version {}", read.format, read.version)),
                Err(error) => keys.unreadable.push(error.to_string()),
            }
        }
        Ok(keys)
    }
    fn take(&mut self, read: &Document) {
        match read.secret.as_deref().map(ProofKey::parse) {
            Some(Some(key)) if key.public() == read.public => self.inside = self.inside.take().or(Some(key)),
            Some(_) => return self.unreadable.push(format!("the halves of {} do not belong together", read.public)),
            None => {}
        }
        if !self.public.contains(&read.public) {
            self.public.push(read.public);
        }
    }
    /// The key that signs: the one that is given, whose public half a vault without a key takes, otherwise the one that lies in the vault.
    /// None: the vault has no key, or its owner keeps it elsewhere and did not give it.
    ///
    /// # Errors
    /// The vault's; a given key that is none of this vault's ([`anchorlog_vault::Error::Unsupported`]).
    pub fn signer(vault: &dyn Vault, given: Option<&ProofKey>, now: Moment) -> anchorlog_vault::Result<Option<ProofKey>> {
        let keys = Self::read(vault)?;
        match given {
            Some(given) if keys.public.contains(&given.public()) => Ok(Some(given.clone())),
            Some(given) if keys.has_none() => store(vault, given, false, now).map(|()| Some(given.clone())),
            Some(given) => {
                let known: Vec<String> = keys.public.iter().map(ToString::to_string).chain(keys.unreadable).collect();
                let reason = format!("the proof key {} is none of this vault, which has {}", given.public(), known.join(", "));
                Err(anchorlog_vault::Error::Unsupported(reason))
            }
            None => Ok(keys.inside),
        }
    }
    /// The same; a vault without any key gets a new one, with both halves inside.
    ///
    /// # Errors
    /// As [`ProofKeys::signer`]; no random numbers to be had.
    pub fn signer_or_new(vault: &dyn Vault, given: Option<&ProofKey>, now: Moment) -> anchorlog_vault::Result<Option<ProofKey>> {
        let key = Self::signer(vault, given, now)?;
        if key.is_some() || !Self::read(vault)?.has_none() {
            return Ok(key);
        }
        let key = ProofKey::new().map_err(storage)?;
        store(vault, &key, true, now).map(|()| Some(key))
    }
    /// Whether the vault was never given a key: one that cannot be read is one.
    fn has_none(&self) -> bool {
        self.public.is_empty() && self.unreadable.is_empty()
    }
}

/// Keeps a key in a vault; without `inside` only its public half.
fn store(vault: &dyn Vault, key: &ProofKey, inside: bool, made: Moment) -> anchorlog_vault::Result<()> {
    let secret = inside.then(|| key.to_file().trim().to_owned());
    let document = Document { format: FORMAT.into(), version: VERSION, made, public: key.public(), secret };
    let bytes = serde_json::to_vec_pretty(&document).map_err(|error| storage(error.into()))?;
    Name::new(NAME).map_or(Ok(()), |name| vault.keep(&name, &bytes))
}

fn storage(error: std::io::Error) -> anchorlog_vault::Error {
    anchorlog_vault::Error::Storage(anchorlog_vault::Place::object(NAME), error)
}

/// What the signature of a proof is worth, by the keys of its vault.
pub(super) fn judge(proof: &[u8], keys: &ProofKeys) -> Signed {
    let mut members: Map<String, Value> = match serde_json::from_slice(proof) {
        Ok(members) => members,
        Err(error) => return Signed::Bad(error.to_string()),
    };
    // Not `remove`, which puts the last member in the place of the one that goes.
    let Some(seal) = members.shift_remove(MEMBER) else { return Signed::Unsigned };
    let (seal, message) = match (serde_json::from_value::<Seal>(seal), serde_json::to_vec(&members)) {
        (Ok(seal), Ok(message)) => (seal, message),
        (Err(error), _) | (_, Err(error)) => return Signed::Bad(error.to_string()),
    };
    if !seal.key.verifies(&message, &seal.ed25519) {
        return Signed::Bad(format!("{} did not sign these words", seal.key));
    }
    if keys.public.contains(&seal.key) { Signed::Good(seal.key) } else { Signed::Foreign(seal.key) }
}
