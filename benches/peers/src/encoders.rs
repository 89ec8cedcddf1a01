//! The encoders that are compared.

use std::path::Path;
use std::process::{Command, Stdio};

use multivec_peers_protocol::{Load, Result};

use crate::machine;
use crate::models::Model;
use crate::process::Process;

/// An encoder in one setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    pub name: &'static str,
    pub setting: &'static str,
    program: Program,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// Built beside this program.
    Built(&'static str),
    Wheel,
    PyLate,
    Fastembed,
}

impl Program {
    /// The Python package that it runs.
    fn package(self) -> Option<&'static str> {
        match self {
            Self::Built(_) => None,
            Self::Wheel => Some("multivec"),
            Self::PyLate => Some("pylate"),
            Self::Fastembed => Some("fastembed"),
        }
    }
}

/// The name of ours.
pub const OWN: &str = "multivec";

const fn multivec(setting: &'static str) -> Encoder {
    Encoder {
        name: OWN,
        setting,
        program: Program::Built("multivec-peer"),
    }
}

const fn next_plaid(setting: &'static str) -> Encoder {
    Encoder {
        name: "next-plaid-onnx",
        setting,
        program: Program::Built("multivec-peer-next-plaid"),
    }
}

/// Ours first: the others are compared with the very first.
pub const ALL: [Encoder; 12] = [
    multivec("default"),
    multivec("one session a core"),
    multivec("tract"),
    multivec("original graph"),
    Encoder {
        name: "multivec in Python",
        setting: "default",
        program: Program::Wheel,
    },
    next_plaid("default"),
    next_plaid("cpu"),
    next_plaid("parallel"),
    next_plaid("parallel, planned batches"),
    next_plaid("parallel, planned batches of 8"),
    Encoder {
        name: "PyLate",
        setting: "cpu, fp32",
        program: Program::PyLate,
    },
    Encoder {
        name: "fastembed",
        setting: "default",
        program: Program::Fastembed,
    },
];

impl Encoder {
    /// Name and setting, for tables.
    pub fn title(&self) -> String {
        format!("{}, {}", self.name, self.setting)
    }

    /// Why this encoder cannot be measured with that model; `None` if it can.
    pub fn unavailable(&self, model: &Model) -> Result<Option<String>> {
        let Some(package) = self.program.package() else {
            return Ok(None);
        };
        if python(&format!("import {package}")).is_none() {
            let reason = format!("`python3 -c \"import {package}\"` fails here");
            return Ok(Some(reason));
        }
        match self.program {
            Program::Built(_) | Program::Wheel => Ok(None),
            Program::PyLate => Ok(without_weights(model)),
            Program::Fastembed => other_library(),
        }
    }

    /// Starts it, without a model.
    pub fn start(&self) -> Result<Process> {
        self.start_with(&[])
    }

    /// Starts it with variables in its environment.
    pub fn start_with(&self, variables: &[(&str, &str)]) -> Result<Process> {
        let mut command = match self.program {
            Program::Built(name) => {
                let here = std::env::current_exe().map_err(|error| error.to_string())?;
                Command::new(here.with_file_name(name))
            }
            Program::Wheel => script("with_multivec.py"),
            Program::PyLate => script("with_pylate.py"),
            Program::Fastembed => script("with_fastembed.py"),
        };
        command
            .env("ORT_DYLIB_PATH", machine::library()?.path)
            .envs(variables.iter().copied());
        Process::start(command).map_err(|error| format!("{}: {error}", self.title()))
    }

    /// What to ask it to load.
    pub fn load(&self, model: &Model) -> Load {
        Load {
            model: model.directory.clone(),
            precision: model.precision.to_string(),
            setting: self.setting.to_owned(),
            cores: cores(),
        }
    }
}

/// What lines of Python print; `None` where they fail.
fn python(lines: &str) -> Option<String> {
    let output = Command::new("python3")
        .args(["-c", lines])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let printed = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| printed.trim().to_owned())
}

fn script(name: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut command = Command::new("python3");
    command.arg(folder.join(name));
    command
}

/// Why PyLate has no weights of that model; `None` if it has.
fn without_weights(model: &Model) -> Option<String> {
    let named = std::env::var_os("MULTIVEC_PYLATE_MODEL").is_some();
    (!named || model.name != "minilm-colbert")
        .then(|| "MULTIVEC_PYLATE_MODEL does not name this model".to_owned())
}

/// Why a package with ONNX Runtime in it would not run the library that all
/// others run; `None` if it would.
fn other_library() -> Result<Option<String>> {
    let expected = machine::library()?.version;
    let found = python("import onnxruntime; print(onnxruntime.__version__)");
    let found = found.unwrap_or_else(|| "missing".to_owned());
    let reason = format!("its onnxruntime is {found}, that of the others {expected}");
    Ok((found != expected).then_some(reason))
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
