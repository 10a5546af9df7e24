//! How every scene ends when nothing disturbs it, as a table beside this file. `BLESS=1` writes it anew.

use std::{fmt::Write as _, fs};

use hubstow_core::{facts::Force, policy::Method};

use crate::{
    host::Failed,
    kind::Way,
    rules,
    sample::{OURS, SMALL, pointer},
    scene::{FORCED, SETUPS, Scene},
    start::{Start, World},
    system::makes_links,
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

/// Whether a symlink may be made in a scene.
fn has_links(scene: &Scene) -> bool {
    let makes = matches!(scene.kind.symlink, Way::Works | Way::InProbes(_));
    makes && scene.policy.ladder().contains(&Method::Symlink)
}

/// What the table has in a row for one setup: it stands for what this system can't show.
fn cell(table: &str, row: &str, at: usize) -> String {
    let cells = table.lines().find_map(|line| line.strip_prefix(&format!("{row:<32}")));
    cells.and_then(|cells| cells.split_whitespace().nth(at)).unwrap_or_default().to_owned()
}

#[test]
fn every_scene_ends_as_the_table_says() {
    let recorded = fs::read_to_string(TABLE).unwrap_or_default();
    let mut table = HEAD.to_owned();
    for (at, (policy, kind)) in SETUPS.iter().enumerate() {
        writeln!(table, "{}  {policy}, {}", letter(at), kind.name).unwrap();
    }
    write!(table, "\n{:<32}", "").unwrap();
    (0..SETUPS.len()).for_each(|at| write!(table, "{:<6}", letter(at)).unwrap());
    let rows = Start::ALL.iter().map(|start| (start, Force::Off));
    for (start, force) in rows.chain(FORCED.iter().map(|start| (start, Force::On))) {
        let forced = if force == Force::On { ", forced" } else { "" };
        let row = format!("{start:?}{forced}");
        write!(table, "\n{row:<32}").unwrap();
        for (at, &(policy, &kind)) in SETUPS.iter().enumerate() {
            let scene = Scene { policy, kind, start: *start, force, sample: &SMALL };
            let can_be = start.can_be() && (makes_links() || !has_links(&scene));
            let cell = if can_be { end(&scene) } else { cell(&recorded, &row, at) };
            write!(table, "{cell:<6}").unwrap();
        }
    }
    let table: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if std::env::var_os("BLESS").is_some() {
        fs::write(TABLE, &table).unwrap();
    }
    assert!(fs::read_to_string(TABLE).unwrap_or_default().replace('\r', "") == table, "{table}");
}

fn letter(at: usize) -> char {
    char::from(b'a' + u8::try_from(at).unwrap())
}
