//! `refuse SYSCALL=ERRNO… -- COMMAND…`: runs a command under a kernel filter that refuses chosen system calls.
//!
//! This is how a disk without links is made from an ordinary one: the command takes its own try-then-fall-back path,
//! because the kernel really answers so. `OK` in place of an errno skips the call and reports success, as a lock does on
//! a filesystem that only pretends to lock. The filter can't be taken off again and holds for all children.
//!
//! `reflink` stands for the one `ioctl` that clones a file's blocks.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let error = linux::run(&arguments);
    eprintln!("refuse: {error}");
    ExitCode::from(125)
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("refuse: only Linux filters system calls");
    ExitCode::from(125)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        collections::BTreeMap, convert::Infallible, error::Error, os::unix::process::CommandExt,
        process::Command,
    };

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, apply_filter,
    };

    /// `FICLONE`: the `ioctl` request that clones a whole file.
    const FICLONE: u64 = 0x4004_9409;

    /// Applies the filters and becomes the command; returns only what went wrong.
    pub(crate) fn run(arguments: &[String]) -> Box<dyn Error> {
        match try_run(arguments) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn try_run(arguments: &[String]) -> Result<Infallible, Box<dyn Error>> {
        let mut parts = arguments.splitn(2, |argument| argument == "--");
        let refusals = parts.next().unwrap_or_default();
        let [program, rest @ ..] = parts.next().unwrap_or_default() else {
            return Err("no command after `--`".into());
        };
        for (errno, calls) in by_errno(refusals)? {
            apply(errno, calls)?;
        }
        Err(Command::new(program).args(rest).exec().into())
    }

    type Rules = BTreeMap<i64, Vec<SeccompRule>>;

    /// One filter holds one answer, so the calls are grouped by what they are answered with.
    fn by_errno(refusals: &[String]) -> Result<BTreeMap<u32, Rules>, Box<dyn Error>> {
        let mut groups: BTreeMap<u32, Rules> = BTreeMap::new();
        for refusal in refusals {
            let (call, errno) = refusal
                .split_once('=')
                .ok_or_else(|| format!("`{refusal}` is not SYSCALL=ERRNO"))?;
            let rules = groups.entry(errno_of(errno)?).or_default();
            for number in numbers_of(call)? {
                rules.insert(number, conditions_of(call)?);
            }
        }
        Ok(groups)
    }

    fn apply(errno: u32, calls: Rules) -> Result<(), Box<dyn Error>> {
        let filter = SeccompFilter::new(
            calls,
            SeccompAction::Allow,
            SeccompAction::Errno(errno),
            std::env::consts::ARCH.try_into()?,
        )?;
        let program: BpfProgram = filter.try_into()?;
        Ok(apply_filter(&program)?)
    }

    fn conditions_of(call: &str) -> Result<Vec<SeccompRule>, Box<dyn Error>> {
        if call != "reflink" {
            return Ok(Vec::new());
        }
        let clones = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, FICLONE)?;
        Ok(vec![SeccompRule::new(vec![clones])?])
    }

    fn numbers_of(call: &str) -> Result<Vec<i64>, Box<dyn Error>> {
        #[cfg(target_arch = "x86_64")]
        let old = match call {
            "symlink" => Some(libc::SYS_symlink),
            "link" => Some(libc::SYS_link),
            "rename" => Some(libc::SYS_rename),
            _ => None,
        };
        #[cfg(not(target_arch = "x86_64"))]
        let old = None;
        let new: &[i64] = match call {
            "symlink" => &[libc::SYS_symlinkat],
            "link" => &[libc::SYS_linkat],
            "rename" => &[libc::SYS_renameat, libc::SYS_renameat2],
            "reflink" => &[libc::SYS_ioctl],
            "flock" => &[libc::SYS_flock],
            "fsync" => &[libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_syncfs],
            _ => return Err(format!("`{call}` is not a call that can be refused").into()),
        };
        Ok(old.into_iter().chain(new.iter().copied()).collect())
    }

    fn errno_of(name: &str) -> Result<u32, Box<dyn Error>> {
        let number = match name {
            "OK" => 0,
            "EPERM" => libc::EPERM,
            "EIO" => libc::EIO,
            "EACCES" => libc::EACCES,
            "EXDEV" => libc::EXDEV,
            "EINVAL" => libc::EINVAL,
            "ENOSPC" => libc::ENOSPC,
            "EROFS" => libc::EROFS,
            "EMLINK" => libc::EMLINK,
            "ENOLCK" => libc::ENOLCK,
            "ENOSYS" => libc::ENOSYS,
            "EOPNOTSUPP" => libc::EOPNOTSUPP,
            _ => return Err(format!("`{name}` is no errno that is known here").into()),
        };
        Ok(u32::try_from(number)?)
    }
}
