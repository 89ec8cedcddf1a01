//! Names and options of execution providers in ONNX Runtime.

use ort::ep::{
    self, ArbitrarilyConfigurableExecutionProvider as Configurable, ExecutionProviderDispatch,
};

use crate::options::{AmdOptions, ComputeUnits, DirectMlOptions, Provider, Tf32};

/// The name in ONNX Runtime's lists.
pub(super) fn listed_name(provider: &Provider) -> &'static str {
    match provider {
        Provider::Cpu | Provider::Auto => "CPUExecutionProvider",
        Provider::Cuda(_) => "CUDAExecutionProvider",
        Provider::TensorRt(_) => "TensorrtExecutionProvider",
        Provider::CoreMl(_) => "CoreMLExecutionProvider",
        Provider::DirectMl(_) => "DmlExecutionProvider",
        Provider::MiGraphX(_) => "MIGraphXExecutionProvider",
        Provider::Rocm(_) => "ROCMExecutionProvider",
        Provider::OpenVino(_) => "OpenVINOExecutionProvider",
        Provider::Xnnpack => "XnnpackExecutionProvider",
    }
}

/// Options by ONNX Runtime's names for them.
///
/// Source: ONNX Runtime, docs/execution-providers, a page for each.
fn settings(provider: &Provider, threads: usize) -> Vec<(&'static str, String)> {
    let mut settings = Vec::new();
    let mut set = |key, value: Option<String>| {
        settings.extend(value.map(|value| (key, value)));
    };
    let text = |number: Option<usize>| number.map(|number| number.to_string());
    let folder = |path: &Option<std::path::PathBuf>| {
        path.as_ref()
            .map(|path| path.to_string_lossy().into_owned())
    };
    match provider {
        // `ort` passes the options of the last two as structs.
        Provider::Cpu | Provider::Auto | Provider::DirectMl(_) | Provider::MiGraphX(_) => {}
        Provider::Cuda(options) => {
            set("device_id", Some(options.device.to_string()));
            set("gpu_mem_limit", text(options.memory_limit));
            let tf32 = match options.tf32 {
                Tf32::Off => "0",
                Tf32::On => "1",
            };
            set("use_tf32", Some(tf32.to_owned()));
            // By default the arena doubles, and may exceed the limit.
            let exact = options.memory_limit.map(|_| "kSameAsRequested".to_owned());
            set("arena_extend_strategy", exact);
        }
        Provider::TensorRt(options) => {
            set("device_id", Some(options.device.to_string()));
            set("trt_max_workspace_size", text(options.memory_limit));
            let cache = folder(&options.cache_dir);
            set(
                "trt_engine_cache_enable",
                cache.as_ref().map(|_| "1".to_owned()),
            );
            set("trt_engine_cache_path", cache.clone());
            set(
                "trt_timing_cache_enable",
                cache.as_ref().map(|_| "1".to_owned()),
            );
            set("trt_timing_cache_path", cache);
        }
        Provider::CoreMl(options) => {
            let units = match options.compute_units {
                ComputeUnits::All => "ALL",
                ComputeUnits::CpuAndNeuralEngine => "CPUAndNeuralEngine",
                ComputeUnits::CpuAndGpu => "CPUAndGPU",
                ComputeUnits::CpuOnly => "CPUOnly",
            };
            // The older format supports few of an encoder's operators.
            set("ModelFormat", Some("MLProgram".to_owned()));
            set("MLComputeUnits", Some(units.to_owned()));
            set("ModelCacheDirectory", folder(&options.cache_dir));
        }
        Provider::Rocm(options) => {
            set("device_id", Some(options.device.to_string()));
            set("gpu_mem_limit", text(options.memory_limit));
        }
        Provider::OpenVino(options) => {
            set("device_type", options.device.clone());
            set("cache_dir", folder(&options.cache_dir));
        }
        Provider::Xnnpack => set("intra_op_num_threads", Some(threads.to_string())),
    }
    settings
}

/// ONNX Runtime refuses devices that do not exist.
fn device(position: u32) -> i32 {
    i32::try_from(position).unwrap_or(i32::MAX)
}

fn direct_ml(options: &DirectMlOptions) -> ep::DirectML {
    ep::DirectML::default().with_device_id(device(options.device))
}

fn mi_graphx(options: &AmdOptions) -> ep::MIGraphX {
    let provider = ep::MIGraphX::default().with_device_id(device(options.device));
    match options.memory_limit {
        Some(limit) => provider.with_mem_limit(limit),
        None => provider,
    }
}

fn configured<P: Configurable>(provider: P, settings: Vec<(&'static str, String)>) -> P {
    settings
        .into_iter()
        .fold(provider, |provider, (key, value)| {
            provider.with_arbitrary_config(key, value)
        })
}

/// The providers to register with a session, the preferred one first; none for
/// the CPU.
pub(super) fn dispatches(provider: &Provider, threads: usize) -> Vec<ExecutionProviderDispatch> {
    let settings = settings(provider, threads);
    match provider {
        Provider::Cpu | Provider::Auto => Vec::new(),
        Provider::Cuda(_) => vec![configured(ep::CUDA::default(), settings).build()],
        // Operators that TensorRT lacks run on the same device.
        Provider::TensorRt(options) => vec![
            configured(ep::TensorRT::default(), settings).build(),
            ep::CUDA::default()
                .with_device_id(device(options.device))
                .with_tf32(false)
                .build(),
        ],
        Provider::CoreMl(_) => vec![configured(ep::CoreML::default(), settings).build()],
        Provider::DirectMl(options) => vec![direct_ml(options).build()],
        Provider::MiGraphX(options) => vec![mi_graphx(options).build()],
        Provider::Rocm(_) => vec![configured(ep::ROCm::default(), settings).build()],
        Provider::OpenVino(_) => vec![configured(ep::OpenVINO::default(), settings).build()],
        Provider::Xnnpack => vec![configured(ep::XNNPACK::default(), settings).build()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{CoreMlOptions, CudaOptions, OpenVinoOptions, TensorRtOptions};

    fn check_settings(provider: &Provider, expected: &[(&str, &str)]) {
        let found = settings(provider, 3);
        let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (*key, &**value)).collect();
        assert_eq!(found, expected, "{provider}");
        let dispatches = dispatches(provider, 3);
        let first = dispatches.first().map(|dispatch| dispatch.name());
        assert_eq!(first, Some(listed_name(provider)));
    }

    #[test]
    fn options_have_onnx_runtimes_names() {
        check_settings(
            &Provider::Cuda(CudaOptions::default()),
            &[("device_id", "0"), ("use_tf32", "0")],
        );
        let options = CudaOptions {
            device: 2,
            memory_limit: Some(1 << 30),
            tf32: Tf32::On,
        };
        check_settings(
            &Provider::Cuda(options),
            &[
                ("device_id", "2"),
                ("gpu_mem_limit", "1073741824"),
                ("use_tf32", "1"),
                ("arena_extend_strategy", "kSameAsRequested"),
            ],
        );
        let options = TensorRtOptions {
            device: 1,
            memory_limit: Some(1000),
            cache_dir: Some("engines".into()),
        };
        check_settings(
            &Provider::TensorRt(options),
            &[
                ("device_id", "1"),
                ("trt_max_workspace_size", "1000"),
                ("trt_engine_cache_enable", "1"),
                ("trt_engine_cache_path", "engines"),
                ("trt_timing_cache_enable", "1"),
                ("trt_timing_cache_path", "engines"),
            ],
        );
        check_settings(
            &Provider::Rocm(AmdOptions {
                device: 1,
                memory_limit: Some(1000),
            }),
            &[("device_id", "1"), ("gpu_mem_limit", "1000")],
        );
        check_settings(&Provider::Xnnpack, &[("intra_op_num_threads", "3")]);
    }

    #[test]
    fn unset_options_keep_the_providers_defaults() {
        check_settings(
            &Provider::TensorRt(TensorRtOptions::default()),
            &[("device_id", "0")],
        );
        check_settings(&Provider::OpenVino(OpenVinoOptions::default()), &[]);
        let options = OpenVinoOptions {
            device: Some("GPU.1".to_owned()),
            cache_dir: Some("blobs".into()),
        };
        check_settings(
            &Provider::OpenVino(options),
            &[("device_type", "GPU.1"), ("cache_dir", "blobs")],
        );
    }

    #[test]
    fn core_ml_gets_its_compute_units() {
        for (compute_units, name) in [
            (ComputeUnits::All, "ALL"),
            (ComputeUnits::CpuAndNeuralEngine, "CPUAndNeuralEngine"),
            (ComputeUnits::CpuAndGpu, "CPUAndGPU"),
            (ComputeUnits::CpuOnly, "CPUOnly"),
        ] {
            let options = CoreMlOptions {
                compute_units,
                cache_dir: Some("compiled".into()),
            };
            check_settings(
                &Provider::CoreMl(options),
                &[
                    ("ModelFormat", "MLProgram"),
                    ("MLComputeUnits", name),
                    ("ModelCacheDirectory", "compiled"),
                ],
            );
        }
    }

    #[test]
    fn options_that_are_passed_as_structs() {
        check_settings(&Provider::DirectMl(DirectMlOptions { device: 2 }), &[]);
        let found = format!("{:?}", direct_ml(&DirectMlOptions { device: 2 }));
        assert!(found.contains("device_id: Some(2)"), "{found}");
        let options = AmdOptions {
            device: 2,
            memory_limit: Some(1000),
        };
        check_settings(&Provider::MiGraphX(options.clone()), &[]);
        let found = format!("{:?}", mi_graphx(&options));
        assert!(found.contains("device_id: 2"), "{found}");
        assert!(found.contains("memory_limit: 1000"), "{found}");
    }

    #[test]
    fn operators_that_tensorrt_lacks_run_on_cuda() {
        let provider = Provider::TensorRt(TensorRtOptions::default());
        let names: Vec<_> = dispatches(&provider, 1)
            .iter()
            .map(|dispatch| dispatch.name())
            .collect();
        assert_eq!(
            names,
            ["TensorrtExecutionProvider", "CUDAExecutionProvider"]
        );
    }
}
