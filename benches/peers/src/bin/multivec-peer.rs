//! multivec as one of the encoders that the benchmark talks to.

use std::process::ExitCode;

use multivec::{Embedding, Encoder, EncoderBuilder, Engine, Optimization, Precision};
use multivec_peers_protocol::{Kind, Load, Peer, Result, serve};

fn main() -> ExitCode {
    match serve(load) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("multivec: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Multivec(Encoder);

fn load(request: &Load) -> Result<Multivec> {
    let precision = match request.precision.as_str() {
        "int8" => Precision::Int8,
        "fp32" => Precision::Fp32,
        other => return Err(format!("unknown precision: {other}")),
    };
    let builder = EncoderBuilder::from_dir(&request.model).with_precision(precision);
    let builder = match request.setting.as_str() {
        "default" => builder,
        "one session a core" => builder.with_sessions(request.cores).with_threads(1),
        "tract" => builder.with_engine(Engine::Tract),
        "original graph" => builder.with_optimization(Optimization::Off),
        other => return Err(format!("unknown setting: {other}")),
    };
    builder
        .build()
        .map(Multivec)
        .map_err(|error| error.to_string())
}

impl Peer for Multivec {
    type Embeddings = Vec<Embedding>;

    fn encode(&self, texts: &[&str], kind: Kind) -> Result<Self::Embeddings> {
        match kind {
            Kind::Query => self.0.encode_queries(texts),
            Kind::Document => self.0.encode_documents(texts),
        }
        .map_err(|error| error.to_string())
    }

    fn rows(&self, embeddings: Self::Embeddings) -> Vec<Vec<f32>> {
        embeddings
            .iter()
            .map(|embedding| embedding.as_slice().to_vec())
            .collect()
    }
}
