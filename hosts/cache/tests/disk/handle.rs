//! An open file of the watched disk.

use std::{
    io::{self, Read, Seek, Write},
    sync::Arc,
};

use hubstow_cache::disk::DiskFile;

use crate::{
    disk::Space,
    kind::{Flush, Kind, Locks},
    watch::{Fate, Op, Watch},
};

/// An open file of a disk for tests.
pub(crate) struct TestFile {
    pub(crate) real: Box<dyn DiskFile>,
    pub(crate) kind: Kind,
    pub(crate) watch: Arc<Watch>,
    pub(crate) space: Option<Space>,
    pub(crate) at: String,
    pub(crate) inode: u64,
}

impl TestFile {
    /// Checks that there is space up to an end, which may depend on where the file is written next.
    fn check_space(&mut self, end: impl FnOnce(u64) -> u64) -> io::Result<()> {
        let Some(space) = &self.space else { return Ok(()) };
        let at = self.real.stream_position()?;
        space.check(self.inode, end(at))
    }
}

impl Read for TestFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.watch.pass(Op::Read, &self.at)?;
        self.real.read(into)
    }
}

impl Write for TestFile {
    /// Whatever stops a write leaves a part of it.
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let passed = self.watch.pass(Op::Write, &self.at);
        self.watch.written(self.inode);
        if matches!(passed, Err(Fate::Killed | Fate::Failed(_))) {
            self.real.write_all(&from[..from.len() / 2])?;
        }
        passed?;
        self.check_space(|at| at + from.len() as u64)?;
        self.real.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.real.flush()
    }
}

impl Seek for TestFile {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.watch.pass(Op::Seek, &self.at)?;
        self.real.seek(to)
    }
}

impl DiskFile for TestFile {
    /// Whatever stops a write leaves a part of it, as in order.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let passed = self.watch.pass(Op::Write, &self.at);
        self.watch.written(self.inode);
        if matches!(passed, Err(Fate::Killed | Fate::Failed(_))) {
            self.real.write_at(offset, &bytes[..bytes.len() / 2])?;
        }
        passed?;
        self.check_space(|_| offset + bytes.len() as u64)?;
        self.real.write_at(offset, bytes)
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.watch.pass(Op::Read, &self.at)?;
        self.real.read_at(offset, into)
    }

    fn second_handle(&self) -> io::Result<Box<dyn DiskFile>> {
        self.watch.pass(Op::SecondHandle, &self.at)?;
        if let Some(errno) = (self.kind.refuses)(Op::SecondHandle) {
            return Err(errno.into());
        }
        let (real, watch) = (self.real.second_handle()?, Arc::clone(&self.watch));
        let (space, at) = (self.space.clone(), self.at.clone());
        Ok(Box::new(Self { real, kind: self.kind, watch, space, at, inode: self.inode }))
    }

    fn allow_holes(&self) -> io::Result<()> {
        self.real.allow_holes()
    }

    fn free(&mut self, from: u64, len_bytes: u64) -> io::Result<()> {
        self.watch.pass(Op::Free, &self.at)?;
        self.real.free(from, len_bytes)
    }

    /// It is only noted: nothing cuts the power in these tests, and syncing is what takes time.
    fn sync(&mut self) -> io::Result<()> {
        if let Err(fate) = self.watch.pass(Op::Sync, &self.at) {
            self.watch.lost(self.inode);
            return Err(fate.into());
        }
        self.watch.synced(self.inode);
        Ok(())
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.watch.pass(Op::SetLen, &self.at)?;
        if let Some(errno) = (self.kind.refuses)(Op::SetLen) {
            return Err(errno.into());
        }
        self.watch.written(self.inode);
        self.real.set_len(len_bytes)
    }

    fn flushable(&self) -> Option<u64> {
        match self.kind.flush {
            Flush::Works | Flush::Refused(_) => Some(1),
            Flush::Missing => None,
        }
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.watch.pass(Op::SyncAll, &self.at)?;
        match self.kind.flush {
            Flush::Works => {
                self.watch.all_synced();
                Ok(())
            }
            Flush::Refused(errno) => Err(errno.into()),
            Flush::Missing => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn reserve(&mut self, from: u64, len_bytes: u64) -> io::Result<()> {
        self.watch.pass(Op::Reserve, &self.at)?;
        self.check_space(|_| from + len_bytes)?;
        self.real.reserve(from, len_bytes)
    }

    fn start_writing(&mut self, from: u64, len_bytes: u64) -> io::Result<()> {
        self.watch.pass(Op::StartWriting, &self.at)?;
        self.watch.begun(len_bytes);
        self.real.start_writing(from, len_bytes)
    }

    fn try_lock(&mut self) -> io::Result<()> {
        self.watch.pass(Op::TryLock, &self.at)?;
        match self.kind.locks {
            Locks::Work => self.real.try_lock(),
            Locks::Missing(errno) => Err(errno.into()),
            Locks::Granted => Ok(()),
        }
    }

    fn try_lock_shared(&mut self) -> io::Result<()> {
        self.watch.pass(Op::TryLock, &self.at)?;
        match self.kind.locks {
            Locks::Work => self.real.try_lock_shared(),
            Locks::Missing(errno) => Err(errno.into()),
            Locks::Granted => Ok(()),
        }
    }
}
