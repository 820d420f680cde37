//! Page tokens: opaque to the caller, bound to the request they were issued for, and no authority: whoever presents one
//! is authorised like anybody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::page_size;
use crate::failure::{Category, Failure, reason};

/// Marks the layout; a token of another layout is refused like one of another request.
const LAYOUT: u8 = 1;
/// Bytes of the hash that binds a token to its request.
const BINDING: usize = 8;

/// Issues and reads the page tokens of one request.
///
/// `binding` is whatever decides what is listed and in which order (filters, parent, the actor's scope), without page
/// size and page token: with any of it changed, the token is refused.
#[derive(Debug, Clone, Copy)]
pub struct PageToken {
    binding: [u8; BINDING],
}

impl PageToken {
    /// Tokens of the request described by these parts, `list` being the RPC's name.
    pub fn bound_to<P: AsRef<[u8]>>(list: &str, parts: impl IntoIterator<Item = P>) -> Self {
        let mut digest = Sha256::new_with_prefix(b"tenantatlas page token");
        digest.update((list.len() as u64).to_be_bytes());
        digest.update(list);
        for part in parts {
            let part = part.as_ref();
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut binding = [0; BINDING];
        binding.copy_from_slice(&digest.finalize()[..BINDING]);
        Self { binding }
    }

    /// The text that resumes after `cursor`.
    pub fn issue<C: Serialize>(&self, cursor: &C) -> String {
        let cursor = serde_json::to_vec(cursor).expect("a cursor is plain values");
        let mut bytes = Vec::with_capacity(1 + BINDING + cursor.len());
        bytes.push(LAYOUT);
        bytes.extend(self.seal(&cursor));
        bytes.extend(cursor);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor of a token of this request; `None` for the empty token, which asks for the first page.
    pub fn read<C: DeserializeOwned>(&self, token: &str) -> Result<Option<C>, Failure> {
        if token.is_empty() {
            return Ok(None);
        }
        let refused = || {
            Failure::new(
                Category::InvalidArgument,
                reason::PAGE_TOKEN_INVALID,
                "page_token: was not issued for this request; start again without it",
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let (head, cursor) = bytes.split_at_checked(1 + BINDING).ok_or_else(refused)?;
        if head[0] != LAYOUT || head[1..] != self.seal(cursor) {
            return Err(refused());
        }
        serde_json::from_slice(cursor).map(Some).map_err(|_| refused())
    }

    /// A checksum over request and cursor, so that a token that was cut or edited is told apart. It is no signature:
    /// a forged token gets its maker nothing that asking plainly would not.
    fn seal(&self, cursor: &[u8]) -> [u8; BINDING] {
        let digest = Sha256::new_with_prefix(self.binding).chain_update(cursor).finalize();
        let mut seal = [0; BINDING];
        seal.copy_from_slice(&digest[..BINDING]);
        seal
    }
}

/// A parsed page request.
#[derive(Debug, Clone)]
pub struct Page<C> {
    /// How many entries to return.
    pub size: u32,
    /// After which entry to go on; `None` is the first page.
    pub after: Option<C>,
    tokens: PageToken,
}

impl<C: Serialize + DeserializeOwned> Page<C> {
    /// Reads `page_size` (0 is `default`, more than `most` is `most`) and `page_token`.
    pub fn read(tokens: PageToken, asked: i32, token: &str, default: u32, most: u32) -> Result<Self, Failure> {
        Ok(Self { size: page_size(asked, default, most)?, after: tokens.read(token)?, tokens })
    }

    /// How many rows to ask the store for: one more than the page, to learn whether there is another.
    pub fn fetch(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts the extra row off `rows` and gives the next page's token, empty at the end.
    pub fn cut<R>(&self, rows: &mut Vec<R>, cursor: impl FnOnce(&R) -> C) -> String {
        let size = self.size as usize;
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last().map_or_else(String::new, |last| self.tokens.issue(&cursor(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let tokens = PageToken::bound_to("ListTenants", ["workspace", "active"]);
        let all: Vec<u32> = (0..7).collect();
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = Page::<u32>::read(tokens, 3, &token, 50, 100).unwrap();
            let start = page.after.map_or(0, |last| last as usize + 1);
            let mut rows: Vec<u32> = all[start..].iter().copied().take(page.fetch() as usize).collect();
            token = page.cut(&mut rows, |row| *row);
            seen.extend(rows);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_token_belongs_to_its_request() {
        let tokens = PageToken::bound_to("ListTenants", ["ab", "c"]);
        let token = tokens.issue(&("name", 7));
        assert_eq!(tokens.read::<(String, u8)>(&token).unwrap(), Some(("name".into(), 7)));
        assert_eq!(tokens.read::<u8>("").unwrap(), None);
        for other in [PageToken::bound_to("ListTenants", ["a", "bc"]), PageToken::bound_to("ListRuns", ["ab", "c"])] {
            assert_eq!(other.read::<(String, u8)>(&token).unwrap_err().reason(), reason::PAGE_TOKEN_INVALID);
        }
        let mut edited = token.clone().into_bytes();
        let last = edited.len() - 2;
        edited[last] = if edited[last] == b'A' { b'B' } else { b'A' };
        for bad in [String::from_utf8(edited).unwrap(), token[..token.len() - 4].into(), "!".into(), "AQ".into()] {
            assert!(tokens.read::<(String, u8)>(&bad).is_err(), "{bad}");
        }
    }
}
