//! What must be so, said without looking at how a plan is made: by what each pointer is in the end.

use std::collections::BTreeSet;

use hubstow_core::{
    care::{Hold, relink::Rules},
    policy::{Method, Policy, Support},
};

use crate::world::{Name, Node, World};

/// What could be read can be read, and is as right as it was.
pub(crate) fn nothing_lost(before: &World, now: &World) -> Result<(), String> {
    for (_, pointer) in before.pointers() {
        let (was, is) = (before.read(pointer), now.read(pointer));
        match (was, is) {
            (Some((_, was)), Some((_, is))) if was == is => {}
            (None, None | Some((_, true))) => {}
            (was, is) => return Err(format!("{pointer:?} was {was:?} and is {is:?}")),
        }
    }
    if before.read(Name::Stranger).is_some() && now.read(Name::Stranger).is_none() {
        return Err("the stranger leads to nothing".to_owned());
    }
    Ok(())
}

/// Every pointer that may be touched is what the policy makes, and nothing else has changed.
pub(crate) fn is_as_asked(before: &World, end: &World, rules: &Rules) -> Result<(), String> {
    for repo in [0, 1] {
        let blob = before.nodes.get(&Name::Blob(repo));
        let is_damaged = matches!(blob, Some(Node::File(_, false)));
        let is_closed = before.holds[repo] == Hold::InUse || is_damaged;
        let of_repo = |name: &Name| match name {
            Name::Pointer(it, _) | Name::Blob(it) => *it == repo,
            _ => false,
        };
        for (name, node) in before.nodes.iter().filter(|(name, _)| of_repo(name)) {
            let own = matches!(node, Node::Foreign(_) | Node::File(_, false));
            if (is_closed || own) && end.nodes.get(name) != Some(node) {
                return Err(format!("{name:?} is to be left alone"));
            }
        }
        if !is_closed {
            check_repo(before, end, rules, repo)?;
        }
    }
    check_shared(before, end, rules)
}

fn works(rules: &Rules, method: Method) -> bool {
    rules.methods.support(method) != Support::Refused
}

fn meant(world: &World, repo: usize) -> Vec<Name> {
    let all = world.pointers().filter(|(it, _)| *it == repo).map(|(_, name)| name);
    all.filter(|name| !matches!(world.nodes[name], Node::Foreign(_) | Node::File(_, false)))
        .collect()
}

fn check_repo(before: &World, end: &World, rules: &Rules, repo: usize) -> Result<(), String> {
    let pointers = meant(before, repo);
    let has_content = pointers.iter().any(|pointer| before.read(*pointer).is_some());
    let blob = end.nodes.get(&Name::Blob(repo)).copied();
    let is_borrowed = matches!(blob, Some(Node::Link(_)));
    for pointer in &pointers {
        let (was, is) = (before.nodes[pointer], end.nodes[pointer]);
        if !has_content && before.read(Name::Blob(repo)).is_none() {
            if was != is {
                return Err(format!("{pointer:?} has changed, and there is nothing to heal it by"));
            }
            continue;
        }
        if end.read(*pointer).is_none() && !is_out_of_reach(before, end, &pointers) {
            return Err(format!("{pointer:?} is not healed"));
        }
        let linked = matches!(is, Node::Link(_));
        let same_as_blob =
            matches!((is, blob), (Node::File(one, _), Some(Node::File(other, _))) if one == other);
        let fine =
            match (rules.policy, works(rules, Method::Symlink), works(rules, Method::Hardlink)) {
                (Policy::Strict | Policy::Compat | Policy::Dedup, true, _) => linked,
                // Without links, what there is stays.
                (Policy::Compat, false, _) => was == is || before.read(*pointer).is_none(),
                (Policy::Dedup, false, true) => linked || same_as_blob || is_borrowed,
                (Policy::Dedup, false, false) => true,
                (Policy::Nas, _, true) => !linked && (same_as_blob || is_borrowed),
                (Policy::Nas, _, false) => !linked,
                (Policy::Portable, _, _) => !linked || end.read(*pointer).is_none(),
                (Policy::Strict, false, _) => false,
            };
        if !fine {
            return Err(format!("{pointer:?} is {is:?} in the end"));
        }
    }
    let only_copies = rules.policy == Policy::Nas && rules.method() == Some(Method::Copy);
    if rules.policy == Policy::Portable {
        check_alone(end, &pointers)?;
    }
    if rules.policy == Policy::Portable || only_copies {
        check_blob(before, end, repo, &pointers, only_copies)?;
    } else if before.nodes.contains_key(&Name::Blob(repo)) && blob.is_none() {
        return Err("a blob went".to_owned());
    }
    Ok(())
}

/// Where all files with the content are copied themselves, the next run heals what leads to nothing.
fn is_out_of_reach(before: &World, end: &World, pointers: &[Name]) -> bool {
    let mut files = pointers.iter().filter(|name| matches!(before.nodes[*name], Node::File(..)));
    files.all(|name| before.nodes[name] != end.nodes[name])
}

/// Each pointer has a file that no other name in the cache has.
fn check_alone(end: &World, pointers: &[Name]) -> Result<(), String> {
    for pointer in pointers {
        let Some(Node::File(file, _)) = end.nodes.get(pointer) else { continue };
        let others = end.nodes.iter().filter(|(name, node)| {
            *name != pointer && matches!(node, Node::File(other, _) if other == file)
        });
        if let Some((other, _)) = others.into_iter().next() {
            return Err(format!("{pointer:?} shares its file with {other:?}"));
        }
    }
    Ok(())
}

/// The blob stays only for others, for its other names where the policy has such, or where it was an orphan.
fn check_blob(
    before: &World,
    end: &World,
    repo: usize,
    pointers: &[Name],
    keeps_twins: bool,
) -> Result<(), String> {
    let led_to = before.nodes.iter().filter(|(name, node)| {
        let is_twin = before.nodes.get(&Name::Blob(repo)).is_some_and(|blob| {
            matches!(blob, Node::File(..))
                && matches!(name, Name::Pointer(it, _) if *it == repo)
                && blob == *node
        });
        is_twin || matches!(node, Node::Link(to) | Node::Foreign(to) if *to == Name::Blob(repo))
    });
    let led_to: Vec<Name> = led_to.map(|(name, _)| *name).collect();
    let goes = |name: &Name| {
        pointers.contains(name) && !(keeps_twins && matches!(before.nodes[name], Node::File(..)))
    };
    let is_file = |name: &Name| matches!(before.nodes[name], Node::File(..));
    let useless = led_to.iter().all(goes) && (!led_to.is_empty() || pointers.iter().any(is_file));
    let stays = end.nodes.contains_key(&Name::Blob(repo));
    if before.nodes.contains_key(&Name::Blob(repo)) && stays == useless {
        return Err(format!("the blob, to which {led_to:?} lead: it stays: {stays}"));
    }
    Ok(())
}

/// No byte is there twice where links are made, and across repos where that was asked for.
fn check_shared(before: &World, end: &World, rules: &Rules) -> Result<(), String> {
    let makes_one = match rules.policy {
        Policy::Strict | Policy::Compat | Policy::Dedup if works(rules, Method::Symlink) => true,
        Policy::Dedup | Policy::Nas => works(rules, Method::Hardlink),
        Policy::Strict | Policy::Compat | Policy::Portable => false,
    };
    if !makes_one {
        return Ok(());
    }
    let mut of_repos: Vec<BTreeSet<u64>> = Vec::new();
    for repo in [0, 1] {
        let blob = before.nodes.get(&Name::Blob(repo));
        let is_closed =
            before.holds[repo] == Hold::InUse || matches!(blob, Some(Node::File(_, false)));
        let is_borrowed = matches!(blob, Some(Node::Link(_)));
        let pointers = meant(before, repo);
        if is_closed || is_borrowed || pointers.is_empty() {
            continue;
        }
        let names = pointers.into_iter().chain([Name::Blob(repo)]);
        let files: BTreeSet<u64> = names.filter_map(|name| Some(end.read(name)?.0)).collect();
        if files.len() > 1 {
            return Err(format!("repo {repo} has {files:?}"));
        }
        of_repos.push(files);
    }
    let shares = rules.across
        && works(rules, Method::Hardlink)
        && matches!(rules.policy, Policy::Dedup | Policy::Nas);
    let all: BTreeSet<u64> = of_repos.iter().flatten().copied().collect();
    if shares && all.len() > 1 {
        return Err(format!("the repos have {all:?}"));
    }
    Ok(())
}
