//! Bodies that come compressed although nobody has asked for it, from proxies and caches that think they know better.
//!
//! They are unpacked, and what comes out is judged as ever. Where only the header says so, and the body begins as no such
//! body does, it is taken as it is.

mod unpacker;

use std::io;

use bytes::Bytes;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};

use self::unpacker::Unpacker;
use crate::http::transport::{Body, BoxFuture, Response, TransportError, TransportErrorKind};

/// What a body is said to be packed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packed {
    Gzip,
    Zlib,
}

/// Unpacks the whole body of an answer. A part of a packed body is no part of the content, so it is left as it is.
pub(crate) fn unpacked(mut answer: Response) -> Response {
    if answer.status == StatusCode::OK
        && let Some(packed) = packed_by(&answer.headers)
    {
        answer.headers.remove(CONTENT_ENCODING);
        // It is that of the packed body.
        answer.headers.remove(CONTENT_LENGTH);
        answer.body =
            Box::new(Unpacking { body: answer.body, way: Way::Unknown(packed, Vec::new()) });
    }
    answer
}

fn packed_by(headers: &HeaderMap) -> Option<Packed> {
    let said = headers.get(CONTENT_ENCODING)?.to_str().ok()?.trim();
    if said.eq_ignore_ascii_case("gzip") || said.eq_ignore_ascii_case("x-gzip") {
        return Some(Packed::Gzip);
    }
    said.eq_ignore_ascii_case("deflate").then_some(Packed::Zlib)
}

impl Packed {
    /// Tells whether a body may be packed so that begins with these bytes; `None` as long as they are too few.
    fn begins_so(self, first: &[u8]) -> Option<bool> {
        let [one, two, ..] = *first else { return None };
        Some(match self {
            Self::Gzip => (one, two) == (0x1f, 0x8b),
            // The method, and a checksum over both bytes.
            Self::Zlib => one & 0x0f == 8 && u16::from_be_bytes([one, two]).is_multiple_of(31),
        })
    }
}

struct Unpacking {
    body: Box<dyn Body>,
    way: Way,
}

/// How what comes is to be unpacked.
enum Way {
    /// As the header says, if what has come begins so.
    Unknown(Packed, Vec<u8>),
    Plain,
    Packed(Box<Unpacker>),
}

impl Way {
    /// Takes what has come, and returns what that was before it was packed.
    fn unpack(&mut self, piece: Bytes) -> io::Result<Bytes> {
        match self {
            Self::Plain => Ok(piece),
            Self::Packed(unpacker) => unpacker.unpack(&piece),
            Self::Unknown(packed, first) => {
                first.extend_from_slice(&piece);
                let Some(begins_so) = packed.begins_so(first) else { return Ok(Bytes::new()) };
                let (packed, first) = (*packed, std::mem::take(first));
                *self = if begins_so {
                    Self::Packed(Box::new(Unpacker::new(packed)))
                } else {
                    Self::Plain
                };
                self.unpack(first.into())
            }
        }
    }

    /// Returns what is left when nothing more comes; an error where something is missing.
    fn end(&mut self) -> io::Result<Bytes> {
        match std::mem::replace(self, Self::Plain) {
            Self::Plain => Ok(Bytes::new()),
            Self::Unknown(_, first) => Ok(first.into()),
            Self::Packed(unpacker) => unpacker.end(),
        }
    }
}

impl Body for Unpacking {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        let broken = |error: io::Error| {
            let (kind, what) = if error.kind() == io::ErrorKind::Unsupported {
                (
                    TransportErrorKind::Other,
                    "the body is compressed although nobody has asked for it",
                )
            } else {
                (TransportErrorKind::Broken, "the compressed body is damaged, or ends too early")
            };
            TransportError::new(kind, what).caused_by(error)
        };
        Box::pin(async move {
            while let Some(piece) = self.body.chunk().await? {
                let unpacked = self.way.unpack(piece).map_err(broken)?;
                if !unpacked.is_empty() {
                    return Ok(Some(unpacked));
                }
            }
            let rest = self.way.end().map_err(broken)?;
            Ok((!rest.is_empty()).then_some(rest))
        })
    }
}

#[cfg(test)]
#[cfg(feature = "gzip")]
mod tests {
    use std::{collections::VecDeque, io::Write as _};

    use flate2::{
        Compression,
        write::{GzEncoder, ZlibEncoder},
    };

    use super::*;

    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
            Box::pin(async { Ok(self.0.pop_front()) })
        }
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(content: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(status: StatusCode, encoding: &str, body: &[u8], by: usize) -> Option<Vec<u8>> {
        let pieces = body.chunks(by).map(Bytes::copy_from_slice).collect();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        headers.insert(CONTENT_LENGTH, body.len().into());
        let mut answer = unpacked(Response { status, headers, body: Box::new(Pieces(pieces)) });
        let mut content = Vec::new();
        loop {
            match answer.body.chunk().await {
                Ok(Some(piece)) => content.extend_from_slice(&piece),
                Ok(None) => return Some(content),
                Err(_) => return None,
            }
        }
    }

    #[tokio::test]
    async fn a_body_is_unpacked_where_it_is_packed_as_its_header_says() {
        let content = b"the content, over and over, ".repeat(1000);
        let (gzipped, zlibbed) = (gzip(&content), zlib(&content));
        let cut = gzipped.get(..gzipped.len() - 9).unwrap();
        let twice = [gzip(&content), gzip(b"more")].concat();
        let both = [&content[..], b"more"].concat();
        let (ok, part) = (StatusCode::OK, StatusCode::PARTIAL_CONTENT);
        for by in [1, 3, 4096] {
            for (what, status, encoding, body, expected) in [
                ("gzip", ok, "gzip", &gzipped[..], Some(&content[..])),
                ("its old name", ok, "X-GZIP", &gzipped, Some(&content)),
                ("two members", ok, "gzip", &twice, Some(&both)),
                ("deflate", ok, "deflate", &zlibbed, Some(&content)),
                ("not packed at all", ok, "gzip", &content, Some(&content)),
                ("empty", ok, "gzip", b"", Some(b"")),
                ("one byte", ok, "deflate", b"x", Some(b"x")),
                ("cut short", ok, "gzip", cut, None),
                ("a part", part, "gzip", &gzipped, Some(&gzipped)),
                ("unknown", ok, "br", &gzipped, Some(&gzipped)),
            ] {
                let found = read(status, encoding, body, by).await;
                assert!(found.as_deref() == expected, "{what}, by {by}");
            }
        }
    }
}
