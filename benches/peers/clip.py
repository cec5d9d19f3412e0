"""CLIP's towers in OpenVINO and in this project, in turns, on the same cores.

    python checkpoint.py vit-b-32 FOLDER
    python clip.py FOLDER --prepare               # exports to ONNX and quantises, once
    taskset -c 0,1 python clip.py FOLDER --tower image,text --precision f32,bf16,int8 --batch 1,8 --threads 1,2

Prints a line of JSON for each measurement and one for each comparison: `ratio` is OpenVINO's time divided by ours, each the least of all
repetitions of all rounds; `ratio_median` the same of the least medians. OpenVINO computes int8 on what NNCF's static quantisation makes (preset for
transformers, calibrated on noise: its accuracy is not judged here), and texts with all their 77 tokens.

`--isa avx2` holds both to AVX2, `--isa avx512` to AVX-512 without AMX: ours by LOOKALIKE_CPU, OpenVINO by hiding the other instructions from it
(hide.c, which needs a C compiler and a processor whose CPUID can fault: Intel's, Linux). oneDNN's own variable, ONEDNN_MAX_CPU_ISA, does not hold all of
OpenVINO; it is what remains on other processors, with a warning.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve()
BENCH = HERE.parents[2] / "target/release/lookalike-bench"


def load(folder: Path, tower: str):
    """The tower as a module from pixels or ids to vectors."""
    import torch

    class Tower(torch.nn.Module):
        def __init__(self, encode):
            super().__init__()
            self.model, self.encode = model, encode

        def forward(self, x):
            return self.encode(x)

    if (folder / "config.json").exists():
        from transformers import CLIPModel

        model = CLIPModel.from_pretrained(folder).eval()
        images = lambda x: model.visual_projection(model.vision_model(pixel_values=x).pooler_output)  # noqa: E731
        texts = lambda x: model.text_projection(model.text_model(input_ids=x).pooler_output)  # noqa: E731
    else:
        import open_clip
        from safetensors.torch import load_file

        config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
        model = open_clip.model.CLIP(**config).eval()
        model.load_state_dict(load_file(folder / "open_clip_model.safetensors"))
        images, texts = model.encode_image, model.encode_text
    return Tower(images if tower == "image" else texts)


def example(folder: Path, tower: str, batch: int) -> np.ndarray:
    random = np.random.default_rng(1)
    hf = folder / "config.json"
    if hf.exists():
        config = json.loads(hf.read_text())
        side, vocabulary = config["vision_config"]["image_size"], config["text_config"]["vocab_size"]
    else:
        config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
        side, vocabulary = config["vision_cfg"]["image_size"], config["text_cfg"]["vocab_size"]
    if tower == "image":
        return random.standard_normal((batch, 3, side, side), dtype=np.float32)
    ids = random.integers(3, vocabulary - 2, (batch, 77)).astype(np.int64)
    ids[:, 0], ids[:, -1] = vocabulary - 2, vocabulary - 1
    return ids


def prepare(folder: Path, tower: str, precision: str) -> Path:
    """The file that OpenVINO reads, made when it is missing."""
    path = folder / f"{tower}.onnx"
    if not path.exists():
        import torch

        x = torch.from_numpy(example(folder, tower, 2))
        with torch.inference_mode():
            torch.onnx.export(
                load(folder, tower), (x,), str(path), input_names=["x"], output_names=["y"], dynamo=False, dynamic_axes={"x": {0: "b"}, "y": {0: "b"}},
                opset_version=17,
            )
    if precision != "int8":
        return path
    quantised = folder / f"{tower}.int8.xml"
    if not quantised.exists():
        import nncf
        import openvino

        x = example(folder, tower, 16)
        data = nncf.Dataset([x[i : i + 1] for i in range(16)])
        kind = nncf.ModelType.TRANSFORMER if (folder / "config.json").exists() or tower == "text" else None
        model = nncf.quantize(openvino.Core().read_model(path), data, model_type=kind, subset_size=16)
        openvino.save_model(model, quantised)
    return quantised


def serve(arguments) -> None:
    """OpenVINO in a process of its own: measures all batches for each line on its input."""
    import openvino

    folder, core, requests = arguments.folder, openvino.Core(), []
    for batch in arguments.batch:
        x = example(folder, arguments.tower[0], batch)
        model = core.read_model(prepare(folder, arguments.tower[0], arguments.precision[0]))
        model.reshape(list(x.shape))
        settings = {
            "INFERENCE_NUM_THREADS": arguments.threads[0],
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if arguments.precision[0] == "bf16" else "f32",
        }
        requests.append((batch, x, core.compile_model(model, "CPU", settings).create_infer_request()))
    print("ready", flush=True)
    for _ in sys.stdin:
        for batch, x, request in requests:
            request.infer({0: x}, share_inputs=True)
            start, times = time.perf_counter(), []
            while len(times) < 3 or time.perf_counter() - start < arguments.seconds:
                before = time.perf_counter()
                request.infer({0: x}, share_inputs=True)
                times.append((time.perf_counter() - before) * 1e3 / batch)
            times.sort()
            line = {"batch": batch, "ms_per_item": round(times[0], 3), "median": round(times[len(times) // 2], 3), "n": len(times)}
            print(json.dumps(line), flush=True)


def held(isa: str) -> dict[str, str]:
    """The variables that hold OpenVINO to `isa`."""
    library = BENCH.parent / "hide.so"
    try:
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", str(HERE.parent / "hide.c"), "-o", str(library)], check=True)
        variables = {"HIDE": {"avx2": "avx512", "avx512": "amx"}[isa], "LD_PRELOAD": str(library)}
        subprocess.run(["true"], check=True, env=dict(os.environ) | variables)
        return variables
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"instructions cannot be hidden from OpenVINO ({error}): it is held by ONEDNN_MAX_CPU_ISA only", file=sys.stderr)
        return {"ONEDNN_MAX_CPU_ISA": {"avx2": "AVX2", "avx512": "AVX512_CORE_BF16"}[isa]}


def compare(arguments, tower: str, precision: str, threads: int) -> None:
    batches = ",".join(map(str, arguments.batch))
    common = ["--batch", batches, "--threads", str(threads), "--precision", precision, "--tower", tower, "--seconds", str(arguments.seconds)]
    environment, peers = dict(os.environ), dict(os.environ)
    if arguments.isa:
        environment |= {"LOOKALIKE_CPU": arguments.isa}
        peers |= held(arguments.isa)
    peer = subprocess.Popen(
        [sys.executable, str(HERE), str(arguments.folder), "--serve", *common], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=peers
    )
    assert peer.stdout.readline() == "ready\n"
    found = {}
    for _ in range(arguments.rounds):
        peer.stdin.write("go\n")
        peer.stdin.flush()
        theirs = [json.loads(peer.stdout.readline()) for _ in arguments.batch]
        command = [str(arguments.bench), "clip", "--model", str(arguments.folder), *common]
        ours = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()
        for line in theirs:
            line = {"peer": "openvino", "model": arguments.folder.name, "tower": tower, "precision": precision, "threads": threads} | line
            print(json.dumps(line), flush=True)
            found.setdefault(line["batch"], ([], []))[0].append(line)
        for line in ours:
            print(line, flush=True)
            found[json.loads(line)["batch"]][1].append(json.loads(line))
    peer.stdin.close()
    peer.wait()
    for batch, (theirs, ours) in found.items():
        least = [min(line["ms_per_item"] for line in lines) for lines in (theirs, ours)]
        median = [min(line["median"] for line in lines) for lines in (theirs, ours)]
        line = {"model": arguments.folder.name, "tower": tower, "precision": precision, "batch": batch, "threads": threads, "isa": arguments.isa or "all"}
        line |= {"openvino_ms": least[0], "lookalike_ms": least[1], "ratio": round(least[0] / least[1], 3), "ratio_median": round(median[0] / median[1], 3)}
        line |= {key: max(line[key] for line in ours) for key in ("share_of_peak", "peak_gops") if key in ours[0]}
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words, numbers = (lambda text: text.split(",")), (lambda text: [int(number) for number in text.split(",")])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tower", type=words, default=["image", "text"])
    parser.add_argument("--precision", type=words, default=["f32", "bf16", "int8"])
    parser.add_argument("--batch", type=numbers, default=[1, 8])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--isa", choices=["avx2", "avx512"])
    parser.add_argument("--bench", type=Path, default=BENCH)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments)
    for tower in arguments.tower:
        for precision in arguments.precision:
            if arguments.prepare:
                prepare(arguments.folder, tower, precision)
                continue
            for threads in arguments.threads:
                compare(arguments, tower, precision, threads)
    return None


if __name__ == "__main__":
    main()
