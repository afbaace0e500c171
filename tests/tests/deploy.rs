//! What `deploy/` says agrees with the rest of the tree.
//! The manifests' own form is checked by `tests/services/k8s-validate.sh`, which `./test` runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the tests stand in the workspace")
        .to_owned()
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// Returns the Dockerfile's instructions, continued lines joined.
fn instructions() -> Result<Vec<String>> {
    let text = read("deploy/Dockerfile")?.replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    let kept = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(kept.map(str::to_owned).collect())
}

#[test]
fn every_file_that_the_image_copies_is_there() -> Result<()> {
    let ignored = read(".dockerignore")?;
    let mut sources = 0;
    for line in instructions()? {
        let Some(arguments) = line.strip_prefix("COPY ") else {
            continue;
        };
        if arguments.starts_with("--from=") {
            continue;
        }
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let (_, from) = words.split_last().context("COPY without arguments")?;
        for source in from {
            ensure!(root().join(source).exists(), "{line}: {source} is missing");
            ensure!(
                ignored.lines().all(|name| name != *source),
                "{source} is in .dockerignore"
            );
            sources += 1;
        }
    }
    ensure!(sources > 0, "the Dockerfile copies nothing");
    Ok(())
}

#[test]
fn image_copies_every_crate_of_the_workspace() -> Result<()> {
    let copied: Vec<String> = instructions()?
        .iter()
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect();
    let manifest = read("Cargo.toml")?;
    let (_, members) = manifest.split_once("members = [").context("no members")?;
    let (members, _) = members.split_once(']').context("members without an end")?;
    for member in members.split('"').skip(1).step_by(2) {
        let folder = member.split('/').next().unwrap_or(member);
        ensure!(
            copied.iter().any(|name| name == folder),
            "{member} is not in the image"
        );
    }
    Ok(())
}

#[test]
fn image_is_built_by_the_pinned_toolchain() -> Result<()> {
    let toolchain = read("rust-toolchain.toml")?;
    let (_, channel) = toolchain.split_once("channel = \"").context("no channel")?;
    let version: Vec<&str> = channel.split(['.', '"']).take(2).collect();
    let image = format!("FROM rust:{}-bookworm", version.join("."));
    ensure!(
        instructions()?.iter().any(|line| line.starts_with(&image)),
        "not built from {image}"
    );
    Ok(())
}

#[test]
fn image_does_not_run_as_root() -> Result<()> {
    let user = instructions()?
        .into_iter()
        .rfind(|line| line.starts_with("USER "));
    ensure!(
        user.as_deref() == Some("USER 10001:10001"),
        "the image runs as {user:?}"
    );
    Ok(())
}

#[test]
fn manifest_carries_the_example_unchanged() -> Result<()> {
    let manifest = read("deploy/kubernetes/filebeat-sync.yaml")?;
    let (_, block) = manifest
        .split_once("  pipeline.sql: |\n")
        .context("no pipeline.sql")?;
    let (block, _) = block
        .split_once("\n---\n")
        .context("the ConfigMap does not end")?;
    let text: Vec<&str> = block
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .collect();
    let example = read("sql-examples/filebeat_sync/pipeline.sql")?;
    let example: Vec<&str> = example.lines().collect();
    ensure!(
        text == example,
        "not the same as sql-examples/filebeat_sync/pipeline.sql"
    );
    for name in example.join("\n").split("${").skip(1) {
        let name = name.split('}').next().unwrap_or_default();
        ensure!(
            manifest.contains(&format!("            - {name}=")),
            "no --var for {name}"
        );
    }
    Ok(())
}
