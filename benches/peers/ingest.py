"""From the bytes of JPEGs to vectors: OpenVINO behind the two fastest ways to decode in Python, and this project's whole ingestion, in turns.

    python checkpoint.py vit-b-32 FOLDER && python clip.py FOLDER --prepare --tower image
    python ingest.py FOLDER --pictures PICTURES        # makes the two pictures there when they are missing

The peers stop at the vector; ours unpacks an archive, stores originals and commits rows as well. Both run two threads; the peers' each decode and embed
batches of eight by themselves, which keeps both cores busy. The rate is the best of all rounds.
"""

import argparse
import io
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
from clip import BENCH, prepare
from PIL import Image

SIDE, BATCH, THREADS = 224, 8, 2
MEAN, STD = np.float32([0.48145466, 0.4578275, 0.40821073]), np.float32([0.26862954, 0.26130258, 0.27577711])
ARCHIVES, MAX_ARCHIVE_BYTES = 4, 190_000_000  # the service takes 200 MB
PICTURES = {"500x375": (500, 375), "4000x3000": (4000, 3000)}


def texture(width: int, height: int) -> Image.Image:
    """Noise at all scales with the spectrum of photographs, so that the JPEG is as long as one."""
    random, sum_of_scales = np.random.default_rng(0), np.zeros((height, width, 3), np.float32)
    for octave in range(2, 10):
        cells = 2**octave
        noise = random.standard_normal((max(2, height * cells // width + 1), cells + 1, 3)).astype(np.float32)
        planes = [np.asarray(Image.fromarray(noise[..., colour]).resize((width, height), Image.BICUBIC)) for colour in range(3)]
        sum_of_scales += np.stack(planes, -1) / 2 ** (0.8 * octave)
    low, high = sum_of_scales.min(), sum_of_scales.max()
    grain = random.standard_normal(sum_of_scales.shape).astype(np.float32) * 0.022
    return Image.fromarray((((sum_of_scales - low) / (high - low) + grain).clip(0, 1) * 255).astype(np.uint8))


def scaled(width: int, height: int) -> tuple[int, int]:
    return int(width * SIDE / min(width, height)), int(height * SIDE / min(width, height))


def by_torchvision(data: bytes) -> np.ndarray:
    import torch
    from torchvision import io as tio
    from torchvision.transforms.v2 import functional

    picture = tio.decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=tio.ImageReadMode.RGB)
    height, width = picture.shape[1:]
    width, height = scaled(width, height)
    picture = functional.resize(picture, [height, width], functional.InterpolationMode.BICUBIC, antialias=True)
    return functional.normalize(functional.center_crop(picture, [SIDE, SIDE]).float() / 255, MEAN.tolist(), STD.tolist()).numpy()


def by_pillow_draft(data: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(data))
    picture.draft("RGB", (2 * SIDE, 2 * SIDE))
    picture = picture.convert("RGB")
    width, height = scaled(*picture.size)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    picture = picture.resize((width, height), Image.BICUBIC).crop((left, top, left + SIDE, top + SIDE))
    return ((np.asarray(picture, np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)


class Peer:
    def __init__(self, folder: Path, precision: str, decode):
        import openvino

        core = openvino.Core()
        model = core.read_model(prepare(folder, "image", precision))
        model.reshape([BATCH, 3, SIDE, SIDE])
        hint = "bf16" if precision == "bf16" else "f32"
        settings = {"INFERENCE_NUM_THREADS": THREADS, "NUM_STREAMS": THREADS, "INFERENCE_PRECISION_HINT": hint}
        compiled = core.compile_model(model, "CPU", settings)
        self.requests = [compiled.create_infer_request() for _ in range(THREADS)]
        self.name, self.decode = f"openvino-{precision} + {decode.__name__.removeprefix('by_')}", decode

    def rate(self, data: bytes, seconds: float) -> float:
        for request in self.requests:
            request.infer({0: np.stack([self.decode(data)] * BATCH)})
        done, end = [0] * THREADS, time.time() + seconds

        def work(thread: int) -> None:
            while time.time() < end:
                batch = np.stack([self.decode(data) for _ in range(BATCH)])
                self.requests[thread].infer({0: batch}, share_inputs=True)
                done[thread] += BATCH

        start = time.time()
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / (time.time() - start)


def main() -> None:
    import torch

    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--precision", default="bf16,int8")
    parser.add_argument("--size", default=",".join(PICTURES))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--bench", type=Path, default=BENCH, help="built with --features turbojpeg")
    arguments = parser.parse_args()
    for size in arguments.size.split(","):
        path = arguments.pictures / size / f"{size}.jpg"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            texture(*PICTURES[size]).save(path, quality=90, subsampling=2)
        data = path.read_bytes()
        for precision in arguments.precision.split(","):
            peers = [Peer(arguments.folder, precision, decode) for decode in (by_torchvision, by_pillow_draft)]
            best, ours = {peer.name: 0.0 for peer in peers}, None
            for _ in range(arguments.rounds):
                for peer in peers:
                    best[peer.name] = max(best[peer.name], peer.rate(data, arguments.seconds))
                command = [arguments.bench, "ingest", "--model", arguments.folder, "--photos", path.parent, "--precision", precision]
                count = min(arguments.count, ARCHIVES * (MAX_ARCHIVE_BYTES // len(data)))
                command += ["--threads", str(THREADS), "--count", str(count), "--archives", str(ARCHIVES), "--rounds", "2"]
                line = json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, env=os.environ).stdout)
                print(json.dumps(line), flush=True)
                if ours is None or line["images_per_s"] > ours["images_per_s"]:
                    ours = line
            for name, rate in best.items():
                print(json.dumps({"peer": name, "photos": size, "images_per_s": round(rate, 2), "threads": THREADS, "batch": BATCH}), flush=True)
            fastest = max(best, key=best.get)
            line = {"photos": size, "precision": precision, "best_peer": fastest, "ratio": round(ours["images_per_s"] / best[fastest], 3)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
