//! What unpacks, where the program is built with it.

use std::io;

use bytes::Bytes;

use super::Packed;

#[cfg(feature = "gzip")]
mod built_in {
    use std::io::Write as _;

    use flate2::write::{MultiGzDecoder, ZlibDecoder};

    use super::{Bytes, Packed, io};

    /// Unpacks one body, piece by piece.
    pub(crate) enum Unpacker {
        Gzip(MultiGzDecoder<Vec<u8>>),
        Zlib(ZlibDecoder<Vec<u8>>),
    }

    impl Unpacker {
        pub(crate) fn new(packed: Packed) -> Self {
            match packed {
                Packed::Gzip => Self::Gzip(MultiGzDecoder::new(Vec::new())),
                Packed::Zlib => Self::Zlib(ZlibDecoder::new(Vec::new())),
            }
        }

        /// Takes what has come, and returns what that was before it was packed.
        pub(crate) fn unpack(&mut self, piece: &Bytes) -> io::Result<Bytes> {
            match self {
                Self::Gzip(decoder) => {
                    decoder.write_all(piece)?;
                    Ok(std::mem::take(decoder.get_mut()).into())
                }
                Self::Zlib(decoder) => {
                    decoder.write_all(piece)?;
                    Ok(std::mem::take(decoder.get_mut()).into())
                }
            }
        }

        /// Returns what is left when nothing more comes; an error where something is missing.
        pub(crate) fn end(self) -> io::Result<Bytes> {
            match self {
                Self::Gzip(decoder) => Ok(decoder.finish()?.into()),
                Self::Zlib(decoder) => Ok(decoder.finish()?.into()),
            }
        }
    }
}

#[cfg(not(feature = "gzip"))]
mod built_in {
    use super::{Bytes, Packed, io};

    /// Says what is missing.
    pub(crate) struct Unpacker;

    impl Unpacker {
        pub(crate) fn new(_packed: Packed) -> Self {
            Self
        }

        pub(crate) fn unpack(&mut self, _piece: &Bytes) -> io::Result<Bytes> {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this program is built without the feature `gzip`",
            ))
        }

        #[expect(
            clippy::unused_self,
            clippy::unnecessary_wraps,
            reason = "with it there is something to end"
        )]
        pub(crate) fn end(self) -> io::Result<Bytes> {
            Ok(Bytes::new())
        }
    }
}

pub(super) use built_in::Unpacker;
