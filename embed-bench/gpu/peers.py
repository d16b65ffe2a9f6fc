#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Python users reach on this device, and what the device can do at all: the other half of ./compare.

    peers.py roofline --rows FILE                      a large product and a large copy
    peers.py topk     --rows FILE                      matmul + topk over normalized rows
    peers.py model    --rows FILE --work DIR --shape S makes texts and a model of that shape with random weights in DIR
    peers.py encode   --rows FILE --work DIR --shape S sentence-transformers and transformers on them
    peers.py compile  --rows FILE --work DIR --shape S the same with torch.compile, which takes long to start

Every figure is appended to FILE as one line of JSON as soon as it is known, so that a run that is cut off has told what
it knew. Figures are medians of repeated runs after a warm-up, with the device waited for inside the timed region. Tokens
are real ones, never padding. Nothing is fetched from anywhere.
"""
import argparse
import json
import math
import os
import random
import statistics
import string
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import torch  # noqa: E402

# layers, hidden size, heads, inner size, pooling
SHAPES = {
    "minilm": (6, 384, 12, 1536, "mean"),
    "bge-small": (12, 384, 12, 1536, "cls"),
    "bge-base": (12, 768, 12, 3072, "cls"),
    "bge-large": (24, 1024, 16, 4096, "cls"),
    "tiny": (2, 64, 4, 128, "mean"),
}
MAX_TOKENS = 512
TEXTS = {"tiny": 64}  # of a shape; 8192 of the others
LONGEST_TEXT_WORDS = 300
REFERENCE_TEXTS = 256
BATCH_SIZES = (32, 128, 512, 2048)  # the first is sentence-transformers' own default
UNIFORM_LENGTHS = (16, 128, 512)
TOKENS_AT_ONCE = 65536
DTYPES = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}


class Rows:
    """Appends figures to a file."""

    def __init__(self, path, **common):
        self.path = path
        self.common = common

    def add(self, engine, work, load, unit, value, **more):
        row = {"engine": engine, "work": work, "load": load, "unit": unit, "value": value, **self.common, **more}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(" ".join(f"{key}={item}" for key, item in row.items()), flush=True)


class Clock:
    """Times work on a device within the seconds that are left."""

    def __init__(self, device, seconds):
        self.device = device
        self.end = time.perf_counter() + seconds

    def late(self):
        return time.perf_counter() > self.end

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def median_seconds(self, work, runs, warm_up):
        for _ in range(warm_up):
            work()
        self.wait()
        seconds = []
        while len(seconds) < runs and not (seconds and self.late()):
            start = time.perf_counter()
            work()
            self.wait()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)


def dtype_of(name):
    return getattr(torch, DTYPES[name])


# --- the device itself -------------------------------------------------------------------------------------------------


def roofline(rows, clock, device):
    """One product of two 8192 x 8192 bf16 matrices, and a copy of 4 GiB counted as bytes read and written."""
    small = device.type != "cuda"
    size = 512 if small else 8192
    left = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    right = torch.randn_like(left)
    seconds = clock.median_seconds(lambda: torch.matmul(left, right), 20, 3)
    rows.add("device", "product", f"{size}^3 bf16", "TFLOP/s", 2 * size**3 / seconds / 1e12)
    source = torch.empty((1 << 20) if small else (4 << 30), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = clock.median_seconds(lambda: target.copy_(source), 20, 3)
    rows.add("device", "copy", f"{source.numel() >> 20} MiB", "TB/s", 2 * source.numel() / seconds / 1e12)


def unit_rows(count, dimension, device, dtype):
    matrix = torch.empty(count, dimension, device=device, dtype=dtype)
    for start in range(0, count, 500_000):
        part = torch.randn(min(500_000, count - start), dimension, device=device)
        matrix[start : start + len(part)] = torch.nn.functional.normalize(part, dim=1).to(dtype)
    return matrix


def nearest(queries, corpus, k, chunk):
    """Scores chunk by chunk, so that they fit into memory, and the best of all chunks."""
    scores, places = [], []
    for start in range(0, len(corpus), chunk):
        part = queries @ corpus[start : start + chunk].T
        best, place = part.topk(min(k, part.shape[1]), dim=1)
        scores.append(best)
        places.append(place + start)
    best, order = torch.cat(scores, 1).topk(k, dim=1)
    return best, torch.cat(places, 1).gather(1, order)


def topk(rows, clock, device):
    gpu = device.type == "cuda"
    dtype = torch.float16 if gpu else torch.float32
    sizes = ((1_000_000, 384), (10_000_000, 384), (10_000_000, 1024)) if gpu else ((20_000, 64),)
    for count, dimension in sizes:
        if clock.late():
            return
        corpus = unit_rows(count, dimension, device, dtype)
        for queries in (1, 32, 1024):
            asked = unit_rows(queries, dimension, device, dtype)
            for k in (10, 100):
                if clock.late():
                    return
                # Scores of all rows at once where they fit, else in the better of two chunk sizes.
                chunks = [chunk for chunk in (count, 1_000_000, 250_000) if chunk * queries <= 2e9]
                best = min(
                    clock.median_seconds(lambda: nearest(asked, corpus, k, chunk), 5, 1) for chunk in chunks
                )
                load = f"{count} x {dimension}, Q = {queries}, k = {k}"
                rows.add("torch matmul + topk", "top-k", load, "ms", best * 1e3, dtype="fp16" if gpu else "fp32")
        del corpus


# --- models and texts ----------------------------------------------------------------------------------------------------


def words(count=30_000):
    """Made-up words, each one token of the vocabulary."""
    source = random.Random(11)
    made = set()
    while len(made) < count:
        made.add("".join(source.choice(string.ascii_lowercase) for _ in range(source.randint(2, 9))))
    return sorted(made)


def write_texts(work, shape):
    """Ragged texts: log-normal lengths with a median of about 40 words, cut at 300."""
    source = random.Random(12)
    vocabulary = words()
    lines = []
    for _ in range(TEXTS.get(shape, 8192)):
        length = max(1, min(LONGEST_TEXT_WORDS, int(source.lognormvariate(math.log(40), 0.8))))
        lines.append(" ".join(source.choice(vocabulary) for _ in range(length)))
    (work / "texts.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "one.txt").write_text(" ".join(vocabulary[:14]) + "\n", encoding="utf-8")


def read_lines(file):
    return file.read_text(encoding="utf-8").splitlines()


def make_model(work, shape):
    """A BERT with random weights and a WordPiece tokenizer, as a sentence-transformers directory."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, BertTokenizerFast

    layers, hidden, heads, inner, pooling = SHAPES[shape]
    folder = work / shape
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = list(string.ascii_lowercase)
    vocabulary = specials + letters + ["##" + letter for letter in letters]
    known = set(vocabulary)
    vocabulary += [word for word in words() if word not in known]
    ids = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    BertTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_TOKENS).save_pretrained(folder)

    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=MAX_TOKENS,
    )
    model = BertModel(config, add_pooling_layer=False)
    for parameter in model.parameters():
        if parameter.dim() > 1:  # as initialized, a fresh model maps all texts to nearly one point
            torch.nn.init.normal_(parameter, std=0.06)
    model.save_pretrained(folder)

    def write(name, content):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")

    kinds = ["Transformer", "Pooling", "Normalize"]
    paths = ["", "1_Pooling", "2_Normalize"]
    write("modules.json", [
        {"idx": i, "name": str(i), "path": paths[i], "type": f"sentence_transformers.models.{kinds[i]}"} for i in range(3)
    ])
    write("sentence_bert_config.json", {"max_seq_length": MAX_TOKENS, "do_lower_case": False})
    write("1_Pooling/config.json", {
        "word_embedding_dimension": hidden,
        "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    })
    return folder


def model(work, shape, device):
    """Makes both, and the vectors that embed4j's are compared with: fp32, the first 256 texts."""
    from safetensors.numpy import save_file
    from sentence_transformers import SentenceTransformer

    work.mkdir(parents=True, exist_ok=True)
    write_texts(work, shape)
    folder = make_model(work, shape)
    torch.backends.cuda.matmul.allow_tf32 = False
    reference = SentenceTransformer(str(folder), device=str(device))
    vectors = reference.encode(read_lines(work / "texts.txt")[:REFERENCE_TEXTS], convert_to_numpy=True)
    save_file({"vectors": vectors}, str(work / f"{shape}-reference.safetensors"))


# --- what Python reaches -------------------------------------------------------------------------------------------------


def sentence_transformers_rows(rows, clock, device, work, shape, dtype):
    """Text to vectors on the host: all texts at several batch sizes, and one text at a time."""
    from sentence_transformers import SentenceTransformer

    texts = read_lines(work / "texts.txt")
    one = read_lines(work / "one.txt")
    net = SentenceTransformer(str(work / shape), device=str(device), model_kwargs={"dtype": dtype_of(dtype)})
    ids = net.tokenizer(texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
    tokens = sum(map(len, ids))
    for batch in BATCH_SIZES if device.type == "cuda" else BATCH_SIZES[:1]:
        if clock.late():
            return
        seconds = clock.median_seconds(lambda: net.encode(texts, batch_size=batch, show_progress_bar=False), 3, 1)
        rows.add("sentence-transformers", "text to host", "ragged", "tokens/s", tokens / seconds, batch=batch)
    seconds = clock.median_seconds(lambda: net.encode(one, show_progress_bar=False), 50, 10)
    rows.add("sentence-transformers", "text to host", "one text", "us", seconds * 1e6)


def transformers_rows(rows, clock, device, work, shape, dtype, compiled):
    """Token ids on the device to hidden states on the device, rows of one length."""
    from transformers import BertModel

    net = BertModel.from_pretrained(work / shape, dtype=dtype_of(dtype), attn_implementation="sdpa").to(device).eval()
    engine = "transformers torch.compile" if compiled else "transformers SDPA"
    forward = torch.compile(net, dynamic=False) if compiled else net
    lengths = (128,) if compiled else UNIFORM_LENGTHS
    for length in lengths if device.type == "cuda" else lengths[:1]:
        if clock.late():
            return
        count = max(1, (TOKENS_AT_ONCE if device.type == "cuda" else 1024) // length)
        ids = torch.randint(5, 30_000, (count, length), device=device)
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            seconds = clock.median_seconds(lambda: forward(input_ids=ids, attention_mask=mask), 10, 3)
        rows.add(engine, "ids to device", f"{length} tokens", "tokens/s", count * length / seconds, batch=count)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["roofline", "topk", "model", "encode", "compile"])
    parser.add_argument("--rows", required=True)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--shape", choices=SHAPES)
    parser.add_argument("--dtype", choices=DTYPES, default="fp16")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    clock = Clock(device, options.seconds)
    rows = Rows(options.rows)
    shaped = Rows(options.rows, shape=options.shape, dtype=options.dtype)
    if options.part == "roofline":
        roofline(rows, clock, device)
    elif options.part == "topk":
        topk(rows, clock, device)
    elif options.part == "model":
        model(options.work, options.shape, device)
    elif options.part == "encode":
        sentence_transformers_rows(shaped, clock, device, options.work, options.shape, options.dtype)
        transformers_rows(shaped, clock, device, options.work, options.shape, options.dtype, compiled=False)
    else:
        transformers_rows(shaped, clock, device, options.work, options.shape, options.dtype, compiled=True)


if __name__ == "__main__":
    main()
