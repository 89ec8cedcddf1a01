//! next-plaid-onnx in the settings that it offers for CPUs.

use std::process::ExitCode;

use multivec_peers_protocol::{Kind, Load, Peer, Result, serve};
use next_plaid_onnx::{Colbert, ExecutionProvider};

fn main() -> ExitCode {
    match serve(load) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("next-plaid: {error}");
            ExitCode::FAILURE
        }
    }
}

struct NextPlaid {
    model: Colbert,
    calls: Calls,
}

/// Which of its functions encodes documents.
#[derive(Clone, Copy)]
enum Calls {
    Plain,
    /// Tokenize, sort by length and plan batches, then encode.
    Planned,
}

fn load(request: &Load) -> Result<NextPlaid> {
    let builder = Colbert::builder(&request.model).with_quantized(request.precision == "int8");
    let (builder, calls) = match request.setting.as_str() {
        "default" => (builder, Calls::Plain),
        "cpu" => (
            builder.with_execution_provider(ExecutionProvider::Cpu),
            Calls::Plain,
        ),
        "parallel" => (builder.with_parallel(request.cores), Calls::Plain),
        "parallel, planned batches" => (builder.with_parallel(request.cores), Calls::Planned),
        "parallel, planned batches of 8" => (
            builder.with_parallel(request.cores).with_batch_size(8),
            Calls::Planned,
        ),
        other => return Err(format!("unknown setting: {other}")),
    };
    let model = builder.build().map_err(|error| format!("{error:#}"))?;
    Ok(NextPlaid { model, calls })
}

impl Peer for NextPlaid {
    type Embeddings = Vec<Vec<f32>>;

    fn encode(&self, texts: &[&str], kind: Kind) -> Result<Self::Embeddings> {
        let found = match (kind, self.calls) {
            (Kind::Query, _) => self.model.encode_queries(texts),
            (Kind::Document, Calls::Plain) => self.model.encode_documents(texts, None),
            (Kind::Document, Calls::Planned) => self
                .model
                .tokenize_documents_in_batches(texts)
                .and_then(|batches| self.model.encode_prepared_document_batches(batches)),
        };
        let found = found.map_err(|error| format!("{error:#}"))?;
        // No copy: the rows are in order already.
        Ok(found
            .into_iter()
            .map(|matrix| matrix.into_raw_vec_and_offset().0)
            .collect())
    }

    fn rows(&self, embeddings: Self::Embeddings) -> Vec<Vec<f32>> {
        embeddings
    }
}
