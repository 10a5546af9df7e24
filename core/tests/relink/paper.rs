//! Carrying out a plan on a world, as a host does on a disk.

use hubstow_core::{
    care::relink::{Act, Plan, Source, Step},
    policy::Method,
};

use crate::world::{Name, Node, World};

/// Carries out a plan, looking after each step.
pub(crate) fn carry_out(
    world: &World,
    plan: &Plan,
    look: impl Fn(&World) -> Result<(), String>,
) -> Result<World, String> {
    let (held, _, names) = world.told();
    let mut now = world.clone();
    for step in &plan.steps {
        let name = names[step.id.place()];
        if held.entries[step.id.place()].over != step.over {
            return Err(format!("{step:?} is over something else"));
        }
        do_step(&mut now, world, step, name, &names)
            .map_err(|what| format!("{step:?} of {name:?}: {what}"))?;
        look(&now).map_err(|what| format!("after {step:?} of {name:?}: {what}"))?;
    }
    Ok(now)
}

fn repo_of(name: Name) -> usize {
    match name {
        Name::Pointer(repo, _) | Name::Blob(repo) => repo,
        other => panic!("{other:?} is converted"),
    }
}

fn do_step(
    now: &mut World,
    before: &World,
    step: &Step,
    name: Name,
    names: &[Name],
) -> Result<(), String> {
    let blob = Name::Blob(repo_of(name));
    let from = match step.from {
        None => name,
        Some(Source::Entry { id, .. }) => {
            let from = names[id.place()];
            if now.nodes.get(&from) != before.nodes.get(&from) {
                return Err(format!("{from:?} is not what it was"));
            }
            from
        }
        Some(Source::Made(id)) => Name::Blob(repo_of(names[id.place()])),
    };
    let at = match step.act {
        Act::Make => {
            if now.nodes.contains_key(&blob) {
                return Err("the blob is there".to_owned());
            }
            blob
        }
        Act::Share => blob,
        Act::Place => name,
        Act::Clear => return Err("nothing is private".to_owned()),
        Act::Drop => {
            now.nodes.remove(&name).ok_or("it is gone")?;
            return Ok(());
        }
    };
    let (file, right) = now.read(from).ok_or("nothing is there to be read")?;
    let made = match step.by.ok_or("by nothing")? {
        Method::Symlink if at == name && now.nodes.contains_key(&blob) => Node::Link(blob),
        Method::Symlink => return Err("a link to nothing".to_owned()),
        Method::Hardlink => match now.nodes[&from] {
            Node::File(..) => Node::File(file, right),
            _ => return Err("a second name of a link".to_owned()),
        },
        Method::Reflink | Method::Copy => Node::File(now.fresh(), right),
        Method::Move => return Err("nothing is moved".to_owned()),
    };
    now.nodes.insert(at, made);
    Ok(())
}
