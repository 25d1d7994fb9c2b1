"""Writes unicode_tables.cc: which code points GPT-2's splitting pattern counts as letters, numbers and white space.

    python make_unicode_tables.py > unicode_tables.cc

The oracle is the tokenizers package itself: Unicode tables differ between versions and libraries, and the tokens
must not.
"""

from __future__ import annotations

import tokenizers
from tokenizers import Regex, normalizers

CLASSES = {"kLetters": r"\p{L}", "kNumbers": r"\p{N}", "kSpaces": r"\s"}
SURROGATES = range(0xD800, 0xE000)


def ranges(pattern: str) -> list[tuple[int, int]]:
    """First and last code points of the runs that match the pattern."""
    remove = normalizers.Replace(Regex(pattern), "")
    found: list[tuple[int, int]] = []
    for code in range(0x110000):
        if code in SURROGATES or remove.normalize_str(chr(code)):
            continue
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def main() -> None:
    print(f"// Made by make_unicode_tables.py from tokenizers {tokenizers.__version__}. Do not edit.")
    print('#include "lib/tokenizer/unicode_tables.h"\n\nnamespace superpose {\n')
    for name, pattern in CLASSES.items():
        entries = [f"{{{first:#x}, {last:#x}}}" for first, last in ranges(pattern)]
        print(f"const std::vector<CodePointRange> {name} = {{")
        for start in range(0, len(entries), 8):
            print("    " + ", ".join(entries[start : start + 8]) + ",")
        print("};\n")
    print("}  // namespace superpose")


if __name__ == "__main__":
    main()
