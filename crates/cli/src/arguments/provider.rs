//! Flags that choose the hardware.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use multivec::{
    AmdOptions, ComputeUnits, CoreMlOptions, CudaOptions, DirectMlOptions, Error, OpenVinoOptions,
    Provider, Result, TensorRtOptions, Tf32,
};

#[derive(Args)]
pub(crate) struct ProviderArguments {
    /// Execution provider of ONNX Runtime. One that cannot be used is an error;
    /// `auto` takes the best one that gives the same vectors as the CPU, or
    /// the CPU.
    #[arg(long, default_value = "cpu")]
    provider: ProviderName,
    /// Index of the device; with openvino, its name.
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Maximum device memory, in MiB.
    #[arg(long, value_name = "MIB")]
    device_memory: Option<usize>,
    /// Allow TF32 in matrix products on NVIDIA GPUs.
    #[arg(long)]
    tf32: bool,
    /// Processors of an Apple device that CoreML may use.
    #[arg(long)]
    compute_units: Option<UnitsName>,
    /// Directory in which the provider keeps compiled models.
    #[arg(long, value_name = "DIR")]
    provider_cache: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProviderName {
    Cpu,
    Auto,
    Cuda,
    Tensorrt,
    Coreml,
    Directml,
    Migraphx,
    Rocm,
    Openvino,
    Xnnpack,
}

#[derive(Clone, Copy, ValueEnum)]
enum UnitsName {
    All,
    CpuAndNeuralEngine,
    CpuAndGpu,
    CpuOnly,
}

impl ProviderArguments {
    /// The provider with its options. Refuses flags that it does not have.
    pub(crate) fn provider(&self) -> Result<Provider> {
        let mut given = Given::new(self)?;
        let provider = match self.provider {
            ProviderName::Cpu => Provider::Cpu,
            ProviderName::Auto => Provider::Auto,
            ProviderName::Xnnpack => Provider::Xnnpack,
            ProviderName::Cuda => {
                let mut options = CudaOptions::default();
                options.device = given.index()?;
                options.memory_limit = given.memory.take();
                options.tf32 = given.tf32.take().unwrap_or_default();
                Provider::Cuda(options)
            }
            ProviderName::Tensorrt => {
                let mut options = TensorRtOptions::default();
                options.device = given.index()?;
                options.memory_limit = given.memory.take();
                options.cache_dir = given.cache.take();
                Provider::TensorRt(options)
            }
            ProviderName::Coreml => {
                let mut options = CoreMlOptions::default();
                options.compute_units = given.units.take().unwrap_or_default();
                options.cache_dir = given.cache.take();
                Provider::CoreMl(options)
            }
            ProviderName::Directml => {
                let mut options = DirectMlOptions::default();
                options.device = given.index()?;
                Provider::DirectMl(options)
            }
            ProviderName::Migraphx => Provider::MiGraphX(given.amd()?),
            ProviderName::Rocm => Provider::Rocm(given.amd()?),
            ProviderName::Openvino => {
                let mut options = OpenVinoOptions::default();
                options.device = given.device.take();
                options.cache_dir = given.cache.take();
                Provider::OpenVino(options)
            }
        };
        given.refuse_rest(&provider)?;
        Ok(provider)
    }
}

/// Flags that the provider has not taken yet.
struct Given {
    device: Option<String>,
    memory: Option<usize>,
    tf32: Option<Tf32>,
    units: Option<ComputeUnits>,
    cache: Option<PathBuf>,
}

impl Given {
    fn new(arguments: &ProviderArguments) -> Result<Self> {
        let bytes = |mebibytes: usize| {
            mebibytes
                .checked_mul(1 << 20)
                .filter(|&bytes| bytes > 0)
                .ok_or_else(|| Error::option("device_memory", "1 MiB or more", mebibytes))
        };
        Ok(Self {
            device: arguments.device.clone(),
            memory: arguments.device_memory.map(bytes).transpose()?,
            tf32: arguments.tf32.then_some(Tf32::On),
            units: arguments.compute_units.map(|units| match units {
                UnitsName::All => ComputeUnits::All,
                UnitsName::CpuAndNeuralEngine => ComputeUnits::CpuAndNeuralEngine,
                UnitsName::CpuAndGpu => ComputeUnits::CpuAndGpu,
                UnitsName::CpuOnly => ComputeUnits::CpuOnly,
            }),
            cache: arguments.provider_cache.clone(),
        })
    }

    fn index(&mut self) -> Result<u32> {
        let Some(device) = self.device.take() else {
            return Ok(0);
        };
        let refused = |_| Error::option("device", "the index of a device", &device);
        device.parse().map_err(refused)
    }

    fn amd(&mut self) -> Result<AmdOptions> {
        let mut options = AmdOptions::default();
        options.device = self.index()?;
        options.memory_limit = self.memory.take();
        Ok(options)
    }

    fn refuse_rest(&self, provider: &Provider) -> Result<()> {
        let rest = [
            ("device", self.device.is_some()),
            ("device_memory", self.memory.is_some()),
            ("tf32", self.tf32.is_some()),
            ("compute_units", self.units.is_some()),
            ("provider_cache", self.cache.is_some()),
        ];
        match rest.into_iter().find(|(_, is_left)| *is_left) {
            Some((option, _)) => Err(Error::option(
                option,
                format!("no value with the provider {provider}"),
                "one",
            )),
            None => Ok(()),
        }
    }
}
