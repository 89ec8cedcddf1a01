//! The encoders that are compared.

use std::path::PathBuf;
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
    Python(&'static str),
}

const fn multivec(setting: &'static str) -> Encoder {
    Encoder {
        name: "multivec",
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
pub const ALL: [Encoder; 9] = [
    multivec("default"),
    multivec("one session a core"),
    multivec("tract"),
    next_plaid("default"),
    next_plaid("cpu"),
    next_plaid("parallel"),
    next_plaid("parallel, planned batches"),
    next_plaid("parallel, planned batches of 8"),
    Encoder {
        name: "PyLate",
        setting: "cpu, fp32",
        program: Program::Python("pylate.py"),
    },
];

impl Encoder {
    /// Name and setting, for tables.
    pub fn title(&self) -> String {
        format!("{}, {}", self.name, self.setting)
    }

    /// Why this encoder cannot be measured with that model; `None` if it can.
    pub fn unavailable(&self, model: &Model) -> Option<String> {
        let Program::Python(_) = self.program else {
            return None;
        };
        let imports = Command::new("python3")
            .args(["-c", "import pylate"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !imports.is_ok_and(|status| status.success()) {
            return Some("`python3 -c \"import pylate\"` fails here".to_owned());
        }
        if std::env::var_os("MULTIVEC_PYLATE_MODEL").is_none() || model.name != "minilm-colbert" {
            return Some("MULTIVEC_PYLATE_MODEL does not name this model".to_owned());
        }
        None
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
            Program::Python(name) => {
                let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
                let mut command = Command::new("python3");
                command.arg(script);
                command
            }
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

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
