//! The repo that the demo serves: small, realistic, and the same bytes in every run.

use std::{fmt::Write as _, fs, io, path::Path};

/// The repo's id.
pub(super) const REPO: &str = "acme/tiny-chat";
/// The file that both revisions share.
pub(super) const MODEL: &str = "model.safetensors";
const MODEL_LEN_BYTES: usize = 3 * 1024 * 1024;

/// A revision of the repo and its files.
pub(super) struct Revision {
    pub(super) name: &'static str,
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
}

/// Makes the two revisions. They share the model; the configuration differs.
pub(super) fn revisions() -> [Revision; 2] {
    let files = |context: u32| {
        vec![("config.json", config(context)), (MODEL, model()), ("tokenizer.json", tokenizer())]
    };
    [Revision { name: "main", files: files(2048) }, Revision { name: "v2", files: files(4096) }]
}

/// Writes the revisions as the folders that a server takes.
pub(super) fn write(revisions: &[Revision], root: &Path) -> io::Result<()> {
    for revision in revisions {
        let folder = match revision.name {
            "main" => root.join(REPO),
            name => root.join(format!("{REPO}@{name}")),
        };
        fs::create_dir_all(&folder)?;
        for (name, bytes) in &revision.files {
            fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}

fn config(context: u32) -> Vec<u8> {
    format!(
        "{{\n  \"architectures\": [\"LlamaForCausalLM\"],\n  \"hidden_size\": 512,\n  \
         \"max_position_embeddings\": {context},\n  \"model_type\": \"llama\",\n  \"vocab_size\": 3072\n}}\n"
    )
    .into_bytes()
}

fn tokenizer() -> Vec<u8> {
    let mut text =
        String::from("{\n  \"version\": \"1.0\",\n  \"model\": {\"type\": \"BPE\", \"vocab\": {");
    for id in 0..3072 {
        let comma = if id == 0 { "" } else { "," };
        // Writing to a string can't fail.
        let _ = write!(text, "{comma}\n    \"token{id:04}\": {id}");
    }
    text.push_str("\n  }}\n}\n");
    text.into_bytes()
}

/// One bfloat16 tensor in the safetensors format: the length of the header, the header, the numbers.
fn model() -> Vec<u8> {
    let header = format!(
        "{{\"embed\":{{\"dtype\":\"BF16\",\"shape\":[3072,512],\"data_offsets\":[0,{MODEL_LEN_BYTES}]}}}}"
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    // A xorshift generator: noise that no filesystem compresses, alike in every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..MODEL_LEN_BYTES / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}
