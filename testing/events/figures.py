"""What is known of the real network, each figure with its source and how near the traffic has to come."""

from __future__ import annotations

from typing import NamedTuple

JULY = "152 events, July 2026"
SEVENTEEN = "17 posts, July 2026"
BENCH = "1e9 events, November 2024 (JSONBench)"
MILLION = "first 1e6 events of JSONBench"
SECOND = "first second of JSONBench"
LINES = "line sizes of all captures"


class Figure(NamedTuple):
    """A figure of the real network; percentages unless the name says otherwise."""

    name: str
    real: float
    within: float
    """How far off the traffic's may be, in the figure's own unit."""
    source: str


class Weight(NamedTuple):
    """What samples of so many creates weigh: mean bytes an event, raw and gzipped."""

    collection: str
    events: int
    raw: float
    gzipped: float


# The four great collections stand as in the capture of 2026: in 2024 a third of all events were the follows
# of newcomers. Where the capture is too small to say, the billion of 2024 says it.
MIX = (
    Figure("app.bsky.feed.like", 69.1, 3.0, JULY),
    Figure("app.bsky.feed.post", 11.8, 1.5, JULY),
    Figure("app.bsky.feed.repost", 9.9, 1.5, JULY),
    Figure("app.bsky.graph.follow", 5.9, 1.5, JULY),
    Figure("identity and account", 0.63, 0.1, BENCH),
    Figure("app.bsky.graph.block", 1.6, 0.2, BENCH),
    Figure("app.bsky.actor.profile", 0.81, 0.15, BENCH),
    Figure("app.bsky.graph.listitem", 0.78, 0.15, BENCH),
    Figure("app.bsky.graph.listblock", 0.08, 0.04, BENCH),
    Figure("app.bsky.feed.threadgate", 0.04, 0.02, BENCH),
    Figure("app.bsky.graph.list", 0.03, 0.02, BENCH),
    Figure("app.bsky.graph.starterpack", 0.03, 0.02, BENCH),
    Figure("app.bsky.feed.postgate", 0.02, 0.015, BENCH),
    Figure("app.bsky.feed.generator", 0.007, 0.006, BENCH),
    Figure("deletes", 2.6, 1.0, JULY),
)
OPERATIONS = (
    Figure("creates among likes", 98.7, 0.5, BENCH),
    Figure("creates among posts", 95.1, 1.5, BENCH),
    Figure("creates among follows", 91.6, 2.0, BENCH),
    Figure("creates among reposts", 97.4, 1.0, MILLION),
    Figure("creates among profiles", 39.5, 8.0, BENCH),
)
BYTES = (
    Figure("bytes, mean event", 552.0, 28.0, JULY),
    Figure("bytes, 99th percentile of events", 1_200.0, 120.0, LINES),
    Figure("bytes, median like", 502.0, 2.0, LINES),
    Figure("bytes, median like with via", 659.0, 5.0, LINES),
    Figure("bytes, median repost", 506.0, 2.0, LINES),
    Figure("bytes, median follow", 395.5, 2.0, LINES),
    Figure("bytes, median block", 392.0, 2.0, LINES),
    Figure("bytes, mean delete", 200.0, 5.0, LINES),
    Figure("bytes, least identity", 193.0, 2.0, LINES),
    Figure("bytes, 90th percentile of identities", 231.0, 10.0, LINES),
    Figure("bytes, median post", 780.0, 40.0, LINES),
)
POSTS = (
    Figure("replies among posts", 47.0, 12.0, SEVENTEEN),
    Figure("posts with an embed", 29.0, 11.0, SEVENTEEN),
    Figure("posts with facets", 29.0, 11.0, SEVENTEEN),
    Figure("posts in English", 47.0, 12.0, SEVENTEEN),
    Figure("likes with via", 17.1, 7.5, "105 likes, July 2026"),
    Figure("reposts with via", 40.0, 25.0, "15 reposts, July 2026"),
)
CROWDS = (
    Figure("DIDs in 152 events", 149.0, 2.5, JULY),
    Figure("DIDs in 502 likes", 493.0, 4.0, SECOND),
    Figure("subjects in 502 likes", 492.0, 4.0, SECOND),
    Figure("DIDs in 444,523 likes of 814 s", 117_671.0, 6_000.0, MILLION),
    Figure("DIDs in 86,812 posts of 814 s", 50_489.0, 2_500.0, MILLION),
    Figure("DIDs in 56,993 reposts of 814 s", 26_584.0, 1_300.0, MILLION),
    Figure("DIDs in 337,978 follows of 814 s", 64_023.0, 3_200.0, MILLION),
)
RHYTHM = (
    Figure("peak hour, times the day's mean", 1.42, 0.03, "130,000 of 2.2 million posts, March 2026"),
    Figure("burst, times the hour's mean", 10.0, 0.1, "set: ten times for a minute"),
)
WEIGHTS = (
    Weight("app.bsky.feed.like", 502, 503, 143),
    Weight("app.bsky.feed.repost", 60, 507, 148),
    Weight("app.bsky.graph.follow", 300, 395, 95),
    Weight("app.bsky.feed.post", 100, 782, 234),
)
"""Creates among the first events of JSONBench."""

GZIP_WITHIN = 0.1
"""Samples of equal size have to gzip to the same bytes an event within this share."""
