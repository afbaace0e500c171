//! The rules that the source tree keeps, each one a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand};

const LINES_MAX: usize = 800;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the tests stand in the workspace")
        .to_owned()
}

/// Returns path (from the root) and text of every file below `folders` that ends with `extension`.
fn files(folders: &[&str], extension: &str) -> Result<BTreeMap<String, String>> {
    let root = root();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut found = BTreeMap::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let hidden = |name: &str| name.starts_with('.') || name == "target";
            for entry in std::fs::read_dir(&path)? {
                let entry = entry?;
                if !hidden(&entry.file_name().to_string_lossy()) {
                    open.push(entry.path());
                }
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            let name = path.strip_prefix(&root)?.display().to_string();
            let text = std::fs::read_to_string(&path).with_context(|| name.clone())?;
            found.insert(name, text);
        }
    }
    Ok(found)
}

fn none(what: &str, found: &[String]) -> Result<()> {
    ensure!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
    Ok(())
}

/// Returns the workspace's folders that hold a crate, each with the folders of the workspace that it needs.
fn crates() -> Result<BTreeMap<String, Vec<String>>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let folder = |path: &Path| Some(path.strip_prefix(root()).ok()?.display().to_string());
    let mut crates = BTreeMap::new();
    for package in &metadata.packages {
        let own = package
            .manifest_path
            .parent()
            .context("a manifest stands in a folder")?;
        let own = folder(own.as_std_path()).context("a crate stands outside the workspace")?;
        // Tests of a crate may look upwards.
        let needed = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .filter_map(|dependency| folder(dependency.path.as_ref()?.as_std_path()));
        crates.insert(own, needed.collect());
    }
    Ok(crates)
}

/// Returns what a crate of the workspace may need: prefixes of folders.
fn allowed(folder: &str) -> &'static [&'static str] {
    match folder {
        // The ground: what these need comes from outside the workspace.
        "connectors/api" | "connectors/json" | "connectors/views" | "benches/librdkafka" => &[],
        "connectors/formats" => &["connectors/api", "connectors/json", "connectors/views"],
        "connectors/kafka-wire" => &["connectors/api"],
        "connectors/kafka" => &[
            "connectors/api",
            "connectors/formats",
            "connectors/kafka-wire",
        ],
        // JSON for Java's spelling of numbers, views for text columns.
        "connectors/mysql-cdc" => &["connectors/api", "connectors/json", "connectors/views"],
        // JSON for its calendar.
        "connectors/doris" => &["connectors/api", "connectors/formats", "connectors/json"],
        _ if folder.starts_with("connectors/") => &["connectors/api", "connectors/formats"],
        "engine/functions" => &["connectors/api", "connectors/json", "connectors/views"],
        "engine/sql" | "engine/checkpoint" => &["connectors/api"],
        // State knows bytes only; operators know state, types and functions, but no plan.
        "engine/state" => &[],
        "engine/operators" => &["connectors/api", "engine/functions", "engine/state"],
        "engine/program" => &["connectors/api", "engine/functions", "engine/operators"],
        "engine/plan" => &[
            "connectors/api",
            "engine/sql",
            "engine/functions",
            "engine/operators",
            "engine/program",
            "engine/state",
        ],
        "engine/runtime" => &[
            "connectors/api",
            "engine/checkpoint",
            "engine/operators",
            "engine/state",
            "engine/functions",
        ],
        // The binary, and what is built only to test and measure it.
        "engine/millrace" | "tests" => &["connectors/", "engine/", "dev/"],
        "benches" => &["connectors/", "engine/", "dev/", "benches/librdkafka"],
        _ => &[],
    }
}

#[test]
fn dependencies_point_down_only() -> Result<()> {
    let mut wrong = Vec::new();
    for (from, needed) in crates()? {
        for to in needed {
            if !allowed(&from).iter().any(|prefix| to.starts_with(prefix)) {
                wrong.push(format!("{from} needs {to}"));
            }
        }
    }
    none("dependencies that point the wrong way", &wrong)
}

#[test]
fn datafusion_is_named_by_plans_only() -> Result<()> {
    let mut wrong = Vec::new();
    for folder in crates()?.into_keys() {
        let manifest = std::fs::read_to_string(root().join(&folder).join("Cargo.toml"))?;
        let may = matches!(folder.as_str(), "engine/plan" | "engine/batch");
        if !may && manifest.lines().any(|line| line.starts_with("datafusion")) {
            wrong.push(folder);
        }
    }
    none("crates that need DataFusion and are no planner", &wrong)
}

#[test]
fn files_hold_one_idea() -> Result<()> {
    let mut long = Vec::new();
    for (path, text) in files(&["connectors", "engine", "dev", "tests", "benches"], "rs")? {
        let tests = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
        let lines = text[..tests].lines().count();
        if lines > LINES_MAX {
            long.push(format!("{path}: {lines} lines without its tests"));
        }
    }
    none(&format!("files over {LINES_MAX} lines"), &long)
}

#[test]
fn nothing_is_left_for_later() -> Result<()> {
    // In two parts each, so that this file does not find itself.
    let markers = [
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
    ];
    let mut left = Vec::new();
    for (path, text) in files(&["connectors", "engine", "dev", "tests", "benches"], "rs")? {
        for (number, line) in text.lines().enumerate() {
            if markers.iter().any(|marker| line.contains(marker.as_str())) {
                left.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none("markers of unfinished work", &left)
}

/// Adds every `MR` followed by exactly four digits in `text`.
fn add_codes(text: &str, codes: &mut BTreeSet<String>) {
    for (at, _) in text.match_indices("MR") {
        let digits = text[at + 2..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let begins = !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
        if digits == 4 && begins {
            codes.insert(text[at..at + 6].to_owned());
        }
    }
}

#[test]
fn every_error_code_has_its_page() -> Result<()> {
    let mut codes = BTreeSet::new();
    for text in files(&["connectors", "engine"], "rs")?.values() {
        add_codes(text, &mut codes);
    }
    let mut pages = BTreeSet::new();
    for (path, text) in files(&["docs/errors"], "md")? {
        let name = path
            .trim_start_matches("docs/errors/")
            .trim_end_matches(".md");
        if name != "README" {
            ensure!(
                text.starts_with(&format!("# {name}")),
                "{path} does not begin with '# {name}'"
            );
            pages.insert(name.to_owned());
        }
    }
    let missing: Vec<String> = codes.difference(&pages).cloned().collect();
    none("codes without a page in docs/errors", &missing)?;
    let unused: Vec<String> = pages.difference(&codes).cloned().collect();
    none("pages in docs/errors whose code nobody reports", &unused)
}

#[test]
fn code_is_found_wherever_it_stands() {
    let mut codes = BTreeSet::new();
    add_codes(
        r#"("MR0103", `MR0201`) MR01xx XMR0301 MR04011 MR0501"#,
        &mut codes,
    );
    let found: Vec<&str> = codes.iter().map(String::as_str).collect();
    assert_eq!(found, ["MR0103", "MR0201", "MR0501"]);
}

#[test]
fn architecture_names_every_crate() -> Result<()> {
    let path = root().join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&path).context("ARCHITECTURE.md is missing")?;
    let unnamed: Vec<String> = crates()?
        .into_keys()
        .filter(|name| !text.contains(name))
        .collect();
    none("crates that ARCHITECTURE.md does not name", &unnamed)
}

#[test]
fn links_between_documents_lead_somewhere() -> Result<()> {
    let mut broken = Vec::new();
    let folders = [
        "docs",
        "sql-examples",
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "COMPAT.md",
    ];
    let present = folders
        .into_iter()
        .filter(|name| root().join(name).exists());
    for (path, text) in files(&present.collect::<Vec<_>>(), "md")? {
        let folder = root().join(&path);
        let folder = folder.parent().expect("a file stands in a folder");
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..]
                .split([')', '#', ' '])
                .next()
                .unwrap_or_default();
            let outside = target.is_empty() || target.contains("://");
            if !outside && !folder.join(target).exists() {
                broken.push(format!("{path}: {target}"));
            }
        }
    }
    none("links that lead nowhere", &broken)
}
