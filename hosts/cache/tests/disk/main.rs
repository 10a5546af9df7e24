//! The part of a host that touches a disk, on a real folder whose disk refuses, fails, dies or is changed by others at
//! any chosen operation.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod disk;
mod files;
mod handle;
mod host;
mod kind;
mod next;
mod peer;
mod rules;
mod sample;
mod scene;
mod start;
mod system;
mod tree;
mod watch;

mod adoption;
mod apart;
mod bulk;
mod cancelled;
mod care;
mod crash;
mod ends;
mod fault;
mod folders;
mod group;
mod holes;
mod interference;
mod leftovers;
mod local;
mod locks;
mod many;
mod maps;
#[cfg(unix)]
mod modes;
mod newborn;
mod proofs;
mod record;
mod refs;
mod relink;
#[cfg(target_os = "linux")]
mod reserved;
mod restart;
mod space;
mod together;
mod twins;
mod verify;
#[cfg(windows)]
mod windows;
