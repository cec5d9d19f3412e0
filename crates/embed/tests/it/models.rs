//! Which names are served, by whom, and what is said of those that are not.

use lookalike_embed::catalogue::ModelKind;
use lookalike_embed::{BUILTIN_NAME, ModelError, Models, ModelsConfig};

fn models() -> Models {
    Models::open(ModelsConfig {
        threads: 1,
        ..ModelsConfig::default()
    })
    .unwrap()
}

fn refusal(models: &Models, name: &str, dimension: Option<u32>) -> ModelError {
    models.resolve(name, dimension).err().unwrap()
}

#[test]
fn every_image_model_is_served_in_every_dimension_that_the_stand_in_reaches() {
    let models = models();
    let mut served = 0;
    for status in models
        .list()
        .iter()
        .filter(|status| status.entry.kind == ModelKind::Image)
    {
        assert!(
            status.stand_in && status.label.starts_with("stand-in builtin-imagenet-words"),
            "{status:?}"
        );
        for &dimension in &status.dimensions {
            let model = models.resolve(&status.entry.name, Some(dimension)).unwrap();
            assert_eq!(
                (model.model(), model.dimension()),
                (status.entry.name.as_str(), dimension)
            );
            assert!(model.is_stand_in());
            served += 1;
        }
        let default = models.resolve(&status.entry.name, None).unwrap();
        assert_eq!(default.dimension(), status.entry.default_dimension());
    }
    // Nine CLIP, two proprietary of one dimension each, six of the seven of qwen3-vl-embedding.
    assert_eq!(served, 17);
}

#[test]
fn stand_in_is_labelled_with_its_lift() {
    let models = models();
    let same = models.resolve("clip-vit-b-32", None).unwrap();
    assert_eq!(same.label(), "stand-in builtin-imagenet-words");
    let lifted = models.resolve("multimodal-embedding-v1", None).unwrap();
    assert_eq!(
        lifted.label(),
        "stand-in builtin-imagenet-words, lifted from 512 to 1024 dimensions"
    );
    assert_eq!(lifted.fingerprint(), same.fingerprint());
    assert_eq!(models.builtin().label(), BUILTIN_NAME);
}

#[test]
fn unknown_name_is_refused_with_the_valid_ones() {
    let text = refusal(&models(), "clip-vit-b32", None).to_string();
    assert!(text.contains("\"clip-vit-b32\""), "{text}");
    for name in [
        "clip-vit-b-32",
        "clip-rn50x64",
        "multimodal-embedding-v1",
        "qwen3-vl-embedding",
    ] {
        assert!(text.contains(name), "{text}");
    }
    assert!(text.contains("text-embedding-v3"), "{text}");
    // The built-in encoder is no model of the contract.
    assert!(matches!(
        refusal(&models(), BUILTIN_NAME, None),
        ModelError::Unknown { .. }
    ));
}

#[test]
fn every_text_model_is_served_in_all_its_dimensions_by_the_word_table() {
    let models = models();
    let mut served = 0;
    let list = models.list();
    let texts = list
        .iter()
        .filter(|status| status.entry.kind == ModelKind::Text);
    for status in texts {
        assert!(
            status.stand_in && status.label.starts_with("stand-in builtin-word-table"),
            "{status:?}"
        );
        assert_eq!(status.dimensions, status.entry.dimensions);
        for &dimension in &status.dimensions {
            let model = models
                .resolve_text(&status.entry.name, Some(dimension))
                .unwrap();
            assert_eq!(
                (model.kind(), model.dimension()),
                (ModelKind::Text, dimension)
            );
            served += 1;
        }
    }
    assert_eq!(served, 9);
}

#[test]
fn where_a_text_model_is_wanted_others_are_refused_with_the_text_models() {
    let models = models();
    for name in ["clip-vit-b-32", "no-such-model"] {
        let text = models.resolve_text(name, None).err().unwrap().to_string();
        assert!(
            text.contains("m3e-small") && !text.contains("clip-rn50"),
            "{text}"
        );
    }
}

#[test]
fn dimension_that_the_model_does_not_have_is_refused_with_those_it_has() {
    let error = refusal(&models(), "qwen3-vl-embedding", Some(640));
    assert_eq!(
        error.to_string(),
        "embedding model qwen3-vl-embedding has no dimension 640; it has 2560, 2048, 1536, 1024, 768, 512, 256"
    );
    assert!(matches!(
        refusal(&models(), "clip-vit-b-32", Some(511)),
        ModelError::Dimension { .. }
    ));
}

#[test]
fn dimension_below_the_stand_ins_is_refused_and_not_shortened() {
    let error = refusal(&models(), "qwen3-vl-embedding", Some(256));
    assert!(
        matches!(&error, ModelError::TooSmallForStandIn { possible, .. } if possible == &[2560, 2048, 1536, 1024, 768, 512])
    );
    assert!(
        error
            .to_string()
            .contains("use one of 2560, 2048, 1536, 1024, 768, 512"),
        "{error}"
    );
}
