//! A server with models of any kind in one process: documents are ranked by
//! each model that encodes texts, the rankings become one by their reciprocal
//! ranks, and a cross-encoder, if there is one, reads the best again.
//!
//! ```sh
//! cargo run -p multivec --example retrieval_server -- \
//!     --listen 127.0.0.1:7000 all-MiniLM-L6-v2 splade models/minilm-colbert ms-marco-MiniLM-L6-v2
//! curl localhost:7000/documents -d '{"texts": ["Bees make honey.", "The Moon causes the tides."]}'
//! curl localhost:7000/search -d '{"query": "Which animal makes honey?", "top": 1}'
//! curl localhost:7000/rerank -d '{"query": "Why are there tides?", "documents": ["The Moon.", "Bees."]}'
//! curl localhost:7000/models
//! ```
//!
//! Without `--listen` it answers requests of its own and ends.

mod collection;
mod http;
mod routes;
#[cfg(test)]
mod tests;
mod vectors;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use multivec::EncoderBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use collection::Collection;
use routes::Server;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut address, mut folders) = (None, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => address = Some(arguments.next().ok_or("--listen: expected an address")?),
            _ => folders.push(argument),
        }
    }
    if folders.is_empty() {
        folders.push("models/minilm-colbert".to_owned());
    }
    let models = folders
        .iter()
        .map(|folder| EncoderBuilder::from_dir(folder).build_any())
        .collect::<multivec::Result<Vec<_>>>()?;
    let server = Arc::new(Server::new(Collection::new(models)?));

    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let local = listener.local_addr()?;
    let answer = move |request| server.clone().answer(request);
    let serving = tokio::spawn(http::serve(listener, answer));
    if address.is_some() {
        println!("http://{local}");
        return Ok(serving.await??);
    }
    for (path, body) in [
        (
            "/documents",
            r#"{"texts": ["Bees make honey.", "The Moon causes the tides."]}"#,
        ),
        (
            "/search",
            r#"{"query": "Which animal makes honey?", "top": 1}"#,
        ),
    ] {
        print!("{}", post(local, path, body).await?);
    }
    Ok(())
}

/// The answer to a request, without its head.
async fn post(server: SocketAddr, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    let length = body.len();
    let request = format!("POST {path} HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("expected an HTTP answer")?;
    Ok(body.to_owned())
}
