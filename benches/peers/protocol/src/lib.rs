//! What the benchmark and the encoders it compares say to each other: one JSON
//! object a line, a [`Request`] on standard input and a [`Reply`] on standard
//! output.
//!
//! Each encoder is a process of its own, since two versions of the bindings to
//! ONNX Runtime do not go into one program, and so that neither the threads
//! nor the memory of one are in the way of another. Times are taken inside.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What can go wrong, as a message for the person who runs the benchmark.
pub type Result<T = ()> = std::result::Result<T, String>;

/// The side of retrieval that texts are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Queries.
    Query,
    /// Documents.
    Document,
}

/// Which model to load, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    /// The model directory.
    pub model: PathBuf,
    /// `int8` or `fp32`.
    pub precision: String,
    /// A setting by the name that the encoder knows it by.
    pub setting: String,
    /// Cores that the process may use.
    pub cores: usize,
}

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Loads the model.
    Load(Load),
    /// Encodes all texts in one call.
    Encode { kind: Kind, texts: Vec<String> },
    /// Encodes each text in a call of its own.
    Each { kind: Kind, texts: Vec<String> },
    /// Encodes all texts in one call and gives their rows.
    Vectors { kind: Kind, texts: Vec<String> },
}

/// A reply.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// Seconds of each call.
    Seconds(Vec<f64>),
    /// Rows of each text, one after the other: `[rows, dim]`.
    Vectors(Vec<Vec<f32>>),
    /// Why there is none.
    Failed(String),
}

/// An encoder under test.
pub trait Peer {
    /// Embeddings of all texts, in input order.
    type Embeddings;

    /// Encodes texts in one call.
    ///
    /// # Errors
    /// Whatever the encoder says.
    fn encode(&self, texts: &[&str], kind: Kind) -> Result<Self::Embeddings>;

    /// The rows of each text, one after the other.
    fn rows(&self, embeddings: Self::Embeddings) -> Vec<Vec<f32>>;
}

/// Outputs requests until standard input ends.
///
/// # Errors
/// Where a request cannot be read or a reply not be written. What the encoder
/// says is a reply.
pub fn serve<P: Peer>(mut load: impl FnMut(&Load) -> Result<P>) -> Result {
    let mut peer = None;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let request = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let reply = answer(&mut peer, request, &mut load).unwrap_or_else(Reply::Failed);
        let reply = serde_json::to_string(&reply).map_err(|error| error.to_string())?;
        let mut output = io::stdout().lock();
        writeln!(output, "{reply}")
            .and_then(|()| output.flush())
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn answer<P: Peer>(
    peer: &mut Option<P>,
    request: Request,
    load: &mut impl FnMut(&Load) -> Result<P>,
) -> Result<Reply> {
    if let Request::Load(request) = &request {
        let start = Instant::now();
        *peer = Some(load(request)?);
        return Ok(Reply::Seconds(vec![start.elapsed().as_secs_f64()]));
    }
    let peer = peer.as_ref().ok_or("no model is loaded")?;
    match request {
        Request::Load(_) => Err("loaded above".to_owned()),
        Request::Encode { kind, texts } => {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            Ok(Reply::Seconds(vec![timed(peer, &texts, kind)?]))
        }
        Request::Each { kind, texts } => texts
            .iter()
            .map(|text| timed(peer, &[text.as_str()], kind))
            .collect::<Result<_>>()
            .map(Reply::Seconds),
        Request::Vectors { kind, texts } => {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            Ok(Reply::Vectors(peer.rows(peer.encode(&texts, kind)?)))
        }
    }
}

fn timed<P: Peer>(peer: &P, texts: &[&str], kind: Kind) -> Result<f64> {
    let start = Instant::now();
    let embeddings = peer.encode(texts, kind)?;
    let seconds = start.elapsed().as_secs_f64();
    drop(embeddings);
    Ok(seconds)
}
