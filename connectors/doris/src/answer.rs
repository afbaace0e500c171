//! Doris's answers: nearly all of them come as HTTP 200, whatever they say.

use serde::Deserialize;

use crate::http::Response;

/// How much of an answer that cannot be read is shown.
const SHOWN_BYTES_MAX: usize = 300;

/// The answer to a load. Fields that it does not have are ignored, as versions differ.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LoadAnswer {
    #[serde(default = "no_transaction")]
    pub(crate) txn_id: i64,
    #[serde(default)]
    pub(crate) two_phase_commit: Flag,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) existing_job_status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    pub(crate) number_total_rows: u64,
    #[serde(default)]
    pub(crate) number_filtered_rows: u64,
    #[serde(default, rename = "ErrorURL")]
    pub(crate) error_url: Option<String>,
}

fn no_transaction() -> i64 {
    -1
}

/// A truth value that is a word in some versions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
pub(crate) enum Flag {
    Value(bool),
    Word(String),
    #[default]
    Missing,
}

impl Flag {
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Value(value) => *value,
            Self::Word(word) => word.eq_ignore_ascii_case("true"),
            Self::Missing => false,
        }
    }
}

/// What the answer to a load means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadStatus {
    /// Precommitted; of a plain load: visible, or committed and soon visible.
    Done,
    /// The label is taken.
    LabelExists,
    /// Rolled back.
    Failed,
}

impl LoadAnswer {
    /// Reads an answer; the error is what came instead of one.
    pub(crate) fn parse(response: &Response) -> Result<Self, String> {
        if response.status == 200
            && let Ok(answer) = serde_json::from_slice(&response.body)
        {
            return Ok(answer);
        }
        Err(refusal(response))
    }

    pub(crate) fn meaning(&self) -> LoadStatus {
        match self.status.as_str() {
            "Success" | "Publish Timeout" => LoadStatus::Done,
            "Label Already Exists" => LoadStatus::LabelExists,
            _ => LoadStatus::Failed,
        }
    }

    /// Returns the message without the stack trace that Doris 2.0 appends.
    pub(crate) fn message(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// Returns the transaction that has the label.
    pub(crate) fn related_transaction(&self) -> Option<i64> {
        let (_, rest) = self.message.split_once("relate to txn [")?;
        rest.split_once(']')?.0.trim().parse().ok()
    }

    /// Tells whether the same load may be taken later: too much at once, not something wrong with it.
    pub(crate) fn is_overload(&self) -> bool {
        const SIGNS: &[&str] = &[
            "TOO_MANY_VERSION",
            "exceed limit",
            "MEM_LIMIT_EXCEEDED",
            "MEM_ALLOC_FAILED",
            "LIMIT_REACH",
            "larger than limit",
            "-235",
        ];
        SIGNS.iter().any(|sign| self.message.contains(sign))
    }
}

/// Returns what an answer without `Status` says.
pub(crate) fn refusal(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Rest {
        msg: String,
        #[serde(default)]
        data: serde_json::Value,
    }
    let said = match serde_json::from_slice::<Rest>(&response.body) {
        Ok(rest) => match rest.data.as_str() {
            Some(data) => format!("{}: {data}", rest.msg),
            None => rest.msg,
        },
        Err(_) => response.text(),
    };
    let mut said = said.trim().to_owned();
    if said.len() > SHOWN_BYTES_MAX {
        let cut = said.floor_char_boundary(SHOWN_BYTES_MAX);
        said.truncate(cut);
        said.push('…');
    }
    if response.status == 200 {
        said
    } else {
        format!("HTTP {} {said}", response.status)
    }
}

/// Tells whether a refusal is about who asks, not about what.
pub(crate) fn is_about_login(said: &str) -> bool {
    const SIGNS: &[&str] = &[
        "Unauthorized",
        "Access denied",
        "NOT_AUTHORIZED",
        "no valid Basic",
    ];
    SIGNS.iter().any(|sign| said.contains(sign))
}

/// The answer to a commit or abort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is done now.
    Done,
    /// Committed or visible already.
    AlreadyCommitted,
    /// Aborted already.
    AlreadyAborted(String),
    /// Nothing is known of it.
    NotFound,
    /// Its load is still under way.
    StillLoading,
    /// The login is refused.
    Unauthorized(String),
    /// Anything else; asking again may help.
    Refused(String),
}

impl Decision {
    pub(crate) fn parse(response: &Response) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            status: String,
            #[serde(default)]
            msg: String,
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(&response.body) else {
            let said = refusal(response);
            return if is_about_login(&said) {
                Self::Unauthorized(said)
            } else {
                Self::Refused(said)
            };
        };
        let said = answer.msg;
        let lower = said.to_ascii_lowercase();
        if response.status == 200 && answer.status.eq_ignore_ascii_case("Success") {
            Self::Done
        } else if lower.contains("is already committed") || lower.contains("is already visible") {
            Self::AlreadyCommitted
        } else if lower.contains("is already aborted") {
            Self::AlreadyAborted(said)
        } else if lower.contains("is prepare, not pre-committed") {
            Self::StillLoading
        } else if (lower.contains("transaction [") && lower.contains("] not found"))
            || lower.contains("transaction not found, label=")
        {
            Self::NotFound
        } else if is_about_login(&format!("{} {said}", answer.status)) {
            Self::Unauthorized(said)
        } else {
            Self::Refused(format!("{}: {said}", answer.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response {
            status,
            location: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn judges_commits_by_what_is_said_and_not_by_http() {
        let say = |status: &str, msg: &str| {
            let body = serde_json::json!({"status": status, "msg": msg}).to_string();
            Decision::parse(&response(200, &body))
        };
        let detail = |text: &str| {
            say(
                "ANALYSIS_ERROR",
                &format!("TStatus: errCode = 2, detailMessage = {text}"),
            )
        };
        assert_eq!(
            say("Success", "transaction [7] commit successfully."),
            Decision::Done
        );
        for word in ["committed", "visible", "COMMITTED", "VISIBLE"] {
            let text = format!("transaction [7] is already {word}, not pre-committed.");
            assert_eq!(detail(&text), Decision::AlreadyCommitted);
        }
        let aborted =
            detail("transaction [7] is already aborted. abort reason: timeout by txn manager");
        assert!(matches!(aborted, Decision::AlreadyAborted(_)));
        assert_eq!(detail("transaction [7] not found"), Decision::NotFound);
        assert_eq!(detail("transaction [7] not found."), Decision::NotFound);
        assert_eq!(
            detail("transaction [7] is prepare, not pre-committed."),
            Decision::StillLoading
        );
        let busy = say(
            "INTERNAL_ERROR",
            "get tableList write lock timeout, tableList=(t)",
        );
        assert!(matches!(busy, Decision::Refused(_)));
        let failed = say("FAILED", "No database selected.");
        assert!(matches!(failed, Decision::Refused(_)));
        let login = response(
            200,
            r#"{"msg":"Unauthorized","code":401,"data":"no","count":0}"#,
        );
        assert!(matches!(Decision::parse(&login), Decision::Unauthorized(_)));
        assert!(matches!(
            Decision::parse(&response(500, "oops")),
            Decision::Refused(_)
        ));
    }

    #[test]
    fn an_answer_without_status_is_none() {
        let said = LoadAnswer::parse(&response(200, r#"{"status":"FAILED","msg":"no backend"}"#));
        assert_eq!(said.unwrap_err(), "no backend");
        assert_eq!(
            LoadAnswer::parse(&response(500, "x")).unwrap_err(),
            "HTTP 500 x"
        );
        assert!(LoadAnswer::parse(&response(500, r#"{"Status":"Success"}"#)).is_err());
    }

    #[test]
    fn finds_the_transaction_of_a_taken_label_in_each_version_s_words() {
        for before in [
            "errCode = 2, detailMessage = ",
            "[LABEL_ALREADY_EXISTS]TStatus: errCode = 2, detailMessage = ",
        ] {
            let message =
                format!("{before}Label [a] has already been used, relate to txn [18]\n0. /root/x");
            let body = serde_json::json!({"TxnId": -1, "Status": "Label Already Exists",
                "TwoPhaseCommit": "true", "ExistingJobStatus": "PRECOMMITTED", "Message": message});
            let answer = LoadAnswer::parse(&response(200, &body.to_string())).unwrap();
            assert_eq!(answer.meaning(), LoadStatus::LabelExists);
            assert_eq!(answer.related_transaction(), Some(18));
            assert!(answer.two_phase_commit.is_true());
            assert!(!answer.message().contains("/root"));
        }
    }
}
