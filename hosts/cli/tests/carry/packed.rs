//! Tars, header by header.

/// The unit of a tar.
pub(crate) const BLOCK: usize = 512;

/// One entry of a tar that is made by hand.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: u8,
    pub(crate) link: String,
    pub(crate) content: Vec<u8>,
    /// What the header says of the size, where that is not the content's.
    pub(crate) said: Option<u64>,
}

impl Entry {
    pub(crate) fn file(name: &str, content: &[u8]) -> Self {
        let (name, content) = (name.to_owned(), content.to_vec());
        Self { name, kind: b'0', link: String::new(), content, said: None }
    }

    pub(crate) fn of_kind(name: &str, kind: u8, link: &str) -> Self {
        Self { kind, link: link.to_owned(), ..Self::file(name, b"") }
    }

    /// The header and the content, filled up.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut header = [0; BLOCK];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        if self.name.len() > 100 {
            let long = Self { name: "././@LongLink".to_owned(), kind: b'L', ..self.clone() };
            let long =
                Self { content: format!("{}\0", self.name).into_bytes(), said: None, ..long };
            let short = Self { name: self.name[..100].to_owned(), ..self.clone() };
            return [long.bytes(), short.bytes()].concat();
        }
        put(0, self.name.as_bytes());
        put(100, b"0000644\0");
        let size = self.said.unwrap_or(self.content.len() as u64);
        if size < 8 << 30 {
            put(124, format!("{size:011o}\0").as_bytes());
        } else {
            put(124, &[0x80, 0, 0, 0]);
            put(128, &size.to_be_bytes());
        }
        put(136, b"00000000000\0");
        put(156, &[self.kind]);
        put(157, self.link.as_bytes());
        put(257, b"ustar\x0000");
        put(148, b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut bytes = [&header[..], &self.content].concat();
        bytes.resize(bytes.len().div_ceil(BLOCK) * BLOCK, 0);
        bytes
    }
}

/// A whole tar.
pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(Entry::bytes).collect();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}
