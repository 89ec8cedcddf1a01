//! Answers queries over TCP in async code: a client sends a query a line and
//! gets a line with the best document.
//!
//! Without an address it serves two clients of its own on a free port of this
//! machine, and ends; with one, it serves until it is stopped.
//!
//! ```sh
//! cargo run -p multivec --example query_server -- models/minilm-colbert 127.0.0.1:7000
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use multivec::{Cancellation, Control, Embedding, Encoder, EncoderBuilder, rank};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const DOCUMENTS: [&str; 2] = [
    "Bees collect nectar and turn it into honey.",
    "The Moon causes the tides of the oceans.",
];
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Queries that wait or run inside the encoder; more wait here, at no cost.
const MOST_AT_ONCE: usize = 16;

struct Index {
    encoder: Encoder,
    documents: Vec<Embedding>,
    permits: Semaphore,
}

/// Stops the encoder when the task that waits for it is dropped.
struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or("models/minilm-colbert".into());
    let address = arguments.next();
    let index = spawn_blocking(move || load(&model)).await??;
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let local = listener.local_addr()?;
    println!("listening on {local}");
    let server = tokio::spawn(serve(listener, Arc::new(index)));
    if address.is_some() {
        return server.await?;
    }
    for query in ["Which animal makes honey?", "Why is there ebb and flow?"] {
        let mut stream = TcpStream::connect(local).await?;
        stream.write_all(format!("{query}\n").as_bytes()).await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        print!("{query} -> {answer}");
    }
    Ok(())
}

fn load(model: &str) -> Result<Index> {
    let encoder = EncoderBuilder::from_dir(model).build()?;
    let documents = encoder.encode_documents(&DOCUMENTS)?;
    let permits = Semaphore::new(MOST_AT_ONCE);
    Ok(Index {
        encoder,
        documents,
        permits,
    })
}

async fn serve(listener: TcpListener, index: Arc<Index>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(stream, index.clone()));
    }
}

async fn converse(mut stream: TcpStream, index: Arc<Index>) -> Result<()> {
    let (reader, mut writer) = stream.split();
    let mut queries = BufReader::new(reader).lines();
    while let Some(query) = queries.next_line().await? {
        let answer = answer(&index, query).await;
        let line = answer.unwrap_or_else(|error| format!("error: {error}"));
        writer.write_all(format!("{line}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn answer(index: &Arc<Index>, query: String) -> Result<String> {
    let _permit = index.permits.acquire().await?;
    let guard = CancelOnDrop(Cancellation::new());
    let control = Control::new()
        .with_cancellation(&guard.0)
        .with_deadline(Instant::now() + TIME_LIMIT);
    let index = index.clone();
    spawn_blocking(move || {
        let query = index.encoder.with_control(control).encode_query(&query)?;
        let best = rank(&query, &index.documents)?[0];
        Ok(format!("{:.2} {}", best.score, DOCUMENTS[best.index]))
    })
    .await?
}
