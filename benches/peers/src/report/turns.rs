//! The tables of what Python measures in turns: `python/scores.py` and
//! `python/dense.py`.

use multivec_peers_protocol::Result;
use serde::Deserialize;

use super::markdown::table;
use super::missing;
use crate::results::{self, Table};

/// What a script writes.
#[derive(Debug, Deserialize)]
struct Found {
    /// When and on what.
    origin: String,
    /// One for each number of threads.
    tables: Vec<Table>,
    /// Libraries that were not there, and why.
    missing: Vec<String>,
}

const SCORES: &str = "## Scores beside other libraries, in Python
MaxSim of one query of 32 rows with documents of so many rows (documents × rows), 128 columns, random unit vectors. Each library runs in a process of its own and is timed inside it; scores are compared with the definition first. `multivec.max_sim` reads arrays of numpy in place; a `multivec.Corpus` is searched for the best ten. maxsim-cpu and fast-maxsim are given one array of all documents, their faster way; numpy is one product with all rows, and the maxima of its parts. Ratios say how many times as fast a row is as the fastest of the other libraries, all of which compute in FP32.
";

const DENSE: &str = "## Dense embeddings beside other libraries, in Python
all-MiniLM-L6-v2: its graph as PyTorch exports it, in FP32, and as ONNX Runtime's dynamic quantization makes it, in INT8; `of the weights` is what multivec makes of the weights in INT8 when it loads them. Texts × tokens in each. Each library runs in a process of its own and is timed inside it, in its defaults, on the ONNX Runtime of the same version but for sentence-transformers, which runs torch. Embeddings are compared with those in FP32 first. Ratios say how many times as fast a row is as the fastest of the other libraries, in INT8 or FP32.
";

/// The section of scores.
pub fn scores() -> Result<String> {
    section("scores", SCORES)
}

/// The section of dense embeddings.
pub fn dense() -> Result<String> {
    section("dense", DENSE)
}

fn section(name: &str, head: &str) -> Result<String> {
    let found: Found = results::read(name)?;
    let mut text = format!("{head}\n{}\n", found.origin);
    for one in &found.tables {
        let rows = table(&one.columns, &one.rows);
        text += &format!("\n### {}\n{rows}\n{}\n", one.title, one.note);
    }
    Ok(text + &missing(&found.missing))
}
