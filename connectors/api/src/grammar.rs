//! Flink's own spelling of durations, memory sizes and booleans in option values.

use std::time::Duration;

/// Returns the duration written as in Flink: `25s`, `3 min`, `500 ms`; a bare number is milliseconds.
///
/// # Errors
/// A sentence for the user.
///
/// # Flink
/// `org.apache.flink.util.TimeUtils.parseDuration`, 1.17.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_number(text)?;
    let nanos: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
        "d" | "day" | "days" => 86_400_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
        "µs" | "micro" | "micros" | "microsecond" | "microseconds" => 1_000,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
        _ => {
            return Err(format!(
                "'{unit}' is not a time unit: write d, h, min, s or ms"
            ));
        }
    };
    number
        .checked_mul(nanos)
        .map(Duration::from_nanos)
        .ok_or_else(|| format!("'{text}' is too long a time"))
}

/// Returns the number of bytes written as in Flink: `64mb`, `1 gb`, `512 kb`; a bare number is bytes.
///
/// # Errors
/// A sentence for the user.
///
/// # Flink
/// `org.apache.flink.configuration.MemorySize.parseBytes`, 1.17.
pub fn parse_memory_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_number(text)?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => {
            return Err(format!(
                "'{unit}' is not a memory unit: write b, kb, mb, gb or tb"
            ));
        }
    };
    number
        .checked_mul(1_u64 << shift)
        .ok_or_else(|| format!("'{text}' is too much memory"))
}

/// Returns the truth value written as `true` or `false`, in any case.
///
/// # Errors
/// A sentence for the user.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false")),
    }
}

fn split_number(text: &str) -> Result<(u64, &str), String> {
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err(format!("'{text}' does not start with a number"));
    }
    let number = trimmed[..digits]
        .parse()
        .map_err(|_| format!("'{text}' is too large"))?;
    Ok((number, trimmed[digits..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_as_flink_does() {
        for (text, millis) in [
            ("25s", 25_000),
            ("3 min", 180_000),
            ("60000", 60_000),
            ("1 d", 86_400_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        assert!(parse_duration("3 moons").is_err());
        assert!(parse_duration("s").is_err());
    }

    #[test]
    fn reads_memory_sizes_as_flink_does() {
        for (text, bytes) in [("64mb", 64 << 20), ("1 gb", 1 << 30), ("17", 17)] {
            assert_eq!(parse_memory_size(text), Ok(bytes), "{text}");
        }
        assert!(parse_memory_size("1 xb").is_err());
    }
}
