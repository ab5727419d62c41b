#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints texts and the words that the pre-tokenizers cut them into: the published expressions, tried one alternative and
one repetition after the other with all backtracking, over the categories that Python has.

Usage: splitter_vectors.py [COUNT [SEED]]      (40 texts for each, 1)
       splitter_vectors.py --check FILE        compares, and says where they differ
A line is: the pre-tokenizer, the text in hexadecimal, and the bytes of each word.
"""
import random
import sys
import unicodedata

SPACES = {*range(0x09, 0x0e), 0x20, 0x85, 0xa0, 0x1680, *range(0x2000, 0x200b), 0x2028, 0x2029, 0x202f, 0x205f, 0x3000}


def is_in(*categories):
    return lambda character: unicodedata.category(character).startswith(categories)


def space(character):
    return ord(character) in SPACES


def one_of(text):
    return lambda character: character in text


letter, number = is_in("L"), is_in("N")
line = one_of("\r\n")


def sign(character):
    return not (space(character) or letter(character) or number(character))


def prefix(character):
    return not (line(character) or letter(character) or number(character))


upper = is_in("Lu", "Lt", "Lm", "Lo", "M")
lower = is_in("Ll", "Lm", "Lo", "M")
MANY = 1 << 30


class Word:
    """'s|'t|'re|'ve|'m|'ll|'d"""
    def __init__(self, any_case):
        self.any_case = any_case

    def ends(self, text, at):
        for word in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"):
            there = text[at:at + len(word)]
            if there == word or self.any_case and there.casefold() == word:
                yield at + len(word)


class Repeat:
    """A character of a set, from `least` to `most` times, as many as can be first."""
    def __init__(self, chosen, least=1, most=MANY):
        self.chosen, self.least, self.most = chosen, least, most

    def ends(self, text, at):
        end = at
        while end < len(text) and end - at < self.most and self.chosen(text[end]):
            end += 1
        yield from range(end, at + self.least - 1, -1)


class Optional:
    def __init__(self, part):
        self.part = part

    def ends(self, text, at):
        yield from self.part.ends(text, at)
        yield at


class NotBeforeWord:
    """(?!\\S)"""
    def ends(self, text, at):
        if at == len(text) or space(text[at]):
            yield at


def match(parts, text, at):
    if not parts:
        return at
    for end in parts[0].ends(text, at):
        found = match(parts[1:], text, end)
        if found is not None:
            return found
    return None


blank = Repeat(one_of(" "), 0, 1)
before = Repeat(prefix, 0, 1)
ENDS = [[Repeat(space), NotBeforeWord()], [Repeat(space)]]
GPT2 = [[Word(False)], [blank, Repeat(letter)], [blank, Repeat(number)], [blank, Repeat(sign)], *ENDS]
LINES = [[Repeat(space, 0), Repeat(line)], *ENDS]


def llama(digits):
    return [[Word(True)], [before, Repeat(letter)], [Repeat(number, 1, digits)],
            [blank, Repeat(sign), Repeat(line, 0)], *LINES]


tail = Optional(Word(True))
GPT4O = [[before, Repeat(upper, 0), Repeat(lower), tail], [before, Repeat(upper), Repeat(lower, 0), tail],
         [Repeat(number, 1, 3)], [blank, Repeat(sign), Repeat(one_of("\r\n/"), 0)], *LINES]


def words(alternatives, text):
    at = 0
    while at < len(text):
        end = next(found for found in (match(parts, text, at) for parts in alternatives) if found is not None)
        yield text[at:end]
        at = end


def smollm(text):
    stretch = ""
    for character in text:
        if number(character):
            yield from words(GPT2, stretch)
            yield character
            stretch = ""
        else:
            stretch += character
    yield from words(GPT2, stretch)


SPLITTERS = {"gpt-2": lambda text: words(GPT2, text), "llama-bpe": lambda text: words(llama(3), text),
             "qwen2": lambda text: words(llama(1), text), "smollm": smollm, "gpt-4o": lambda text: words(GPT4O, text)}

OFTEN = " \t\r\n'sStTreRElLdDmMvV019aZ.,/!?_\u00e9\u00c9\u0301\u4e2d\u3000\u00a0\u02b0\u01c5\u0663\u2167\U0001f600\u017f"


def assigned(character):
    """Known to every Unicode version that a Python of the last years has, by its category."""
    return unicodedata.ucd_3_2_0.category(character) == unicodedata.category(character) not in ("Cn", "Cs")


def any_character(chance):
    if chance.random() < 0.85:
        return chance.choice(OFTEN)
    while True:
        character = chr(chance.choice([chance.randrange(0x3000), chance.randrange(0x110000)]))
        if assigned(character):
            return character


def vectors(count, seed):
    chance = random.Random(seed)
    for _ in range(count):
        text = "".join(any_character(chance) for _ in range(chance.randrange(1, 24)))
        for name, split in SPLITTERS.items():
            lengths = [len(word.encode()) for word in split(text)]
            yield " ".join([name, text.encode().hex(), *map(str, lengths)])


def main():
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="ascii") as file:
            there = file.read().splitlines()
        wrong = [number for number, (a, b) in enumerate(zip(there, vectors(40, 1)), 1) if a != b]
        if wrong or len(there) != 40 * len(SPLITTERS):
            sys.exit(f"{sys.argv[2]}: not what this script makes, from line {wrong[0] if wrong else len(there)}")
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    for text in vectors(count, int(sys.argv[2]) if len(sys.argv) > 2 else 1):
        print(text)


main()
