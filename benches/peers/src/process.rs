//! An encoder in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use multivec_peers_protocol::{Kind, Load, Reply, Request, Result};

/// A running encoder; it ends when this is dropped.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a program that speaks the protocol.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| format!("{name}: it has no pipes"))?;
        Ok(Self {
            child,
            input: Some(input),
            output: BufReader::new(output),
        })
    }

    /// Loads a model; seconds.
    pub fn load(&mut self, load: &Load) -> Result<f64> {
        self.first_second(&Request::Load(load.clone()))
    }

    /// Encodes texts in one call; seconds.
    pub fn encode(&mut self, kind: Kind, texts: &[String]) -> Result<f64> {
        let texts = texts.to_vec();
        self.first_second(&Request::Encode { kind, texts })
    }

    /// Encodes each text in a call of its own; seconds of each.
    pub fn each(&mut self, kind: Kind, texts: &[String]) -> Result<Vec<f64>> {
        let texts = texts.to_vec();
        self.seconds(&Request::Each { kind, texts })
    }

    /// The rows of each text, one after the other.
    pub fn vectors(&mut self, kind: Kind, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let texts = texts.to_vec();
        match self.ask(&Request::Vectors { kind, texts })? {
            Reply::Vectors(vectors) => Ok(vectors),
            other => Err(format!("expected vectors, found {other:?}")),
        }
    }

    fn first_second(&mut self, request: &Request) -> Result<f64> {
        let seconds = self.seconds(request)?;
        seconds
            .first()
            .copied()
            .ok_or("expected seconds".to_owned())
    }

    fn seconds(&mut self, request: &Request) -> Result<Vec<f64>> {
        match self.ask(request)? {
            Reply::Seconds(seconds) => Ok(seconds),
            other => Err(format!("expected seconds, found {other:?}")),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Reply> {
        let input = self.input.as_mut().ok_or("the encoder has ended")?;
        let line = serde_json::to_string(request).map_err(|error| error.to_string())?;
        writeln!(input, "{line}").map_err(|error| format!("the encoder has ended: {error}"))?;
        let mut reply = String::new();
        let read = self.output.read_line(&mut reply);
        if read.map_err(|error| error.to_string())? == 0 {
            return Err("the encoder has ended without a reply".to_owned());
        }
        match serde_json::from_str(&reply).map_err(|error| error.to_string())? {
            Reply::Failed(message) => Err(message),
            reply => Ok(reply),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input ends it; one that hangs is ended.
        drop(self.input.take());
        for _ in 0..100 {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(std::time::Duration::from_millis(20)),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
