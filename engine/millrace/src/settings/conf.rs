//! The lines of a `--conf` file: flat as in flink-conf.yaml, or nested as in Flink's config.yaml.
//!
//! # Flink
//! Since 1.19 `a:` with lines further in below it is a map whose keys are joined by dots.

/// Reads the lines of a file in their order.
#[derive(Debug, Default)]
pub(super) struct ConfFile {
    /// The maps that are open: how far in their keys stand, and the keys up to there.
    open: Vec<(usize, String)>,
    /// How far in the last key stands, and whether it has a value of its own.
    last: Option<(usize, bool)>,
}

/// What is wrong with a line, and what to do.
type Fault = (&'static str, &'static str);

impl ConfFile {
    /// Returns the setting of a line, if it has one.
    pub(super) fn line(&mut self, line: &str) -> Result<Option<(String, String)>, Fault> {
        let line = without_comment(line).trim_end();
        let text = line.trim_start();
        if text.is_empty() || text == "---" {
            return Ok(None);
        }
        if text == "-" || text.starts_with("- ") {
            return Err((
                "lists are not understood",
                "write the values in one line, separated by semicolons",
            ));
        }
        let Some((key, value)) = key_value(text) else {
            return Err((
                "this line is not `key: value`",
                "write one setting a line, with a space after the colon, as in flink-conf.yaml",
            ));
        };
        let depth = line.len() - text.len();
        if self
            .last
            .is_some_and(|(last, has_value)| has_value && depth > last)
        {
            return Err((
                "this line stands further in than the setting above it",
                "write both at the same depth, or leave the value of the line above out",
            ));
        }
        self.open.retain(|(open, _)| *open < depth);
        let key = match self.open.last() {
            Some((_, above)) => format!("{above}.{key}"),
            None => key,
        };
        self.last = Some((depth, value.is_some()));
        match value {
            Some(value) => Ok(Some((key, value))),
            None => {
                self.open.push((depth, key));
                Ok(None)
            }
        }
    }
}

/// Cuts a ` # comment` off, but not a `#` within quotes or a word.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return &line[..at],
            (None, '"' | '\'') if before.is_whitespace() => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

/// Splits `key: value`; no value is that of a map, or of a setting that is left open.
fn key_value(line: &str) -> Option<(String, Option<String>)> {
    let (key, value) = match line.split_once(": ") {
        Some((key, value)) => (key, value.trim()),
        None => (line.strip_suffix(':')?, ""),
    };
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    let key = key.trim();
    (!key.is_empty() && !key.contains(char::is_whitespace)).then(|| {
        (
            key.to_owned(),
            (!value.is_empty()).then(|| unquoted.to_owned()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let mut conf = ConfFile::default();
        let one = |line| match conf.line(line) {
            Ok(entry) => entry.map(|(key, value)| format!("{key}={value}")),
            Err((message, _)) => Some(format!("! {message}")),
        };
        text.lines().filter_map(one).collect()
    }

    #[test]
    fn maps_join_their_keys_by_dots() {
        let text = "restart-strategy:\n  type: fixed-delay # so\n\n  fixed-delay:\n    attempts: 3\n    delay: 10 s\n\
                    rest.port: 8081\nstate:\n    checkpoints.dir: 's3://b/#c'\nexecution:\n  checkpointing:\n      interval: 1 s\n  x: 1\n";
        assert_eq!(
            read(text),
            [
                "restart-strategy.type=fixed-delay",
                "restart-strategy.fixed-delay.attempts=3",
                "restart-strategy.fixed-delay.delay=10 s",
                "rest.port=8081",
                "state.checkpoints.dir=s3://b/#c",
                "execution.checkpointing.interval=1 s",
                "execution.x=1",
            ]
        );
    }

    #[test]
    fn what_is_no_map_of_settings_is_told() {
        assert_eq!(read("a: ''\nb: 1\n"), ["a=", "b=1"]);
        assert_eq!(
            read("a: 1\n  b: 2\nc:\n- d\n"),
            [
                "a=1",
                "! this line stands further in than the setting above it",
                "! lists are not understood",
            ]
        );
        assert_eq!(read("a b: c"), ["! this line is not `key: value`"]);
    }
}
