//! How every scene ends when nothing disturbs it, as a table beside this file. `BLESS=1` writes it anew.

use std::{fmt::Write as _, fs};

use hubstow_core::facts::Force;

use crate::{
    host::Failed,
    rules,
    sample::{OURS, pointer},
    scene::{FORCED, SETUPS, Scene},
    start::{Start, World},
    tree::What,
};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/disk/ends.txt");

const HEAD: &str = "\
What is at the pointer in the end: a symlink, a regular file with more than one name, a regular file. `+` means that the
content was fetched, `!` that the run was refused.\n\n";

/// One cell of the table.
fn end(scene: &Scene) -> String {
    let world = scene.world();
    let before = world.tree();
    let run = scene.run_healthy(&world);
    let after = world.tree();
    assert_eq!(rules::always(&before, &after), [""; 0], "{scene}");
    assert_eq!(rules::acknowledged(&run, &after), [""; 0], "{scene}");
    assert!(rules::clean(&after).is_empty() || run.result.is_err(), "{scene}");
    match run.result {
        Ok(_) => format!("{}{}", pointer_kind(&world), if run.fetched > 0 { "+" } else { "" }),
        Err(Failed::Disk(_)) => "!".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn pointer_kind(world: &World) -> &'static str {
    match world.tree().what(&pointer(OURS)) {
        Some(What::Link(_)) => "link",
        Some(What::File(_, 1)) => "file",
        Some(What::File(..)) => "hard",
        Some(What::Folder | What::Other) | None => "nothing",
    }
}

#[test]
fn every_scene_ends_as_the_table_says() {
    let mut table = HEAD.to_owned();
    for (at, (policy, kind)) in SETUPS.iter().enumerate() {
        writeln!(table, "{}  {policy}, {}", letter(at), kind.name).unwrap();
    }
    write!(table, "\n{:<32}", "").unwrap();
    (0..SETUPS.len()).for_each(|at| write!(table, "{:<6}", letter(at)).unwrap());
    let rows = Start::ALL.iter().map(|start| (start, Force::Off));
    for (start, force) in rows.chain(FORCED.iter().map(|start| (start, Force::On))) {
        let forced = if force == Force::On { ", forced" } else { "" };
        write!(table, "\n{:<32}", format!("{start:?}{forced}")).unwrap();
        for scene in Scene::all(&SETUPS, &[*start], force) {
            write!(table, "{:<6}", end(&scene)).unwrap();
        }
    }
    let table: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if std::env::var_os("BLESS").is_some() {
        fs::write(TABLE, &table).unwrap();
    }
    assert!(fs::read_to_string(TABLE).unwrap_or_default() == table, "{table}");
}

fn letter(at: usize) -> char {
    char::from(b'a' + u8::try_from(at).unwrap())
}
