//! The tables of scores, which `python/scores.py` measures.

use multivec_peers_protocol::Result;
use serde::Deserialize;

use super::markdown::table;
use super::missing;
use crate::results::{self, Table};

/// What the script writes.
#[derive(Debug, Deserialize)]
struct Scores {
    /// When and on what.
    origin: String,
    /// One for each number of threads.
    tables: Vec<Table>,
    /// Libraries that were not there, and why.
    missing: Vec<String>,
}

const HEAD: &str = "## Scores beside other libraries, in Python
MaxSim of one query of 32 rows with documents of so many rows (documents × rows), 128 columns, random unit vectors. Each library runs in a process of its own and is timed inside it; scores are compared with the definition first. `multivec.max_sim` reads arrays of numpy in place; a `multivec.Corpus` is searched for the best ten. maxsim-cpu and fast-maxsim are given one array of all documents, their faster way; numpy is one product with all rows, and the maxima of its parts. Ratios say how many times as fast a row is as the fastest of the other libraries, all of which compute in FP32.
";

pub fn section() -> Result<String> {
    let found: Scores = results::read("scores")?;
    let mut text = format!("{HEAD}\n{}\n", found.origin);
    for one in &found.tables {
        let rows = table(&one.columns, &one.rows);
        text += &format!("\n### {}\n{rows}\n{}\n", one.title, one.note);
    }
    Ok(text + &missing(&found.missing))
}
