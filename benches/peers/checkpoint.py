"""Makes a full-size CLIP with random weights: what a vector costs does not depend on what the weights say.

    python checkpoint.py vit-b-32 FOLDER          # also vit-b-16, vit-l-14, rn50 and the others of tests/parity/parity.py
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/parity"))
from parity import VIT, make_tokenizer, open_clip_model, transformers_model  # noqa: E402


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(folder / "tokenizer.json")
    torch.manual_seed(7)
    make = transformers_model if name in VIT else open_clip_model
    with torch.no_grad():
        make(name, folder, tokenizer)


if __name__ == "__main__":
    main()
