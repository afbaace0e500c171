//! Standard output: results that somebody may pipe on.

use std::io::Write;

use crate::secrets;

/// Prints text to standard output. A reader that went away ends the process quietly, as other tools do.
pub(crate) fn print(text: &str) {
    let text = secrets::redacted(text);
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// Prints a line to standard output.
pub(crate) fn line(text: impl AsRef<str>) {
    print(&format!("{}\n", text.as_ref()));
}

/// Returns the text with line breaks made into spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.split('\n')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns a number with its thousands apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number of bytes in the unit that suits it.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Returns the resident memory of this process, where the system tells.
pub(crate) fn resident_bytes() -> Option<u64> {
    status_kilobytes("VmRSS:")
}

/// Returns the most resident memory this process has had, where the system tells.
pub(crate) fn resident_bytes_peak() -> Option<u64> {
    status_kilobytes("VmHWM:")
}

fn status_kilobytes(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Returns the CPU time of this process in seconds, where the system tells.
pub(crate) fn cpu_seconds() -> Option<f64> {
    stat_seconds("/proc/self/stat")
}

/// Returns the CPU time of this process without that of threads whose names begin with `prefix`.
pub(crate) fn cpu_seconds_without(prefix: &str) -> Option<f64> {
    let mut others = 0.0;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let path = task.ok()?.path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        if name.starts_with(prefix) {
            others += stat_seconds(&path.join("stat").to_string_lossy()).unwrap_or_default();
        }
    }
    Some(cpu_seconds()? - others)
}

/// Returns the CPU seconds in a `stat` file of /proc.
fn stat_seconds(path: &str) -> Option<f64> {
    /// Linux counts CPU time of processes in hundredths, whatever the kernel's own tick is.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(path).ok()?;
    // The name in parentheses may hold spaces; user and system time are the 12th and 13th fields behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (number, expect) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), expect);
        }
        assert_eq!(bytes(900), "900 B");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
    }
}
