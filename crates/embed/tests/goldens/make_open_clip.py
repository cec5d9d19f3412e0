"""Makes small checkpoints in open_clip's layout and records what open_clip answers.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python make_open_clip.py

Beside this file: a vision transformer in safetensors, one in PyTorch's own format with the text tower under a name of its own
(`CustomTextCLIP`), and a ResNet. The weights are random and seeded; nothing of any published model is in them. The pictures and
the tokenizer are those of make.py.
"""

import json
from pathlib import Path

import open_clip
import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transform import image_transform
from PIL import Image
from safetensors.torch import save_file

from make import TEXTS, features, make_tokenizer

HERE = Path(__file__).parent
PICTURES = ["wide.png", "tall.png", "small.png", "square.png"]
MEAN, STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD

CHECKPOINTS = {
    "open-clip-vit": dict(
        seed=11, kind=CLIP, file="open_clip_model.safetensors", positions=77,
        model_cfg=dict(
            embed_dim=24, quick_gelu=True,
            vision_cfg=dict(image_size=80, layers=3, width=64, head_width=16, patch_size=16, mlp_ratio=2.0),
            text_cfg=dict(context_length=77, width=48, heads=4, layers=2),
        ),
    ),
    "open-clip-pickle": dict(
        seed=12, kind=CustomTextCLIP, file="open_clip_pytorch_model.bin", positions=20,
        model_cfg=dict(
            embed_dim=40, custom_text=True,
            vision_cfg=dict(image_size=64, layers=2, width=64, patch_size=32),
            text_cfg=dict(context_length=20, width=32, heads=2, layers=2),
        ),
    ),
    "open-clip-resnet": dict(
        seed=13, kind=CLIP, file="open_clip_model.safetensors", positions=77,
        model_cfg=dict(
            embed_dim=32, quick_gelu=True,
            vision_cfg=dict(image_size=96, layers=[2, 1, 2, 1], width=8, patch_size=None),
            text_cfg=dict(context_length=77, width=32, heads=4, layers=2),
        ),
    ),
}


def randomise(model: torch.nn.Module) -> None:
    """Weights that let every part leave its mark; batch norms that are far from doing nothing."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("logit_scale"):
                continue
            if "embedding" in name and value.ndim <= 2:
                value.normal_(0, 0.3)
            elif value.ndim >= 2:
                value.normal_(0, 1.5 / value[0].numel() ** 0.5)
            elif ".bn" in name or "downsample.1" in name or "ln_" in name:
                value.copy_((1 if name.endswith("weight") else 0) + 0.2 * torch.randn_like(value))
            else:
                value.normal_(0, 0.2)
        for name, value in model.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(0, 0.3)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)


def make_checkpoint(name: str, recipe: dict) -> None:
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    tokenizer = make_tokenizer(folder / "tokenizer.json")
    model_cfg = json.loads(json.dumps(recipe["model_cfg"]))
    model_cfg["text_cfg"]["vocab_size"] = tokenizer.get_vocab_size()
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model_cfg, "preprocess_cfg": {"mean": MEAN, "std": STD}}, indent=2) + "\n"
    )
    arguments = {key: value for key, value in model_cfg.items() if key != "custom_text"}
    torch.manual_seed(recipe["seed"])
    model = recipe["kind"](**arguments).eval()
    randomise(model)
    # What is stored is what is compared with: rounding belongs to the checkpoint, not to the arithmetic.
    stored = {key: value.half().contiguous() for key, value in model.state_dict().items() if value.dtype == torch.float32}
    if recipe["file"].endswith(".bin"):
        torch.save(stored, folder / recipe["file"])
    else:
        save_file(stored, folder / recipe["file"])
    model.load_state_dict({key: value.float() for key, value in stored.items()}, strict=False)

    transform = image_transform(model_cfg["vision_cfg"]["image_size"], is_train=False, mean=MEAN, std=STD)
    tokenizer.enable_truncation(recipe["positions"])
    golden = {"texts": [], "images": []}
    with torch.no_grad():
        for text in TEXTS:
            ids = tokenizer.encode(text).ids
            padded = torch.zeros(1, recipe["positions"], dtype=torch.long)
            padded[0, : len(ids)] = torch.tensor(ids)
            golden["texts"].append({"text": text, "ids": ids, "embedding": features(model.encode_text(padded))})
        for file in PICTURES:
            pixels = transform(Image.open(HERE / file))[None]
            golden["images"].append({"file": file, "embedding": features(model.encode_image(pixels))})
    (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n")
    print(name, sum(file.stat().st_size for file in folder.iterdir()), "bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, recipe in CHECKPOINTS.items():
        make_checkpoint(name, recipe)
