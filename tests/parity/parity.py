"""Full-size CLIPs with random weights: what the program answers beside what transformers and open_clip answer.

    cargo xtask parity                       # every architecture
    cargo xtask parity -- vit-b-32 rn50      # some of them

For each architecture a checkpoint is made in a temporary folder and removed again (up to 2.5 GB each), `lookalike embed` embeds pictures and texts in every
precision, and the worst cosine over all of them is printed as a line of JSON. f32 must reach 0.99999 and bf16 0.9995; int8 is reported only, because
random weights say nothing about it. Pictures are PNGs: how JPEGs are decoded is tested elsewhere.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "crates/embed/tests/goldens"))
from make import make_tokenizer  # noqa: E402

LEAST = {"f32": 0.99999, "bf16": 0.9995, "int8": None}
TEXTS = ["a photo of a dog", "", "two red cars parked in front of an old house near the lake " * 6, "naïve café 東京"]
VIT = {
    "vit-b-32": (224, 32, 768, 12, 12, 512, 8, 512),
    "vit-b-16": (224, 16, 768, 12, 12, 512, 8, 512),
    "vit-l-14": (224, 14, 1024, 24, 16, 768, 12, 768),
    "vit-l-14-336": (336, 14, 1024, 24, 16, 768, 12, 768),
}
OPEN_CLIP = {
    "laion-vit-b-32": "ViT-B-32",
    "rn50": "RN50-quickgelu",
    "rn101": "RN101-quickgelu",
    "rn50x4": "RN50x4-quickgelu",
    "rn50x16": "RN50x16-quickgelu",
    "rn50x64": "RN50x64-quickgelu",
}


def pictures(folder: Path) -> list[Path]:
    """Waves, edges and noise, wider and taller than any model's input."""
    paths = []
    for index, (width, height) in enumerate([(640, 480), (500, 700), (448, 448)]):
        random = np.random.default_rng(index)
        y, x = np.mgrid[0:height, 0:width]
        planes = [127 + 120 * np.sin(x * random.uniform(0.01, 0.2) + y * random.uniform(0.01, 0.2)) for _ in range(3)]
        picture = np.stack(planes, -1) + random.normal(0, 8, (height, width, 3))
        picture[height // 3 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 3)
        path = folder / f"{index}.png"
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
        paths.append(path)
    return paths


def unit(output) -> np.ndarray:
    vector = output if torch.is_tensor(output) else output.pooler_output
    return torch.nn.functional.normalize(vector[0].float(), dim=-1).numpy()


def transformers_model(name: str, folder: Path, tokenizer):
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    side, patch, hidden, layers, heads, text_hidden, text_heads, dimension = VIT[name]
    start, end = (tokenizer.token_to_id(token) for token in ("<|startoftext|>", "<|endoftext|>"))
    config = CLIPConfig(
        projection_dim=dimension,
        text_config=dict(
            hidden_size=text_hidden, intermediate_size=4 * text_hidden, num_hidden_layers=12, num_attention_heads=text_heads,
            vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=77, bos_token_id=start, eos_token_id=2, projection_dim=dimension,
        ),
        vision_config=dict(
            hidden_size=hidden, intermediate_size=4 * hidden, num_hidden_layers=layers, num_attention_heads=heads, image_size=side, patch_size=patch,
            projection_dim=dimension,
        ),
    )
    model = CLIPModel(config).eval()
    model.save_pretrained(folder, safe_serialization=True)
    processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    processor.save_pretrained(folder)

    def image(path: Path):
        return unit(model.get_image_features(pixel_values=processor(images=Image.open(path), return_tensors="pt")["pixel_values"]))

    def text(ids: list[int]):
        ids = torch.tensor([ids])
        return unit(model.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids)))

    return image, text


def open_clip_model(name: str, folder: Path, tokenizer):
    import open_clip
    from open_clip.transform import image_transform
    from safetensors.torch import save_file

    config = open_clip.get_model_config(OPEN_CLIP[name])
    config["text_cfg"]["vocab_size"] = tokenizer.get_vocab_size()
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    model = open_clip.model.CLIP(**config).eval()
    for key, value in model.named_buffers():
        # Fresh batch norms do nothing: these do something.
        if key.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    for key, value in model.named_parameters():
        # The last norm of a block starts at zero, which would leave the block out.
        if key.endswith("bn3.weight"):
            value.data.uniform_(0.3, 0.7)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    cfg = {"model_cfg": config, "preprocess_cfg": {"mean": mean, "std": std}}
    (folder / "open_clip_config.json").write_text(json.dumps(cfg))
    transform = image_transform(config["vision_cfg"]["image_size"], is_train=False, mean=mean, std=std)

    def image(path: Path):
        return unit(model.encode_image(transform(Image.open(path))[None]))

    def text(ids: list[int]):
        padded = torch.zeros(1, 77, dtype=torch.long)
        padded[0, : len(ids)] = torch.tensor(ids)
        return unit(model.encode_text(padded))

    return image, text


def embed(binary: str, folder: Path, images: list[Path], precision: str) -> list[np.ndarray]:
    command = [binary, "embed", "--model", str(folder), "--precision", precision]
    command += [part for text in TEXTS for part in ("--text", text)]
    command += [part for path in images for part in ("--image", str(path))]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [np.array(json.loads(line)["vector"]) for line in lines]


def compare(binary: str, name: str, precisions: list[str], work: Path, images: list[Path]) -> bool:
    with tempfile.TemporaryDirectory(dir=work) as folder:
        folder = Path(folder)
        tokenizer = make_tokenizer(folder / "tokenizer.json")
        tokenizer.enable_truncation(77)
        torch.manual_seed(7)
        make = transformers_model if name in VIT else open_clip_model
        with torch.no_grad():
            image, text = make(name, folder, tokenizer)
            expected = [text(tokenizer.encode(written).ids) for written in TEXTS] + [image(path) for path in images]
        passed = True
        for precision in precisions:
            found = embed(binary, folder, images, precision)
            cosines = [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in zip(found, expected, strict=True)]
            least = LEAST[precision]
            fine = least is None or min(cosines) >= least
            passed &= fine
            worst = {"text": round(min(cosines[: len(TEXTS)]), 7), "image": round(min(cosines[len(TEXTS) :]), 7)}
            print(json.dumps({"model": name, "precision": precision, "worst_cosine": worst, "least": least, "passed": fine}), flush=True)
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join([*VIT, *OPEN_CLIP])}; all of them without any")
    parser.add_argument("--precision", default="f32,bf16,int8")
    arguments = parser.parse_args()
    names = arguments.models or [*VIT, *OPEN_CLIP]
    for name in names:
        if name not in VIT and name not in OPEN_CLIP:
            parser.error(f"unknown model {name}")
    binary = os.environ["LOOKALIKE_BINARY"]
    with tempfile.TemporaryDirectory() as work:
        images = pictures(Path(work))
        results = [compare(binary, name, arguments.precision.split(","), Path(work), images) for name in names]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
