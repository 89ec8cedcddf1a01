//! Options of loading and encoding, as JSON from the package.

use std::path::PathBuf;

use multivec::hub::{HubId, HubOptions, Network};
use multivec::{
    AmdOptions, CoreMlOptions, CudaOptions, DirectMlOptions, EncodeOptions, EncoderBuilder, Engine,
    LoadOptions, OpenVinoOptions, Optimization, Precision, Provider, TensorRtOptions,
};
use pyo3::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::coded;

/// What a model is loaded with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Load {
    engine: EngineName,
    precision: Option<PrecisionName>,
    provider: ProviderName,
    device: u32,
    optimize: Switch,
    measure: Switch,
    cores: Option<usize>,
    sessions: Option<usize>,
    file: Option<String>,
    cache_dir: Option<PathBuf>,
    library: Option<PathBuf>,
    revision: Option<String>,
    token: Option<String>,
    endpoint: Option<String>,
    hub_cache_dir: Option<PathBuf>,
    offline: Switch,
    encode: EncodeOptions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EngineName {
    #[default]
    Auto,
    OnnxRuntime,
    Tract,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PrecisionName {
    Fp32,
    Fp16,
    Bf16,
    Int8,
    Int4,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProviderName {
    #[default]
    Cpu,
    Auto,
    Cuda,
    TensorRt,
    CoreMl,
    DirectMl,
    MiGraphX,
    Rocm,
    OpenVino,
    Xnnpack,
}

/// Whether something is done; by default as the library does it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Switch {
    #[default]
    Default,
    On,
    Off,
}

/// Reads options; an unknown or malformed one is an error that names it.
pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> PyResult<T> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let option = error.path().to_string();
        let option = option.rsplit('.').next().unwrap_or_default();
        let reason = error.inner();
        coded("invalid_option", &format!("option `{option}`: {reason}"))
    })
}

impl Load {
    /// A builder for the model in a folder or, where there is no such folder, for
    /// one of a hub by its id.
    pub(crate) fn builder(self, model: &str) -> EncoderBuilder {
        let folder = PathBuf::from(model);
        let is_id = !folder.is_dir() && model.parse::<HubId>().is_ok();
        let builder = if is_id {
            EncoderBuilder::from_hub(model).with_hub_options(self.hub())
        } else {
            EncoderBuilder::from_dir(folder)
        };
        builder.with_options(self.options())
    }

    fn hub(&self) -> HubOptions {
        let mut options = HubOptions::default();
        options.revision.clone_from(&self.revision);
        options.token.clone_from(&self.token);
        options.endpoint.clone_from(&self.endpoint);
        options.cache_dir.clone_from(&self.hub_cache_dir);
        if matches!(self.offline, Switch::On) {
            options.network = Network::Offline;
        }
        options
    }

    fn options(self) -> LoadOptions {
        let mut options = LoadOptions::default().with_encode_options(self.encode);
        options.engine = match self.engine {
            EngineName::Auto => Engine::Auto,
            EngineName::OnnxRuntime => Engine::OnnxRuntime,
            EngineName::Tract => Engine::Tract,
        };
        options.precision = self.precision.map(|precision| match precision {
            PrecisionName::Fp32 => Precision::Fp32,
            PrecisionName::Fp16 => Precision::Fp16,
            PrecisionName::Bf16 => Precision::Bf16,
            PrecisionName::Int8 => Precision::Int8,
            PrecisionName::Int4 => Precision::Int4,
        });
        options.provider = provider(&self.provider, self.device);
        options.optimization = match (self.optimize, self.measure) {
            (Switch::Off, _) => Optimization::Off,
            (_, Switch::Off) => Optimization::Checked,
            (_, Switch::On) => Optimization::Measured,
            (_, Switch::Default) => Optimization::default(),
        };
        options.cores = self.cores;
        options.sessions = self.sessions;
        options.file = self.file;
        options.cache_dir = self.cache_dir;
        options.library = self.library;
        options
    }
}

fn provider(name: &ProviderName, device: u32) -> Provider {
    let amd = || {
        let mut options = AmdOptions::default();
        options.device = device;
        options
    };
    match name {
        ProviderName::Cpu => Provider::Cpu,
        ProviderName::Auto => Provider::Auto,
        ProviderName::Xnnpack => Provider::Xnnpack,
        ProviderName::CoreMl => Provider::CoreMl(CoreMlOptions::default()),
        ProviderName::OpenVino => Provider::OpenVino(OpenVinoOptions::default()),
        ProviderName::MiGraphX => Provider::MiGraphX(amd()),
        ProviderName::Rocm => Provider::Rocm(amd()),
        ProviderName::Cuda => {
            let mut options = CudaOptions::default();
            options.device = device;
            Provider::Cuda(options)
        }
        ProviderName::TensorRt => {
            let mut options = TensorRtOptions::default();
            options.device = device;
            Provider::TensorRt(options)
        }
        ProviderName::DirectMl => {
            let mut options = DirectMlOptions::default();
            options.device = device;
            Provider::DirectMl(options)
        }
    }
}
