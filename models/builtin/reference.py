"""The built-in encoder's forward pass in PyTorch: what the Rust code is held to.

    reference.py golden FOLDER          records FOLDER/golden: eight pictures and twelve texts with their vectors
    reference.py compare FOLDER OTHER   how far the vectors of two builds lie apart on those inputs

The pictures are drawn here, so no licence hangs on them. README.md says how to set up.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from safetensors.torch import load_file
from tokenizers import Tokenizer

TEXTS = [
    "dog", "dogs", "a photo of a bicycle", "hot dog", "ice cream", "red sports car on the street", "people at the beach", "Kitchen",
    "a blue bird", "red", "xqzvw blorft", "",
]  # fmt: skip


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / torch.clamp(x.norm(dim=-1, keepdim=True), min=1e-6)


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, stride: int = 1, groups: int = 1) -> torch.Tensor:
    """TensorFlow's SAME padding: the odd pixel goes right and below."""
    needed = max((-(-x.shape[-1] // stride) - 1) * stride + weight.shape[-1] - x.shape[-1], 0)
    x = F.pad(x, [needed // 2, needed - needed // 2] * 2)
    return F.conv2d(x, weight, bias, stride=stride, groups=groups)


class Encoder:
    def __init__(self, folder: Path):
        self.config = json.loads((folder / "config.json").read_text())
        tensors = load_file(folder / "model.safetensors")
        self.weights = {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.colour_rows = {int(i): row for i, row in zip(self.weights["text.color.ids"], self.weights["text.color.rows"])}

    def image(self, picture: Image.Image) -> np.ndarray:
        config, side = self.config, self.config["image_size"]
        picture = picture.convert("RGB")
        short = min(picture.size)
        left, top = ((length - short) / 2 for length in picture.size)
        square = picture.resize((side, side), Image.BICUBIC, box=(left, top, left + short, top + short))
        rgb = torch.from_numpy(np.asarray(square, np.float32)).permute(2, 0, 1)[None]
        mean, std = (torch.tensor(config[key]).view(-1, 1, 1) for key in ("mean", "std"))
        with torch.inference_mode():
            grid = self.features((rgb - mean) / std).flatten(2).transpose(1, 2)[0]
            pooled = grid.mean(0)
            classify = lambda x: torch.softmax(x @ self.weights["image.fc.weight"].T + self.weights["image.fc.bias"], -1)  # noqa: E731
            probabilities = (classify(pooled) + classify(grid).mean(0)) / 2
            semantic = unit(self.weights["image.values.weight"] @ probabilities)
            visual = unit(self.weights["image.visual.weight"] @ pooled)
            shares = 1 - config["share_visual"] - config["share_color"], config["share_visual"], config["share_color"]
            parts = semantic, visual, self.colour(rgb / 255)
            return torch.cat([share**0.5 * part for share, part in zip(shares, parts)]).numpy()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        layer = lambda name: (self.weights[f"image.{name}.weight"], self.weights[f"image.{name}.bias"])  # noqa: E731
        x = F.relu6(convolve(x, *layer("stem"), stride=2))
        for i, (_, stride, expand, channels, output) in enumerate(self.config["blocks"]):
            y = x if expand == 1 else F.relu6(convolve(x, *layer(f"blocks.{i}.expand")))
            y = F.relu6(convolve(y, *layer(f"blocks.{i}.depthwise"), stride=stride, groups=y.shape[1]))
            y = convolve(y, *layer(f"blocks.{i}.project"))
            x = x + y if stride == 1 and channels == output else y
        return F.relu6(convolve(x, *layer("head")))

    def colour(self, rgb: torch.Tensor) -> torch.Tensor:
        cells = F.avg_pool2d(rgb, 16).flatten(2).transpose(1, 2)[0] @ self.weights["image.color.opponent"].T
        distance = ((cells[:, None] - self.weights["image.color.prototypes"]) ** 2).sum(-1)
        shares = torch.softmax(-distance / self.config["color_tau"], -1) @ self.weights["image.color.assign"]
        colour = unit(torch.sqrt(shares.mean(0)))
        return F.pad(colour, (0, self.config["color_dim"] - len(colour)))

    def text(self, text: str) -> np.ndarray:
        config = self.config
        things, colour_words = torch.zeros(2, config["semantic_dim"])
        colours = torch.zeros(config["color_dim"])
        for token in self.tokenizer.encode(text).ids:
            row = self.weights["text.table.weight"][token].float() * self.weights["text.table.scale"][token]
            if token in self.colour_rows:
                colours, colour_words = colours + self.colour_rows[token], colour_words + row
            else:
                things = things + row
        weight = config["text_color_word_semantics"]
        semantic = unit(things + weight * colour_words) if things.norm() > 1e-6 else weight * unit(colour_words)
        vector = torch.cat([semantic, torch.zeros(config["visual_dim"]), config["text_color_weight"] * unit(colours)])
        if vector.norm() < 1e-6:
            vector[-1] = 1  # nothing understood: a direction that no picture has
        return unit(vector).numpy()


def draw() -> dict[str, Image.Image]:
    y, x = np.mgrid[0:256, 0:256].astype(np.float64)
    planes = {
        "red": np.full((256, 256, 3), (200, 20, 20)),
        "blue": np.full((256, 256, 3), (30, 60, 210)),
        "gradient": np.stack([x, y, 255 - x], -1),
        "checker": np.repeat(((((x // 16) + (y // 16)) % 2) * 255)[..., None], 3, -1),
        "rings": np.stack([127 + 127 * np.sin(np.hypot(x - 128, y - 128) / k) for k in (5, 7, 11)], -1),
    }
    pictures = {name: Image.fromarray(np.round(plane).clip(0, 255).astype(np.uint8)) for name, plane in planes.items()}

    landscape = pictures["landscape"] = Image.new("RGB", (256, 256), (120, 180, 240))
    pen = ImageDraw.Draw(landscape)
    pen.rectangle((0, 180, 255, 255), fill=(90, 160, 60))
    pen.ellipse((180, 20, 230, 70), fill=(250, 220, 60))
    pen.polygon([(40, 180), (100, 80), (160, 180)], fill=(130, 100, 80))

    bicycle = pictures["bicycle"] = Image.new("RGB", (256, 256), (250, 250, 250))
    pen = ImageDraw.Draw(bicycle)
    for x, y in ((75, 170), (185, 170)):
        pen.ellipse((x - 45, y - 45, x + 45, y + 45), outline=(10, 10, 10), width=6)
    pen.line([(75, 170), (115, 100), (170, 100), (185, 170)], fill=(200, 30, 30), width=7)
    pen.line([(75, 170), (130, 170), (170, 100)], fill=(200, 30, 30), width=7)
    pen.line([(115, 100), (105, 80)], fill=(10, 10, 10), width=6)
    pen.line([(185, 170), (165, 75), (190, 75)], fill=(10, 10, 10), width=6)

    pictures["wide400x300"] = pictures["rings"].resize((400, 300), Image.BICUBIC)
    return pictures


def rounded(vector: np.ndarray) -> list[float]:
    return [round(float(x), 6) for x in vector]


def record(folder: Path) -> None:
    encoder, golden = Encoder(folder), {"images": [], "texts": []}
    (folder / "golden").mkdir(exist_ok=True)
    for name, picture in draw().items():
        picture.save(folder / "golden" / f"{name}.png")
        golden["images"].append({"file": f"golden/{name}.png", "embedding": rounded(encoder.image(picture))})
    for text in TEXTS:
        tokens = encoder.tokenizer.encode(text)
        golden["texts"].append({"text": text, "ids": tokens.ids, "tokens": tokens.tokens, "embedding": rounded(encoder.text(text))})
    (folder / "golden" / "golden.json").write_text(json.dumps(golden, indent=0))


def compare(folder: Path, other: Path) -> None:
    """Axes may be mirrored or turned between builds, so what counts is how inputs lie to each other: the scores."""
    pictures = list(draw().values())
    scores = []
    for encoder in (Encoder(folder), Encoder(other)):
        vectors = np.stack([encoder.image(picture) for picture in pictures] + [encoder.text(text) for text in TEXTS])
        scores.append(vectors @ vectors.T)
    print("same tokenizer:", (folder / "tokenizer.json").read_bytes() == (other / "tokenizer.json").read_bytes())
    print("largest difference of a score:", np.abs(scores[0] - scores[1]).max())


if __name__ == "__main__":
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["golden", folder]:
            record(Path(folder))
        case ["compare", folder, other]:
            compare(Path(folder), Path(other))
        case _:
            sys.exit(__doc__)
