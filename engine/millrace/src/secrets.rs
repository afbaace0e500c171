//! Values that nothing of this process shows: collected from the file and the settings, masked in all that is written.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace_connector::{is_secret, secret_spans};
use millrace_plan::Settings;
use parking_lot::RwLock;

static VALUES: RwLock<Vec<String>> = RwLock::new(Vec::new());

static MASKS_ROWS: AtomicBool = AtomicBool::new(false);

/// The most characters of a message that tells a row's values.
const ROW_TEXT_MAX: usize = 300;

/// Sets whether values of rows stay out of messages.
pub(crate) fn mask_rows(masks: bool) {
    MASKS_ROWS.store(masks, Ordering::Relaxed);
}

/// Returns what is shown of a message that may tell a row's values.
pub(crate) fn of_row(message: &str) -> String {
    if MASKS_ROWS.load(Ordering::Relaxed) {
        return "(masked: 'millrace.errors.row-values' = 'cut' shows it)".to_owned();
    }
    match message.char_indices().nth(ROW_TEXT_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// Shorter values are words that stand everywhere; they are masked where they are known by their names only.
const LENGTH_MIN: usize = 5;
/// What stands for a secret.
const MASK: &str = "***";

/// Notes secret values: they are not shown from now on.
pub(crate) fn note(values: impl IntoIterator<Item = String>) {
    let mut known = VALUES.write();
    for value in values {
        for form in forms(value) {
            if form.len() >= LENGTH_MIN && !known.contains(&form) {
                known.push(form);
            }
        }
    }
    // A secret may begin with another one.
    known.sort_by_key(|value| std::cmp::Reverse(value.len()));
}

/// Returns a value as it stands in SQL, as it is meant, and as JSON has it.
fn forms(value: String) -> Vec<String> {
    let meant = value.replace("''", "'");
    let json = serde_json::to_string(&meant).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    vec![value, meant, json]
}

/// Notes the secrets of a pipeline's text.
pub(crate) fn note_text(text: &str) {
    let spans = secret_spans(text);
    note(spans.into_iter().map(|span| text[span].to_owned()));
}

/// Notes the secrets among settings.
pub(crate) fn note_settings(settings: &Settings) {
    note(settings.iter().flat_map(|(key, setting)| {
        let value = &setting.value;
        let whole = is_secret(key).then(|| value.clone());
        let spans = secret_spans(value);
        whole
            .into_iter()
            .chain(spans.into_iter().map(|span| value[span].to_owned()))
            .collect::<Vec<_>>()
    }));
}

/// Notes the secrets among named values: variables, the environment.
pub(crate) fn note_named<'a>(values: impl IntoIterator<Item = (&'a String, &'a String)>) {
    let secret = values.into_iter().filter(|(name, _)| is_secret(name));
    note(secret.map(|(_, value)| value.clone()));
}

/// Returns a text without secret values.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    let known = VALUES.read();
    let mut shown = Cow::Borrowed(text);
    for value in known.iter() {
        if shown.contains(value.as_str()) {
            shown = Cow::Owned(shown.replace(value.as_str(), MASK));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_about_rows_are_cut() {
        let long = of_row(&"é".repeat(400));
        assert_eq!(long.chars().count(), ROW_TEXT_MAX + 1);
        assert_eq!(of_row("short"), "short");
    }

    #[test]
    fn what_was_noted_is_not_shown_in_any_form() {
        note_text("'password' = 'it''s \"CANARY-A\"', 'fenodes' = 'u:CANARY-B@h:1'");
        note_named([(&"db_password".to_owned(), &"CANARY-C".to_owned())]);
        for text in [
            "x it's \"CANARY-A\" y",
            "{\"m\":\"it's \\\"CANARY-A\\\"\"}",
            "u:CANARY-B",
            "CANARY-C.",
        ] {
            let shown = redacted(text);
            assert!(!shown.contains("CANARY") && shown.contains(MASK), "{shown}");
        }
        assert!(matches!(redacted("nothing of it"), Cow::Borrowed(_)));
    }
}
