//! Looking at all that is in a folder by names alone: the system then walks no path for each of them.

use std::{fs, io, path::Path};

use super::metadata::{entry_of, kind_of, listed_kind};
use crate::disk::{Found, Kind, Looked};

/// Lists a folder and looks at every entry itself.
pub(super) fn look_into(folder: &Path) -> io::Result<Vec<Looked>> {
    let mut looked = Vec::new();
    let listing = fs::read_dir(folder)?;
    let opened = fs::File::open(folder)?;
    for entry in listing {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Some(kind) = listed_kind(&entry)? else { continue };
        let found = if kind == Kind::Symlink {
            let text = rustix::fs::readlinkat(&opened, name.as_str(), Vec::new());
            let text = text.ok().and_then(|text| String::from_utf8(text.into_bytes()).ok());
            Ok(Found::Link(text.unwrap_or_default()))
        } else {
            match entry.metadata() {
                Ok(metadata) if kind_of(metadata.file_type()) == kind => {
                    Ok(Found::Entry(entry_of(&metadata)))
                }
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => Err(error),
            }
        };
        looked.push(Looked { name, kind, found });
    }
    Ok(looked)
}
