//! `millrace functions`: the reference of Flink SQL's functions, from the registry.

use millrace_connector::{Diagnostic, did_you_mean, nearest};
use millrace_functions::{FunctionDef, registry};

use crate::failure::Failure;
use crate::output;

/// Lists all functions, or explains one.
pub(crate) fn command(name: Option<&str>) -> Result<u8, Failure> {
    match name {
        None => output::print(&list()),
        Some(name) => output::print(&page(find(name)?)),
    }
    Ok(0)
}

fn find(name: &str) -> Result<&'static FunctionDef, Failure> {
    if let Some(def) = registry::lookup(name).or_else(|| registry::lookup_later(name)) {
        return Ok(def);
    }
    let fault = Diagnostic::global("MR0305", format!("there is no function '{name}'"));
    let names = registry::all()
        .chain(registry::later())
        .flat_map(|def| std::iter::once(def.name).chain(def.aliases.iter().copied()));
    let names: Vec<&str> = names.collect();
    let fault = match did_you_mean(name, names.iter().copied()) {
        Some(near) => fault.help(format!("did you mean {near}?")),
        None => fault.help(format!(
            "the nearest names: {}",
            nearest(name, names, 3).join(", ")
        )),
    };
    Err(Failure::refused(fault.help("millrace functions lists all")))
}

fn list() -> String {
    let mut all: Vec<&FunctionDef> = registry::all().chain(registry::later()).collect();
    all.sort_by_key(|def| (def.category, def.name));
    let width = all
        .iter()
        .map(|def| def.name.chars().count())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    let mut category = None;
    for def in all {
        if category != Some(def.category) {
            if category.is_some() {
                text.push('\n');
            }
            text.push_str(&format!("{:?}\n", def.category));
            category = Some(def.category);
        }
        let sentence = def.doc.lines().next().unwrap_or_default();
        text.push_str(&format!("  {:<width$}  {sentence}\n", def.name));
    }
    text.push_str("\nmore about one: millrace functions NAME\n");
    text
}

fn page(def: &FunctionDef) -> String {
    let mut text = format!("{}\n", def.name);
    if !def.aliases.is_empty() {
        text.push_str(&format!("also: {}\n", def.aliases.join(", ")));
    }
    text.push('\n');
    for signature in def.signatures {
        text.push_str(&format!("  {signature}\n"));
    }
    text.push_str(&format!("\n{}\n", def.doc));
    if !def.examples.is_empty() {
        text.push_str("\nexamples\n");
        for (call, result) in def.examples {
            text.push_str(&format!("  {call}  →  {result}\n"));
        }
    }
    text
}
