//! As much of HTTP/1.1 as the server needs; a connection for each request.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;

pub(super) struct Request {
    method: String,
    pub(super) target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// `None` if the client says nothing.
    pub(super) fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut lines = BufReader::new(stream).lines();
        let Some(line) = lines.next().transpose()? else {
            return Ok(None);
        };
        let mut words = line.split(' ').map(str::to_owned);
        let mut headers = Vec::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        Ok(Some(Self {
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            headers,
        }))
    }

    /// Method and target.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone())
    }
}

#[derive(Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(super) fn body(body: Vec<u8>) -> Self {
        Self {
            body,
            ..Self::status(200)
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the head, and the body as far as `end`.
    pub(super) fn write(
        &self,
        stream: &mut TcpStream,
        request: &Request,
        end: usize,
    ) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", self.status);
        head += &format!("Content-Length: {}\r\n", self.body.len());
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        if request.method != "HEAD" {
            stream.write_all(self.body.get(..end).unwrap_or(&self.body))?;
        }
        stream.flush()
    }
}
