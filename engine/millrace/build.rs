//! Compiles the pages of `docs/errors` in: one table of code and text.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let pages = Path::new(&root).join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", pages.display());
    let mut names: Vec<String> = fs::read_dir(&pages)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("MR") && name.ends_with(".md"))
        .collect();
    names.sort_unstable();
    let mut table = String::from("&[\n");
    for name in names {
        let path = pages.join(&name).canonicalize()?;
        println!("cargo::rerun-if-changed={}", path.display());
        let code = name.trim_end_matches(".md");
        writeln!(table, "    ({code:?}, include_str!({path:?})),").map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("pages.rs"), table)
}
