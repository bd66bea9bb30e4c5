"""Sentences, handles, links and their JSON escapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.events.words import EMOJI, LANGUAGES, SYLLABLES

if TYPE_CHECKING:
    from testing.events.names import Rng

# Go's encoder, which v1 uses, escapes more characters than JSON requires.
_ESCAPES = str.maketrans(
    {
        '"': '\\"',
        "\\": "\\\\",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\0": "\\u0000",
        "&": "\\u0026",
        "<": "\\u003c",
        ">": "\\u003e",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
)
_ENDS = (". ", ".\n", ".\n\n", "! ", "? ", "... ", " \u2013 ", " & ", " <3 ", " -> ", ', "', ": ")


def escaped(text: str) -> str:
    """Return text escaped for a JSON string as by Go's encoder."""
    return text.translate(_ESCAPES)


def name(rng: Rng) -> str:
    """Return a name or rare word of two to four syllables."""
    return "".join(rng.pick(SYLLABLES) for _ in range(2 + rng.below(3)))


def handle(rng: Rng) -> str:
    """Return a handle, most of them under bsky.social."""
    who = name(rng) + (name(rng) if rng.chance(0.6) else "")
    return f"{who}{'.bsky.social' if rng.chance(0.8) else '.com'}"


def link(rng: Rng) -> str:
    """Return the URL of a web page."""
    path = "-".join(name(rng) for _ in range(1 + rng.below(5)))
    return f"https://www.{name(rng)}.com/{2010 + rng.below(17)}/{path}?ref={name(rng)}&id={rng.below(10**7)}"


def length(rng: Rng) -> int:
    """Return a number of characters for a post, 4 to 296, most of them small."""
    return 4 + int(292 * rng.random() ** 2.2)


def sentences(rng: Rng, language: str, characters: int) -> str:
    """Return about this many characters of unescaped text in a language of `LANGUAGES`."""
    between, vocabulary = LANGUAGES[language]
    parts: list[str] = []
    size = 0
    while size < characters:
        word = _word(rng, vocabulary, between)
        parts.append(word)
        size += len(word)
    return "".join(parts).strip()[: max(1, characters)]


def _word(rng: Rng, vocabulary: list[str], between: str) -> str:
    draw = rng.random()
    if draw < 0.02:
        return rng.pick_zipf(EMOJI) + between
    if draw < 0.10:
        return rng.pick(vocabulary) + rng.pick(_ENDS)
    if draw < 0.13:
        return name(rng).capitalize() + between
    if draw < 0.14:
        return f"{rng.below(3000)}{between}"
    # Some words with equal probability: posts hold more different words than the head of a frequency list.
    return (rng.pick(vocabulary) if draw < 0.3 else rng.pick_zipf(vocabulary)) + between
