//! `benches/RESULTS.md` and its plot, from what was measured.

mod browser;
mod criterion;
mod markdown;
mod peers;
mod plot;
mod turns;

use std::fs;

use multivec_peers_protocol::Result;

use crate::machine::{self, PEERS, PEERS_WITHOUT_VNNI, Rounds};
use crate::models::root;
use crate::results::{self, Machine, Settings};
use markdown::table;

/// Sections in the order of the file.
const SECTIONS: [&str; 11] = [
    PEERS,
    PEERS_WITHOUT_VNNI,
    "settings",
    "sessions",
    "criterion",
    "graph",
    "scores",
    "dense",
    "web",
    "web-without-vnni",
    "web-dense",
];

const HEAD: &str = "# Benchmarks
Written by `cargo xtask bench` (`--web` for browsers, `--without-vnni` for browsers that leave AVX-VNNI alone, `web-dense` for dense embeddings there, `--quick` for fewer rounds). Each section tells when and on what it was measured; a run leaves the sections that it did not measure as they were. All that is compared ran in turns, in one run, on the same model files and texts; ratios are of medians of the same run.
";

/// Writes these sections anew; that of the peers by the machine it runs on.
pub fn write(wanted: &[&str], rounds: Rounds) -> Result {
    let mut wanted = wanted.to_vec();
    for name in &mut wanted {
        if *name == PEERS {
            *name = machine::peers_section();
        }
    }
    if let Some(unknown) = wanted.iter().find(|name| !SECTIONS.contains(name)) {
        return Err(format!(
            "expected sections of {SECTIONS:?}, found `{unknown}`"
        ));
    }
    let path = root().join("benches/RESULTS.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut text = HEAD.to_owned();
    for name in SECTIONS {
        let section = match wanted.contains(&name) {
            true => Some(render(name, rounds)?),
            false => former(&before, name),
        };
        if let Some(section) = section {
            text += &format!("\n{}\n{}\n", marker(name), section.trim());
        }
    }
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

fn render(section: &str, rounds: Rounds) -> Result<String> {
    match section {
        PEERS | PEERS_WITHOUT_VNNI => peers::section(section, &results::read(section)?),
        "settings" => Ok(settings(
            "## Settings of multivec",
            &results::read("settings")?,
        )),
        "sessions" => Ok(settings(
            "## Settings of ONNX Runtime\nThe published graph alone, without tokenizing and without fused operators.",
            &results::read("sessions")?,
        )),
        "criterion" => criterion::section(rounds),
        "graph" => criterion::graph(rounds),
        "scores" => turns::scores(),
        "dense" => turns::dense(),
        "web" => browser::graphs("## In the browser", &results::read("web")?),
        "web-dense" => browser::dense(
            "## Dense embeddings in the browser",
            &results::read("web-dense")?,
        ),
        _ => browser::graphs(
            "## In the browser, without AVX-VNNI\nAs on x86 that has no AVX-VNNI, where a relaxed product takes three instructions.",
            &results::read("web-without-vnni")?,
        ),
    }
}

fn marker(section: &str) -> String {
    format!("<!-- section: {section} -->")
}

/// A section of the file as it was.
fn former(text: &str, section: &str) -> Option<String> {
    let start = text.find(&marker(section))? + marker(section).len();
    let rest = &text[start..];
    let end = rest.find("<!-- section: ").unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// The line that says when and on what.
fn origin(machine: &Machine) -> String {
    let Machine {
        date,
        cpu,
        cores,
        system,
        onnxruntime,
        others,
        quick,
    } = machine;
    let doubts = doubts(*quick, others.unwrap_or_default());
    format!("{date}; {cpu}, {cores} cores, {system}; ONNX Runtime {onnxruntime}.{doubts}")
}

/// Why numbers are not to be quoted, if so. An idle system takes a percent or
/// two of its cores.
fn doubts(quick: bool, others: f64) -> String {
    let mut text = String::new();
    if quick {
        text += " A quick run with few rounds, not to be quoted.";
    }
    if others > 0.05 {
        let percent = 100. * others;
        text += &format!(
            " Other processes took {percent:.0} % of the cores just before, so that it is not to \
             be quoted."
        );
    }
    text
}

fn settings(head: &str, found: &Settings) -> String {
    let mut text = format!("{head}\n");
    for model in &found.models {
        text += &format!("\n### {}\n{}\n", model.model, origin(&model.machine));
        for one in &model.found {
            let rows = table(&one.columns, &one.rows);
            text += &format!("\n#### {}\n{rows}\n{}\n", one.title, one.note);
        }
    }
    text + &missing(&found.missing)
}

/// What was not measured, and why.
fn missing(reasons: &[String]) -> String {
    match reasons {
        [] => String::new(),
        reasons => format!("\nNot measured: {}.\n", reasons.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_whole() {
        let text = "head\n<!-- section: peers -->\n## A\none\n\n<!-- section: web -->\n## B\n";
        assert_eq!(former(text, "peers").as_deref(), Some("\n## A\none\n\n"));
        assert_eq!(former(text, "web").as_deref(), Some("\n## B\n"));
        assert_eq!(former(text, "graph"), None);
    }
}
