//! What the system tells of a running process and those it has started.

use std::fs;

/// Clock ticks of `/proc` in a second, on every Linux that is in use.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the seconds of CPU that a process has used so far, where the system tells.
pub(crate) fn cpu_s(process: u32) -> Option<f64> {
    let mut words = stat(process)?.into_iter().skip(11);
    let mut ticks = || words.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

/// Returns the bytes of memory that a process holds, where the system tells; what it shares with others counts too.
pub(crate) fn resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

/// Returns a process and those that it has started and that run.
pub(crate) fn family(process: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let child = |it: &u32| stat(*it).and_then(|words| words.get(1)?.parse().ok()) == Some(process);
    std::iter::once(process).chain(all.filter(child)).collect()
}

/// Returns the words that follow the name, which is in parentheses and may hold anything.
fn stat(process: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, words) = stat.rsplit_once(')')?;
    Some(words.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_of_its_own_family_and_holds_something() {
        let own = std::process::id();
        assert!(family(own).contains(&own));
        assert!(family(std::os::unix::process::parent_id()).contains(&own));
        assert!(resident_bytes(own).unwrap() > 1 << 16);
        assert!(cpu_s(own).unwrap() >= 0.0);
    }
}
