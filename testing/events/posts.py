"""Post records: text, replies, embeds, facets, labels and tags in the form that clients write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.events.crowd import popular_post, rank
from testing.events.names import did, iso
from testing.events.text import escaped, handle, length, link, name, sentences
from testing.events.words import SPOKEN

if TYPE_CHECKING:
    from testing.events.names import Rng

_LABELS = ("sexual", "nudity", "porn", "graphic-media", "!no-unauthenticated")


def post_record(rng: Rng, created_us: int) -> str:
    """Return the JSON of an app.bsky.feed.post written at created_us, keys in Go's (alphabetical) order."""
    language = rng.pick(SPOKEN)
    embed = _embed(rng, created_us) if rng.chance(0.32) else ""
    silent = embed and rng.chance(0.12)
    text = "" if silent else sentences(rng, language, _characters(rng, language))
    facets = ""
    if rng.chance(0.22) and not silent:
        text, facets = _with_facets(rng, text)
    langs = f'"langs":["{language}"],' if rng.chance(0.95) else ""
    if rng.chance(0.02):
        langs = f'"langs":["{language}","en-US"],'
    labels = ""
    if rng.chance(0.012):
        value = rng.pick(_LABELS)
        labels = f'"labels":{{"$type":"com.atproto.label.defs#selfLabels","values":[{{"val":"{value}"}}]}},'
    reply = _reply(rng, created_us) if rng.chance(0.47) else ""
    tags = ""
    if rng.chance(0.01):
        tags = f'"tags":["{name(rng)}","{name(rng)}"],'
    return (
        f'{{"$type":"app.bsky.feed.post","createdAt":"{iso(created_us)}",{embed}{facets}{labels}{langs}{reply}{tags}'
        f'"text":"{escaped(text)}"}}'
    )


def _characters(rng: Rng, language: str) -> int:
    # Japanese and Korean need a third of the characters of other languages.
    return length(rng) // (3 if language in {"ja", "ko"} else 1) + 1


def _reply(rng: Rng, created_us: int) -> str:
    parent = popular_post(rng.random(), created_us).ref
    root = parent if rng.chance(0.45) else popular_post(rng.random(), created_us).ref
    return f'"reply":{{"parent":{parent},"root":{root}}},'


def _embed(rng: Rng, created_us: int) -> str:
    draw = rng.random()
    if draw < 0.52:
        body = _images(rng)
    elif draw < 0.78:
        body = _external(rng)
    elif draw < 0.90:
        body = f'"$type":"app.bsky.embed.record","record":{popular_post(rng.random(), created_us).ref}'
    elif draw < 0.94:
        quoted = popular_post(rng.random(), created_us).ref
        body = (
            f'"$type":"app.bsky.embed.recordWithMedia","media":{{{_images(rng)}}},'
            f'"record":{{"$type":"app.bsky.embed.record","record":{quoted}}}'
        )
    else:
        body = (
            f'"$type":"app.bsky.embed.video","aspectRatio":{_ratio(rng)},'
            f'"video":{blob(rng, "video/mp4", 60_000_000)}'
        )
    return f'"embed":{{{body}}},'


def blob(rng: Rng, mime: str, limit: int) -> str:
    """Return the JSON of a reference to a file of at most `limit` bytes."""
    size = 1 + rng.below(limit)
    return f'{{"$type":"blob","ref":{{"$link":"{rng.blob()}"}},"mimeType":"{mime}","size":{size}}}'


def _ratio(rng: Rng) -> str:
    return f'{{"height":{rng.pick((2000, 1080, 1500, 1333, 720, 1920))},"width":{600 + rng.below(1400)}}}'


def _images(rng: Rng) -> str:
    images = []
    for _ in range(rng.pick((1, 1, 1, 1, 2, 4))):
        alt = escaped(sentences(rng, "en", 20 + rng.below(120))) if rng.chance(0.35) else ""
        images.append(
            f'{{"alt":"{alt}","aspectRatio":{_ratio(rng)},"image":{blob(rng, "image/jpeg", 1_000_000)}}}'
        )
    return f'"$type":"app.bsky.embed.images","images":[{",".join(images)}]'


def _external(rng: Rng) -> str:
    description = escaped(sentences(rng, "en", 30 + rng.below(150)))
    thumb = f'"thumb":{blob(rng, "image/jpeg", 900_000)},' if rng.chance(0.8) else ""
    title = escaped(sentences(rng, "en", 20 + rng.below(50)))
    return (
        f'"$type":"app.bsky.embed.external","external":{{"description":"{description}",{thumb}'
        f'"title":"{title}","uri":"{escaped(link(rng))}"}}'
    )


def _with_facets(rng: Rng, text: str) -> tuple[str, str]:
    """Append mentions, links or tags to the text; facets count UTF-8 bytes, not characters."""
    facets = []
    for _ in range(rng.pick((1, 1, 1, 2, 3))):
        token, feature = _feature(rng)
        start = len(text.encode()) + 1
        text = f"{text} {token}"
        facets.append(
            f'{{"$type":"app.bsky.richtext.facet","features":[{{"$type":"app.bsky.richtext.facet#{feature}}}],'
            f'"index":{{"byteEnd":{start + len(token.encode())},"byteStart":{start}}}}}'
        )
    return text, f'"facets":[{",".join(facets)}],'


def _feature(rng: Rng) -> tuple[str, str]:
    draw = rng.random()
    if draw < 0.45:
        address = link(rng)
        return f"{address[12:36]}...", f'link","uri":"{escaped(address)}"'
    if draw < 0.6:
        return f"@{handle(rng)}", f'mention","did":"{did(rank(rng.random()))}"'
    tag = name(rng)
    return f"#{tag}", f'tag","tag":"{tag}"'
