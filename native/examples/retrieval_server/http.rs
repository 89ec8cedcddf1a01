//! As much of HTTP/1.1 as the server takes: one request a connection, bodies
//! of a stated length, JSON.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const MOST_OF_HEAD: u64 = 16 << 10;
const MOST_OF_BODY: usize = 16 << 20;

/// A request.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// An answer in JSON.
pub(crate) struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, body }
    }

    pub(crate) fn failed(status: u16, code: &str, message: &str) -> Self {
        let error = json!({ "code": code, "message": message });
        Self::new(status, json!({ "error": error }))
    }

    fn bytes(&self) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            413 => "Content Too Large",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let body = format!("{}\n", self.body);
        let (status, length) = (self.status, body.len());
        format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// Answers until the listener fails.
pub(crate) async fn serve<F>(
    listener: TcpListener,
    answer: impl Fn(Request) -> F + Clone + Send + Sync + 'static,
) -> io::Result<()>
where
    F: Future<Output = Answer> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = answer.clone();
        tokio::spawn(async move { converse(stream, answer).await });
    }
}

async fn converse<F: Future<Output = Answer>>(
    mut stream: TcpStream,
    answer: impl Fn(Request) -> F,
) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let answer = match read(&mut BufReader::new(reader)).await? {
        Ok(request) => answer(request).await,
        Err(refused) => refused,
    };
    writer.write_all(&answer.bytes()).await?;
    writer.shutdown().await
}

/// A request, or the answer to what is none.
async fn read(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Result<Request, Answer>> {
    let refused = |status, message: &str| Ok(Err(Answer::failed(status, "http", message)));
    let mut head = (&mut *stream).take(MOST_OF_HEAD);
    let mut line = String::new();
    head.read_line(&mut line).await?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return refused(400, "expected a request line");
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        if head.read_line(&mut line).await? == 0 {
            return refused(400, "expected the end of the head, found none");
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return refused(400, "expected a body of a stated length");
        }
        if name.eq_ignore_ascii_case("content-length") {
            let Ok(stated) = value.trim().parse::<usize>() else {
                return refused(400, "content-length: expected a number");
            };
            length = stated;
        }
    }
    if length > MOST_OF_BODY {
        return refused(413, "expected a body of at most 16 MiB");
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Ok(Request { method, path, body }))
}
