"""The Locust file of the load tests, run with `--place FILE`: users, and how their number changes.

Only Locust imports this: importing it patches the standard library.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from locust import LoadTestShape, events
from locust.runners import WorkerRunner
from locust.stats import save_stats_json

from testing.performance.load.place import Place
from testing.performance.load.users import BufferUser, FirehoseUser, ReaderUser, Session

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment

__all__ = ["BufferUser", "Course", "FirehoseUser", "ReaderUser"]

BEHIND_SECONDS = 15.0
"""A ramp ends when the pipeline is so far behind: the knee lies before."""


@events.init_command_line_parser.add_listener
def _arguments(parser: LocustArgumentParser) -> None:
    # A str: its workers are sent it as msgpack. Its pages need not show it.
    parser.add_argument(
        "--place", required=True, help="what `testing.performance.load.place` wrote", include_in_web_ui=False
    )


@events.init.add_listener
def _begin(environment: Environment, **_: object) -> None:
    assert environment.parsed_options is not None
    place = Place.read(Path(environment.parsed_options.place))
    Session.open(place)
    BufferUser.fixed_count = int(place.pushes)
    ReaderUser.fixed_count = int(place.reads and place.archive is not None)
    chosen = [(BufferUser, place.pushes), (ReaderUser, ReaderUser.fixed_count > 0)]
    environment.user_classes = [FirehoseUser, *(user for user, wanted in chosen if wanted)]


@events.test_start.add_listener
def _watch(environment: Environment, **_: object) -> None:
    if not isinstance(environment.runner, WorkerRunner) or Session.place.is_driven:
        Session.watch.start()


@events.init.add_listener
def _leave_table(environment: Environment, **_: object) -> None:
    @events.quit.add_listener
    def _write(**_: object) -> None:
        # Not by --json-file: each worker would write its own share over the master's.
        if environment.runner is not None and not isinstance(environment.runner, WorkerRunner):
            save_stats_json(environment.runner.stats, f"{Session.place.table}")


class Course(LoadTestShape):
    """Follows the plan of the place's shape."""

    def tick(self) -> tuple[int, float] | None:
        """Return how many users there should be now, and how fast they come; None at the end."""
        shape = Session.place.shape
        users = shape.users_at(self.get_run_time())
        if users is None:
            return None
        if shape.finds_knee and Session.behind() > BEHIND_SECONDS * users * shape.share:
            return None
        others = BufferUser.fixed_count + ReaderUser.fixed_count
        return users + others, 100.0
