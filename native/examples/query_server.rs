//! Outputs queries over TCP in async code: a client sends one query a line and
//! gets one line with the best document. With an address it serves until it is
//! stopped; without one it answers two queries of its own and ends.
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

const DOCUMENTS: [&str; 2] = ["Bees make honey.", "The Moon causes the tides."];
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Queries that may occupy a blocking thread; others wait without one.
const MOST_AT_ONCE: usize = 16;

struct Index {
    encoder: Encoder,
    documents: Vec<Embedding>,
    permits: Semaphore,
}

/// Stops the work of a task that is dropped while it waits.
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
    let encoder = EncoderBuilder::from_dir(model).build()?;
    let documents = encoder.encode_documents(&DOCUMENTS)?;
    let index = Arc::new(Index {
        encoder,
        documents,
        permits: Semaphore::new(MOST_AT_ONCE),
    });

    let address = arguments.next();
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let local = listener.local_addr()?;
    let server = tokio::spawn(serve(listener, index));
    if address.is_some() {
        return server.await?;
    }
    let mut client = TcpStream::connect(local).await?;
    client
        .write_all(b"Who makes honey?\nWhy are there tides?\n")
        .await?;
    client.shutdown().await?;
    let mut answers = String::new();
    client.read_to_string(&mut answers).await?;
    print!("{answers}");
    Ok(())
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
        let answer = answer(index.clone(), query).await;
        let line = answer.unwrap_or_else(|error| format!("error: {error}"));
        writer.write_all(format!("{line}\n").as_bytes()).await?;
    }
    Ok(())
}

async fn answer(index: Arc<Index>, query: String) -> Result<String> {
    let _permit = index.permits.acquire().await?;
    let guard = CancelOnDrop(Cancellation::new());
    let control = Control::new().with_cancellation(&guard.0);
    let encoder = index
        .encoder
        .with_control(control.with_deadline(Instant::now() + TIME_LIMIT));
    let query = spawn_blocking(move || encoder.encode_query(&query)).await??;
    let best = rank(&query, &index.documents)?[0];
    Ok(format!("{:.2} {}", best.score, DOCUMENTS[best.index]))
}
