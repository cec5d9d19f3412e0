"""Makes the small CLIP checkpoints and records what PyTorch and transformers answer.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python make.py

Writes, beside this file, two folders in the Hugging Face layout and a golden.json in each. The weights are random, seeded, and
scaled so that layers, attention and activation all leave their mark on the result; nothing of any published model is in them.
Rerun it only to change a checkpoint: random streams differ between versions of PyTorch.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

HERE = Path(__file__).parent

# A corpus of our own, only to give the tokenizer some merges.
CORPUS = """
a photo of a dog on a beach, two dogs running in the snow, a red car parked in front of a house, people at a market
buying fruit, a bicycle leaning against a wall, the kitchen of an old house, a plate of food on a wooden table, a boat on the
lake at sunset, mountains and trees under a blue sky, a child holding a yellow umbrella, black and white cats sleeping
"""

TEXTS = [
    "a photo of a dog",
    "",
    "A Red CAR, parked   in front of the house!",
    "naïve café — 東京 🐕",
    "dog",
    "two dogs running in the snow " * 30,
    "0123456789 don't can't won't it's",
]

CHECKPOINTS = {
    # Like OpenAI's: quick_gelu, the legacy end-of-text id 2, patches of 32; stored in f16, and served as clip-vit-b-32 by a test.
    "quick-gelu-f16": dict(
        seed=1, dtype=torch.float16, legacy=True, projection=512, act="quick_gelu", positions=77,
        text=dict(hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4),
        vision=dict(hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=2, image_size=224, patch_size=32),
    ),
    # Like LAION's: gelu, a real end-of-text id, other sizes throughout; stored in bf16 as some newer ones are.
    "gelu-bf16": dict(
        seed=2, dtype=torch.bfloat16, legacy=False, projection=24, act="gelu", positions=77,
        text=dict(hidden_size=48, intermediate_size=112, num_hidden_layers=2, num_attention_heads=8),
        vision=dict(hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, image_size=80, patch_size=16),
    ),
    # Plain f32, and few positions, so that the cut is another than 77.
    "gelu-f32": dict(
        seed=3, dtype=torch.float32, legacy=True, projection=40, act="gelu", positions=20,
        text=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2),
        vision=dict(hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=64, patch_size=16),
    ),
}


def make_tokenizer(path: Path) -> Tokenizer:
    """CLIP's own pipeline (byte-level BPE, '</w>' at word ends) over a vocabulary of a few hundred tokens."""
    tokenizer = Tokenizer(models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = Regex(r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+""")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, end_of_word_suffix="</w>", initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS.strip().splitlines(), trainer)
    # CLIP's vocabulary has every byte with and without '</w>', and its two special tokens at the end.
    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    for byte in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary.setdefault(byte + "</w>", len(vocabulary))
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    start, end = (tokenizer.token_to_id(special) for special in ("<|startoftext|>", "<|endoftext|>"))
    assert end == tokenizer.get_vocab_size() - 1
    tokenizer.post_processor = processors.RobertaProcessing(
        sep=("<|endoftext|>", end), cls_token=("<|startoftext|>", start), trim_offsets=False, add_prefix_space=False
    )
    tokenizer.save(str(path), pretty=False)
    return tokenizer


def make_pictures() -> dict[str, Image.Image]:
    """Smooth waves and hard edges, wider, taller, smaller and larger than the models' input."""
    def waves(width, height, seed):
        random = np.random.default_rng(seed)
        y, x = np.mgrid[0:height, 0:width]
        planes = [
            127 + 127 * np.sin(x * random.uniform(0.02, 0.3) + y * random.uniform(0.02, 0.3) + random.uniform(0, 6)) for _ in range(3)
        ]
        picture = np.stack(planes, -1)
        picture[height // 3 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 3)
        return Image.fromarray(picture.round().astype(np.uint8))

    return {
        "wide.png": waves(150, 100, 1),
        "tall.png": waves(61, 97, 2),
        "small.png": waves(20, 24, 3),
        "square.png": waves(128, 128, 4),
    }


def make_checkpoint(name: str, recipe: dict, pictures: dict[str, Image.Image]) -> None:
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    tokenizer = make_tokenizer(folder / "tokenizer.json")
    start, end = (tokenizer.token_to_id(special) for special in ("<|startoftext|>", "<|endoftext|>"))
    config = CLIPConfig(
        projection_dim=recipe["projection"],
        text_config=dict(
            recipe["text"], vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=recipe["positions"], hidden_act=recipe["act"],
            bos_token_id=start, eos_token_id=2 if recipe["legacy"] else end, projection_dim=recipe["projection"],
        ),
        vision_config=dict(recipe["vision"], hidden_act=recipe["act"], projection_dim=recipe["projection"]),
    )
    torch.manual_seed(recipe["seed"])
    model = CLIPModel(config).eval()
    with torch.no_grad():
        for key, value in model.named_parameters():
            # transformers starts far too tame for two or three layers to show: a wrong one would pass unnoticed.
            if value.ndim >= 2:
                fan_in = value[0].numel() if "embedding" not in key or "patch" in key else value.shape[-1]
                value.normal_(0, 1.5 / fan_in**0.5)
            elif key.endswith("class_embedding"):
                value.normal_(0, 0.2)
            elif "norm" in key or "layrnorm" in key:
                value.copy_(1 + 0.2 * torch.randn_like(value) if key.endswith("weight") else 0.2 * torch.randn_like(value))
            elif key.endswith("bias"):
                value.normal_(0, 0.2)
        # What is stored is what is compared with: rounding belongs to the checkpoint, not to the arithmetic.
        model.to(recipe["dtype"])
        model.save_pretrained(folder, safe_serialization=True)
        (folder / "generation_config.json").unlink(missing_ok=True)
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()

        side = recipe["vision"]["image_size"]
        processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
        processor.save_pretrained(folder)

        tokenizer.enable_truncation(recipe["positions"])
        golden = {"texts": [], "images": []}
        for text in TEXTS:
            ids = tokenizer.encode(text).ids
            vector = features(model.get_text_features(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)))
            golden["texts"].append({"text": text, "ids": ids, "embedding": vector})
        for file, picture in pictures.items():
            pixels = processor(images=picture, return_tensors="pt")["pixel_values"]
            vector = features(model.get_image_features(pixel_values=pixels))
            golden["images"].append({"file": file, "embedding": vector})
    (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n")
    print(name, sum(file.stat().st_size for file in folder.iterdir()), "bytes")


def features(output) -> list[float]:
    """The projected vector at unit length; transformers 5 wraps it."""
    vector = output if torch.is_tensor(output) else output.pooler_output
    vector = torch.nn.functional.normalize(vector[0], dim=-1)
    return [round(float(x), 7) for x in vector]


def main() -> None:
    torch.set_num_threads(1)
    pictures = make_pictures()
    for file, picture in pictures.items():
        picture.save(HERE / file)
    for name, recipe in CHECKPOINTS.items():
        make_checkpoint(name, recipe, pictures)


if __name__ == "__main__":
    main()
