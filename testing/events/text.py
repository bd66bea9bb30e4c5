"""Sentences, handles, links and their JSON escapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.events.words import EMOJI, LANGUAGES, SYLLABLES

if TYPE_CHECKING:
    from testing.events.dice import Dice

# Go's encoder, which v1 uses, escapes these beyond what JSON asks for.
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
    """Return text as it stands between the quotes of a JSON string from Go's encoder."""
    return text.translate(_ESCAPES)


def name(dice: Dice) -> str:
    """Return a name or rare word of two to four syllables."""
    return "".join(dice.pick(SYLLABLES) for _ in range(2 + dice.below(3)))


def handle(dice: Dice) -> str:
    """Return a handle, most of them under bsky.social."""
    who = name(dice) + (name(dice) if dice.chance(0.6) else "")
    return f"{who}{'.bsky.social' if dice.chance(0.8) else '.com'}"


def link(dice: Dice) -> str:
    """Return the address of some page."""
    path = "-".join(name(dice) for _ in range(1 + dice.below(5)))
    return (
        f"https://www.{name(dice)}.com/{2010 + dice.below(17)}/{path}?ref={name(dice)}&id={dice.below(10**7)}"
    )


def length(dice: Dice) -> int:
    """Return how many characters a post takes, 4 to 296: many short ones and a tail."""
    return 4 + int(292 * dice.random() ** 2.2)


def sentences(dice: Dice, language: str, characters: int) -> str:
    """Return about so many characters of unescaped text in a language of `LANGUAGES`."""
    between, vocabulary = LANGUAGES[language]
    parts: list[str] = []
    size = 0
    while size < characters:
        word = _word(dice, vocabulary, between)
        parts.append(word)
        size += len(word)
    return "".join(parts).strip()[: max(1, characters)]


def _word(dice: Dice, vocabulary: list[str], between: str) -> str:
    draw = dice.random()
    if draw < 0.02:
        return dice.pick_zipf(EMOJI) + between
    if draw < 0.10:
        return dice.pick(vocabulary) + dice.pick(_ENDS)
    if draw < 0.13:
        return name(dice).capitalize() + between
    if draw < 0.14:
        return f"{dice.below(3000)}{between}"
    # Some evenly, not by frequency: a second's posts hold more different words than a list's head.
    return (dice.pick(vocabulary) if draw < 0.3 else dice.pick_zipf(vocabulary)) + between
