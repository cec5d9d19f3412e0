"""Makes the small text checkpoints and records what transformers answers.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python make_bert.py

Writes, beside this file, two folders in the layout of sentence-transformers and a golden.json in each. The weights are random, seeded, and
scaled so that layers, attention and activation all leave their mark on the result; nothing of any published model is in them.
Rerun it only to change a checkpoint: random streams differ between versions of PyTorch.
"""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

HERE = Path(__file__).parent

# A corpus of our own, only to give the tokenizer some pieces.
CORPUS = """
the invoice of the third quarter was paid on time, a customer asked for a refund of two hundred dollars, the contract ends in march,
reset the password of your account, the warehouse ships orders within three days, 发票已经付款, 客户要求退款, 合同将于三月到期, 重置您的密码,
how do i change my delivery address, the server answers every request, rain and wind are expected in the north
"""

TEXTS = [
    "How do I reset my password?",
    "",
    "The invoice was PAID —  twice!",
    "客户要求退款 before the contract ends",
    "a",
    "the warehouse ships orders within three days " * 12,
    "naïve zyxw 0123456789",
]

CHECKPOINTS = {
    # Like BERT: the mean of the tokens, cut before the positions end.
    "bert-mean": dict(
        seed=11, model=BertModel, config=BertConfig, pooling="mean", length=24, weights="model.safetensors",
        shape=dict(hidden_size=48, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=40, type_vocab_size=2),
    ),
    # Like XLM-RoBERTa: the first token, positions that count on from the padding token, a pickle with the model's name before all names.
    "roberta-first": dict(
        seed=12, model=XLMRobertaModel, config=XLMRobertaConfig, pooling="first", length=None, weights="pytorch_model.bin",
        shape=dict(
            hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=34,
            type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1,
        ),
    ),
}


def make_tokenizer(path: Path, start: str, end: str) -> Tokenizer:
    specials = [start, "[PAD]", end, "[UNK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=260, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(CORPUS.strip().splitlines(), trainer)
    ids = [(token, tokenizer.token_to_id(token)) for token in (start, end)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{start} $A {end}", special_tokens=ids)
    tokenizer.save(str(path), pretty=False)
    return tokenizer


def make_checkpoint(name: str, recipe: dict) -> None:
    folder = HERE / name
    (folder / "1_Pooling").mkdir(exist_ok=True, parents=True)
    bert = recipe["config"] is BertConfig
    tokenizer = make_tokenizer(folder / "tokenizer.json", *(("[CLS]", "[SEP]") if bert else ("<s>", "</s>")))
    config = recipe["config"](vocab_size=tokenizer.get_vocab_size(), **recipe["shape"])
    torch.manual_seed(recipe["seed"])
    model = recipe["model"](config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for key, value in model.named_parameters():
            # transformers starts far too tame for two or three layers to show: a wrong one would pass unnoticed.
            if value.ndim >= 2:
                value.normal_(0, 1.0 if "embeddings" in key else 1.5 / value.shape[-1] ** 0.5)
            elif "LayerNorm" in key:
                value.copy_(1 + 0.2 * torch.randn_like(value) if key.endswith("weight") else 0.2 * torch.randn_like(value))
            else:
                value.normal_(0, 0.2)
        config.save_pretrained(folder)
        if recipe["weights"].endswith(".bin"):
            torch.save({f"roberta.{key}": value for key, value in model.state_dict().items()}, folder / recipe["weights"])
        else:
            model.save_pretrained(folder, safe_serialization=True)
        modes = {"pooling_mode_cls_token": recipe["pooling"] == "first", "pooling_mode_mean_tokens": recipe["pooling"] == "mean"}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": config.hidden_size, **modes}))
        if recipe["length"]:
            (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": recipe["length"], "do_lower_case": False}))

        longest = recipe["length"] or config.max_position_embeddings - (0 if bert else config.pad_token_id + 1)
        tokenizer.enable_truncation(longest)
        golden = []
        for text in TEXTS:
            ids = tokenizer.encode(text).ids
            hidden = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)).last_hidden_state[0]
            vector = hidden[0] if recipe["pooling"] == "first" else hidden.mean(0)
            vector = torch.nn.functional.normalize(vector, dim=-1)
            golden.append({"text": text, "ids": ids, "embedding": [round(float(x), 7) for x in vector]})
    (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n")
    print(name, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()), "bytes")


def main() -> None:
    torch.set_num_threads(1)
    for name, recipe in CHECKPOINTS.items():
        make_checkpoint(name, recipe)


if __name__ == "__main__":
    main()
