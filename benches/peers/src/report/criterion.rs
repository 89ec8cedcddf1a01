//! What `cargo bench` left behind.

use std::fs;
use std::path::{Path, PathBuf};

use multivec_peers_protocol::Result;
use serde_json::Value;

use super::markdown::{table, three};
use super::origin;
use crate::machine::{self, Rounds};
use crate::models::root;

/// The benches `encode`, by criterion's own files.
pub fn section(rounds: Rounds) -> Result<String> {
    let folder = root().join("target/criterion");
    let mut rows = Vec::new();
    for path in benches(&folder)? {
        rows.push(row(&path)?);
    }
    if rows.is_empty() {
        return Err(format!("{}: no bench is there", folder.display()));
    }
    rows.sort();
    let head = ["`cargo bench --bench encode`", "median", "a second"];
    Ok(format!(
        "## Encoding, pooling and scoring\n\n{}\n\n{}",
        origin(&machine::describe(rounds)?),
        table(&head, &rows)
    ))
}

/// The lines of the bench `graph`, which compares forms of a graph.
pub fn graph(rounds: Rounds) -> Result<String> {
    let path = root().join("target/bench/graph.txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines: Vec<String> = text
        .lines()
        .filter(|line| line.contains(" ratio "))
        .map(|line| format!("- {line}\n"))
        .collect();
    Ok(format!(
        "## Fused graphs against published ones\n\n{}\n\n{}",
        origin(&machine::describe(rounds)?),
        lines.concat()
    ))
}

/// Folders with the results of a bench, wherever they are below `folder`.
fn benches(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match path.join("benchmark.json").is_file() {
            true if path.ends_with("new") => found.push(path),
            true => {}
            false if path.is_dir() => found.extend(benches(&path)?),
            false => {}
        }
    }
    Ok(found)
}

fn row(folder: &Path) -> Result<Vec<String>> {
    let bench = json(&folder.join("benchmark.json"))?;
    let estimates = json(&folder.join("estimates.json"))?;
    let name = bench["full_id"].as_str().unwrap_or_default();
    let nanoseconds = estimates["median"]["point_estimate"]
        .as_f64()
        .ok_or_else(|| format!("{name}: criterion gives no median"))?;
    let elements = bench["throughput"]["Elements"].as_f64().unwrap_or(1.);
    Ok(vec![
        format!("`{name}`"),
        match nanoseconds {
            large if large >= 1e6 => format!("{} ms", three(large / 1e6)),
            small => format!("{} µs", three(small / 1e3)),
        },
        three(elements * 1e9 / nanoseconds),
    ])
}

fn json(path: &Path) -> Result<Value> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}
