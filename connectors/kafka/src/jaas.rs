//! `sasl.jaas.config`, the one property of Java's clients that holds a small language.

use std::collections::BTreeMap;

/// One login module with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoginModule {
    /// The class.
    pub(crate) class: String,
    /// The options.
    pub(crate) options: BTreeMap<String, String>,
}

/// Returns the login module of `text`: `class required|requisite|sufficient|optional key="value" …;`.
pub(crate) fn parse(text: &str) -> Result<LoginModule, String> {
    let mut words = words(text)?.into_iter();
    let class = words.next().ok_or("it is empty")?;
    let flag = words
        .next()
        .ok_or("the control flag is missing: write 'required' after the class")?;
    if !["required", "requisite", "sufficient", "optional"]
        .contains(&flag.to_ascii_lowercase().as_str())
    {
        return Err(format!("'{flag}' is no control flag: write 'required'"));
    }
    let mut options = BTreeMap::new();
    for word in words {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| format!("'{word}' is not key=\"value\""))?;
        options.insert(key.to_owned(), value.to_owned());
    }
    Ok(LoginModule { class, options })
}

/// Splits at white space outside of quotes, takes the quotes away, ends at the semicolon.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut started = false;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), '\\') => word.extend(chars.next()),
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                started = true;
            }
            (None, ';') => {
                if started {
                    words.push(word);
                }
                return Ok(words);
            }
            (None, c) if c.is_whitespace() => {
                if started {
                    words.push(std::mem::take(&mut word));
                    started = false;
                }
            }
            (None, c) => {
                word.push(c);
                started = true;
            }
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".into());
    }
    Err("the semicolon at the end is missing".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_login_module() {
        let module = parse(
            r#"org.apache.kafka.common.security.scram.ScramLoginModule required username="a b" password="p\"w;";"#,
        )
        .unwrap();
        assert_eq!(
            module.class,
            "org.apache.kafka.common.security.scram.ScramLoginModule"
        );
        assert_eq!(module.options["username"], "a b");
        assert_eq!(module.options["password"], "p\"w;");
    }

    #[test]
    fn says_what_is_missing() {
        assert!(
            parse("X required username=\"a\"")
                .unwrap_err()
                .contains("semicolon")
        );
        assert!(
            parse("X username=\"a\";")
                .unwrap_err()
                .contains("control flag")
        );
        assert!(parse("").is_err());
    }
}
