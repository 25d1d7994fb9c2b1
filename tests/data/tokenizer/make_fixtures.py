"""Writes the fixtures of tests/lib/tokenizer: small tokenizers and what Hugging Face tokenizers make of odd texts.

python make_fixtures.py     (needs tokenizers; writes beside itself)
"""

import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CORPUS = [
    "The quick brown fox jumps over the lazy dog. It's the dog's day, they'll say; we've seen 1234 of them!",
    "Transcoders decompose what a layer computes into features that we can read.  the  the\n\tthe the then there",
    "Ünïcödé straße 日本語 日本 😀😀 ... 2024 2025 2026 don't can't won't she'd I'm you're",
]
TEXTS = [
    "",
    " ",
    "a",
    " a",
    "  a",
    "   the   dog   ",
    "\n",
    "\n\n the\n dog \n",
    "\ta\t b \t c",
    "\r\n the\r\n",
    "It's they'll we've I'm she'd you're can't 'tis ''s 'S 'LL 'x s' '",
    "!!'s !'s ' s",
    "1234 5678a9b  12",
    "x1y2 _under_score_ a-b a - b -- ---",
    "日本語の 日本 、。",
    "😀😀 😀 👩‍👩‍👧 🇩🇪",
    "e\u0301 \u00e9 \u0301 a\u0301b",
    "\u00a0a\u00a0 b\u3000c\u2003 d\u200be\u2028f\u2029g\u0085h\x1ci\x0bj\x0ck",
    "½ ² Ⅷ ٣ 五 ① \U0001d7d8",
    "ǅ ª ʰ ـ ܐ 𐐀 Ꙁ ﬀ",
    "\x00 \x01\x7f\u00ad\ufeff\ufffd\uffff\U0010ffff\ue000",
    "<|endoftext|>",
    "a<|endoftext|> b",
    "a <|endoftext|><|endoftext|>b  <|endoftext|>  c",
    "<|endoftext| <|endoftext|",
    "<|pad|>the<|pad|> <|pad|>",
    "fox<sep>dog <sep><sep>",
    "<sep2> <sep> <sep<sep>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa thethethethe",
]


def trained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def random_texts() -> list[str]:
    generator = random.Random(0)
    pieces = [*"abeht  \n\t'.!19", "the", "'s", "'ll", "é", "日", "😀", "\u00a0", "\u3000", "<|endoftext|>", "<sep>"]
    return ["".join(generator.choices(pieces, k=generator.randrange(1, 24))) for _ in range(120)]


def cases(tokenizer: Tokenizer) -> list[dict]:
    found = []
    for text in TEXTS + random_texts():
        case = {"text": text}
        for key, plain in (("ids", False), ("ids_plain", True)):
            tokenizer.encode_special_tokens = plain
            case[key] = tokenizer.encode(text, add_special_tokens=False).ids
        found.append(case)
    tokenizer.encode_special_tokens = False
    return found


def decodings(tokenizer: Tokenizer) -> list[dict]:
    """Tokens of single bytes in an order that is no UTF-8."""
    generator = random.Random(1)
    size = tokenizer.get_vocab_size()
    lists = [[token] for token in range(size)]
    lists += [[generator.randrange(size) for _ in range(generator.randrange(2, 12))] for _ in range(60)]
    return [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=False)} for ids in lists]


def splits() -> list[dict]:
    split = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    return [
        {"text": text, "words": [word for word, _ in split.pre_tokenize_str(text)]} for text in TEXTS + random_texts()
    ]


def replacements() -> list[dict]:
    generator = random.Random(2)
    interesting = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF]
    interesting += [0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF]
    lists = [bytes([a, b]) for a in interesting for b in interesting]
    lists += [bytes(generator.choices(interesting[3:], k=generator.randrange(3, 9))) for _ in range(400)]
    return [{"bytes": list(data), "text": data.decode("utf-8", errors="replace")} for data in lists]


def write(name: str, content) -> None:
    (HERE / name).write_text(json.dumps(content, separators=(",", ":")) + "\n")


def main() -> None:
    tokenizer = trained()
    (HERE / "vocab_merges").mkdir(exist_ok=True)
    tokenizer.model.save(str(HERE / "vocab_merges"))
    write("vocab_merges/cases.json", {"encode": cases(tokenizer), "decode": decodings(tokenizer)})

    tokenizer.add_special_tokens(["<|pad|>"])
    tokenizer.add_tokens([AddedToken("<sep>", normalized=False), AddedToken("<sep2>", normalized=False)])
    (HERE / "json").mkdir(exist_ok=True)
    tokenizer.save(str(HERE / "json" / "tokenizer.json"), pretty=False)
    write("json/cases.json", {"encode": cases(tokenizer), "decode": decodings(tokenizer)})

    write("splits.json", splits())
    write("replacements.json", replacements())


if __name__ == "__main__":
    main()
