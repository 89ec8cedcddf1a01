//! Which files are downloaded, and where they end up.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use multivec::hub::{HubOptions, pull};
use multivec::{EncoderBuilder, LoadOptions, Precision};
use multivec_graph::onnx::TensorProto;
use multivec_graph::{Bytes, Graph, WeightsWriter, tensor_bytes};
use multivec_testing::folders::fixture;
use multivec_testing::hub::{Origin, Repository};

use crate::support::{FILES, ID, Setting, WEIGHTS, build, files, from_dir, repository};

const TEXTS: [&str; 2] = [
    "Bees make honey.",
    "The Moon causes the tides, twice a day.",
];

#[test]
fn an_id_loads_what_a_folder_loads() {
    let setting = Setting::with(repository().with_token("hf_secret"));
    let options = setting.options().with_token("hf_secret");
    let builder = EncoderBuilder::from_hub(ID).with_hub_options(options);
    let encoder = build(builder).expect("the model loads");
    let expected = from_dir(&fixture("hub/mv-pylate-bert"));
    assert_eq!(
        encoder.encode_documents(&TEXTS).expect("texts encode"),
        expected.encode_documents(&TEXTS).expect("texts encode")
    );
    assert_eq!(encoder.fingerprint(), expected.fingerprint());
    let commit = repository().hash("main");
    let origin = format!("{ID}@{commit}");
    assert_eq!(
        (encoder.origin(), expected.origin()),
        (Some(&*origin), None)
    );

    // Only what it needs, and each file once.
    let snapshot = setting.folder().join("snapshots").join(&commit);
    assert_eq!(files(&snapshot), FILES);
    let seen = setting.hub.take_seen();
    let gets = seen
        .iter()
        .filter(|seen| seen.line.starts_with("GET /org/"));
    assert_eq!(gets.count(), FILES.len());
    // The token goes to the hub alone.
    assert!(seen.iter().any(|seen| seen.origin == Origin::Storage));
    for seen in seen {
        let expected = (seen.origin == Origin::Hub).then(|| "Bearer hf_secret".to_owned());
        assert_eq!(seen.authorization, expected, "{}", seen.line);
    }
    let got: Vec<String> = FILES.iter().map(|file| format!("got {file}")).collect();
    let mut heard = setting.heard();
    heard.dedup();
    assert_eq!(heard, got);
}

#[test]
fn the_cache_is_laid_out_as_others_do() {
    let setting = Setting::new();
    let model = setting.pull().expect("it is downloaded");
    assert_eq!(model.commit, repository().hash("main"));
    assert_eq!(model.origin, format!("{ID}@{}", model.commit));
    let read = |path: &str| fs::read_to_string(setting.folder().join(path)).expect("it is there");
    assert_eq!(read("refs/main"), model.commit);
    let weights = model.directory.root().join(WEIGHTS);
    let content = fs::read(&weights).expect("it is there");
    let etag = multivec_testing::hub::sha256(&content);
    #[cfg(unix)]
    {
        let target = fs::read_link(&weights).expect("a link");
        assert_eq!(target.to_str(), Some(&*format!("../../blobs/{etag}")));
        let target =
            fs::read_link(model.directory.root().join("1_Dense/config.json")).expect("a link");
        assert!(target.starts_with("../../../blobs"), "{}", target.display());
    }
    assert_eq!(
        fs::read(setting.folder().join("blobs").join(etag)).expect("a blob"),
        content
    );
    let blobs = files(&setting.folder().join("blobs"));
    assert_eq!(blobs.len(), FILES.len(), "{blobs:?}");
    from_dir(model.directory.root());
}

#[test]
fn a_precision_is_all_that_is_downloaded() {
    let setting = Setting::with(Repository::new(ID).with_folder("main", &fixture("tiny-bert")));
    let names = |precision| {
        let mut options = LoadOptions::default();
        options.precision = precision;
        let model = pull(ID, &setting.options(), &options).expect("it is downloaded");
        let mut names = files(model.directory.root());
        names.retain(|name| name.ends_with(".onnx"));
        names
    };
    assert_eq!(names(None), ["model_int8.onnx"]);
    assert_eq!(
        names(Some(Precision::Fp32)),
        ["model.onnx", "model_int8.onnx"]
    );
}

/// A graph, its external weights in a file of another name, and files that are
/// none of a model's.
fn externalized() -> BTreeMap<String, Vec<u8>> {
    let read = |name: &str| fs::read(fixture("tiny-bert").join(name)).expect("it is there");
    let mut graph = Graph::parse("graph", read("model.onnx").into()).expect("a graph");
    let mut writer = WeightsWriter::new("the weights.bin", Vec::new());
    let in_graph =
        |_: &TensorProto| -> multivec_graph::Result<Bytes> { panic!("none is external") };
    for tensor in &mut graph.proto_mut().initializer {
        let bytes = tensor_bytes(tensor, &in_graph).expect("bytes");
        if bytes.len() >= 64 && tensor.raw_data.is_some() {
            writer.add(tensor, &bytes).expect("memory can be written");
        }
    }
    let mut files = BTreeMap::from(
        ["onnx_config.json", "tokenizer.json"].map(|name| (name.to_owned(), read(name))),
    );
    files.insert("onnx/model.onnx".to_owned(), graph.into_bytes());
    files.insert("onnx/the weights.bin".to_owned(), writer.into_inner());
    files.insert("onnx/other.bin".to_owned(), vec![0; 100]);
    files.insert("README.md".to_owned(), b"text".to_vec());
    files
}

#[test]
fn external_weights_come_along() {
    let setting = Setting::with(Repository::new(ID).with_commit("main", externalized()));
    let builder = EncoderBuilder::from_hub(ID).with_hub_options(setting.options());
    let encoder = build(builder).expect("the model loads");
    let inside =
        build(EncoderBuilder::from_dir(fixture("tiny-bert")).with_precision(Precision::Fp32));
    assert_eq!(
        encoder.encode_documents(&TEXTS).expect("texts encode"),
        inside
            .expect("it loads")
            .encode_documents(&TEXTS)
            .expect("texts encode")
    );
    let snapshots = files(&setting.folder().join("snapshots"));
    let names: Vec<&str> = snapshots
        .iter()
        .filter_map(|path| Some(path.split_once('/')?.1))
        .collect();
    let expected = [
        "onnx/model.onnx",
        "onnx/the weights.bin",
        "onnx_config.json",
        "tokenizer.json",
    ];
    assert_eq!(names, expected);
}

#[test]
fn shards_come_along() {
    let folder = fixture("hub/mv-pylate-bert");
    let read = |name: &str| fs::read(folder.join(name)).expect("it is there");
    let mut content: BTreeMap<String, Vec<u8>> = FILES
        .iter()
        .map(|name| ((*name).to_owned(), read(name)))
        .collect();
    let weights = content.remove(WEIGHTS).expect("it is there");
    let tensors = safetensors::SafeTensors::deserialize(&weights).expect("tensors");
    let (mut map, mut shards) = (serde_json::Map::new(), [Vec::new(), Vec::new()]);
    for (at, (name, view)) in tensors.tensors().into_iter().enumerate() {
        map.insert(name.clone(), format!("model-{}.safetensors", at % 2).into());
        shards[at % 2].push((name, view));
    }
    for (at, shard) in shards.into_iter().enumerate() {
        let bytes = safetensors::serialize(shard, None).expect("it is written");
        content.insert(format!("model-{at}.safetensors"), bytes);
    }
    let index = serde_json::json!({ "weight_map": map })
        .to_string()
        .into_bytes();
    content.insert("model.safetensors.index.json".to_owned(), index);
    let setting = Setting::with(Repository::new(ID).with_commit("main", content));
    let builder = EncoderBuilder::from_hub(ID).with_hub_options(setting.options());
    let encoder = build(builder).expect("the model loads");
    assert_eq!(
        encoder.encode_documents(&TEXTS).expect("texts encode"),
        from_dir(&folder)
            .encode_documents(&TEXTS)
            .expect("texts encode")
    );
}

#[test]
fn revisions_are_pinned() {
    let folder = fixture("hub/mv-pylate-bert");
    let older = fixture("hub/mv-st-bert-plain");
    let repository = || {
        Repository::new(ID)
            .with_folder("main", &folder)
            .with_folder("refs/pr/1", &older)
    };
    let setting = Setting::with(repository());
    let commit = repository().hash("refs/pr/1");
    let by_name = setting.options().with_revision("refs/pr/1");
    let by_name = pull(ID, &by_name, &LoadOptions::default()).expect("it is downloaded");
    assert_eq!(by_name.commit, commit);
    let main = setting.pull().expect("it is downloaded");
    assert_eq!(main.commit, repository().hash("main"));
    setting.hub.take_seen();

    // A commit that is there is not asked for.
    let builder = EncoderBuilder::from_hub(format!("{ID}@{commit}"));
    let encoder = build(builder.with_hub_options(setting.options())).expect("it loads");
    assert_eq!(encoder.origin(), Some(&*by_name.origin));
    let builder = EncoderBuilder::from_hub(ID).with_hub_options(setting.options());
    build(builder.with_revision(commit)).expect("it loads");
    assert_eq!(setting.hub.take_seen(), []);
    assert_eq!(
        fs::read_to_string(setting.folder().join("refs/refs/pr/1")).expect("a reference"),
        by_name.commit
    );
}

#[test]
fn many_at_once_download_once() {
    let setting = Setting::new();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| setting.pull().expect("it is downloaded"));
        }
    });
    let stored = setting.seen(Origin::Storage);
    // The weights, the projection, the tokenizer.
    assert_eq!(stored.len(), 3, "{stored:?}");
    from_dir(setting.pull().expect("it is there").directory.root());
}

#[test]
fn options_of_hubs_are_for_ids() {
    let builder = EncoderBuilder::from_dir(fixture("tiny-bert")).with_revision("main");
    let error = builder.build().expect_err("a folder has no revision");
    assert_eq!(error.code(), "invalid_option");
    let options = HubOptions::default().with_revision("v1");
    let error = pull("org/name@v2", &options, &LoadOptions::default()).expect_err("two revisions");
    assert!(
        error
            .to_string()
            .contains("`v2`, as the id says, found `v1`"),
        "{error}"
    );
}
