//! How much memory there is.

use std::path::Path;

/// Which part of the memory the state of operators may have where nothing else is said.
const STATE_PERCENT: u64 = 60;
/// Where nobody tells how much memory there is.
const STATE_BYTES_DEFAULT: u64 = 1 << 30;

/// Returns the default of `taskmanager.memory.managed.size`: a part of what the container, or the machine, has.
pub(crate) fn state_bytes_default() -> u64 {
    let limit = container_bytes(Path::new("/sys/fs/cgroup")).into_iter();
    let least = limit.chain(machine_bytes()).min();
    least.map_or(STATE_BYTES_DEFAULT, |bytes| bytes / 100 * STATE_PERCENT)
}

/// Returns the container's limit, as either version of control groups tells it.
fn container_bytes(root: &Path) -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(root.join(name)).ok();
    let text = read("memory.max").or_else(|| read("memory/memory.limit_in_bytes"))?;
    // Without a limit there is the word `max`, or a number beyond any memory, which the machine's own is below.
    text.trim().parse().ok()
}

fn machine_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_tells_its_limit_in_either_way() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(container_bytes(root.path()), None);
        let old = root.path().join("memory");
        std::fs::create_dir(&old).unwrap();
        std::fs::write(old.join("memory.limit_in_bytes"), "2097152\n").unwrap();
        assert_eq!(container_bytes(root.path()), Some(2 << 20));
        std::fs::write(root.path().join("memory.max"), "1048576\n").unwrap();
        assert_eq!(container_bytes(root.path()), Some(1 << 20));
        std::fs::write(root.path().join("memory.max"), "max\n").unwrap();
        assert_eq!(container_bytes(root.path()), None);
        assert!(state_bytes_default() > 0);
    }
}
