"""Post records: text, replies, embeds, facets, labels and tags as the network's clients write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.events.crowd import popular_post, rank
from testing.events.names import did, iso
from testing.events.text import escaped, handle, length, link, name, sentences
from testing.events.words import SPOKEN

if TYPE_CHECKING:
    from testing.events.dice import Dice

_LABELS = ("sexual", "nudity", "porn", "graphic-media", "!no-unauthenticated")


def post_record(dice: Dice, created_us: int) -> str:
    """Return the JSON of an app.bsky.feed.post written at created_us, keys in Go's (alphabetical) order."""
    language = dice.pick(SPOKEN)
    embed = _embed(dice, created_us) if dice.chance(0.32) else ""
    silent = embed and dice.chance(0.12)
    text = "" if silent else sentences(dice, language, _characters(dice, language))
    facets = ""
    if dice.chance(0.22) and not silent:
        text, facets = _with_facets(dice, text)
    langs = f'"langs":["{language}"],' if dice.chance(0.95) else ""
    if dice.chance(0.02):
        langs = f'"langs":["{language}","en-US"],'
    labels = ""
    if dice.chance(0.012):
        value = dice.pick(_LABELS)
        labels = f'"labels":{{"$type":"com.atproto.label.defs#selfLabels","values":[{{"val":"{value}"}}]}},'
    reply = _reply(dice, created_us) if dice.chance(0.47) else ""
    tags = ""
    if dice.chance(0.01):
        tags = f'"tags":["{name(dice)}","{name(dice)}"],'
    return (
        f'{{"$type":"app.bsky.feed.post","createdAt":"{iso(created_us)}",{embed}{facets}{labels}{langs}{reply}{tags}'
        f'"text":"{escaped(text)}"}}'
    )


def _characters(dice: Dice, language: str) -> int:
    # Japanese and Korean say in a third of the characters what others say.
    return length(dice) // (3 if language in {"ja", "ko"} else 1) + 1


def _reply(dice: Dice, created_us: int) -> str:
    parent = popular_post(dice.random(), created_us).ref
    root = parent if dice.chance(0.45) else popular_post(dice.random(), created_us).ref
    return f'"reply":{{"parent":{parent},"root":{root}}},'


def _embed(dice: Dice, created_us: int) -> str:
    draw = dice.random()
    if draw < 0.52:
        body = _images(dice)
    elif draw < 0.78:
        body = _external(dice)
    elif draw < 0.90:
        body = f'"$type":"app.bsky.embed.record","record":{popular_post(dice.random(), created_us).ref}'
    elif draw < 0.94:
        quoted = popular_post(dice.random(), created_us).ref
        body = (
            f'"$type":"app.bsky.embed.recordWithMedia","media":{{{_images(dice)}}},'
            f'"record":{{"$type":"app.bsky.embed.record","record":{quoted}}}'
        )
    else:
        body = (
            f'"$type":"app.bsky.embed.video","aspectRatio":{_ratio(dice)},'
            f'"video":{blob(dice, "video/mp4", 60_000_000)}'
        )
    return f'"embed":{{{body}}},'


def blob(dice: Dice, mime: str, limit: int) -> str:
    """Return the JSON of a reference to a file of up to `limit` bytes."""
    size = 1 + dice.below(limit)
    return f'{{"$type":"blob","ref":{{"$link":"{dice.blob()}"}},"mimeType":"{mime}","size":{size}}}'


def _ratio(dice: Dice) -> str:
    return f'{{"height":{dice.pick((2000, 1080, 1500, 1333, 720, 1920))},"width":{600 + dice.below(1400)}}}'


def _images(dice: Dice) -> str:
    images = []
    for _ in range(dice.pick((1, 1, 1, 1, 2, 4))):
        alt = escaped(sentences(dice, "en", 20 + dice.below(120))) if dice.chance(0.35) else ""
        images.append(
            f'{{"alt":"{alt}","aspectRatio":{_ratio(dice)},"image":{blob(dice, "image/jpeg", 1_000_000)}}}'
        )
    return f'"$type":"app.bsky.embed.images","images":[{",".join(images)}]'


def _external(dice: Dice) -> str:
    description = escaped(sentences(dice, "en", 30 + dice.below(150)))
    thumb = f'"thumb":{blob(dice, "image/jpeg", 900_000)},' if dice.chance(0.8) else ""
    title = escaped(sentences(dice, "en", 20 + dice.below(50)))
    return (
        f'"$type":"app.bsky.embed.external","external":{{"description":"{description}",{thumb}'
        f'"title":"{title}","uri":"{escaped(link(dice))}"}}'
    )


def _with_facets(dice: Dice, text: str) -> tuple[str, str]:
    """Append mentions, links or tags to the text; facets count UTF-8 bytes, not characters."""
    facets = []
    for _ in range(dice.pick((1, 1, 1, 2, 3))):
        token, feature = _feature(dice)
        start = len(text.encode()) + 1
        text = f"{text} {token}"
        facets.append(
            f'{{"$type":"app.bsky.richtext.facet","features":[{{"$type":"app.bsky.richtext.facet#{feature}}}],'
            f'"index":{{"byteEnd":{start + len(token.encode())},"byteStart":{start}}}}}'
        )
    return text, f'"facets":[{",".join(facets)}],'


def _feature(dice: Dice) -> tuple[str, str]:
    draw = dice.random()
    if draw < 0.45:
        address = link(dice)
        return f"{address[12:36]}...", f'link","uri":"{escaped(address)}"'
    if draw < 0.6:
        return f"@{handle(dice)}", f'mention","did":"{did(rank(dice.random()))}"'
    tag = name(dice)
    return f"#{tag}", f'tag","tag":"{tag}"'
