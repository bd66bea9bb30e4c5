"""The Locust file of the load tests, run with `--run-plan FILE`: users, and how their number changes.

Only Locust imports this: importing it patches the standard library.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from locust import LoadTestShape, events
from locust.runners import WorkerRunner
from locust.stats import save_stats_json

from testing.performance.load.plan import RunPlan
from testing.performance.load.users import BufferUser, FirehoseUser, ReaderUser, Session

if TYPE_CHECKING:
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment

__all__ = ["BufferUser", "FirehoseUser", "ReaderUser", "ShapeFromPlan"]

BEHIND_SECONDS = 15.0
"""A ramp ends when the pipeline is this far behind: the knee is before that."""


@events.init_command_line_parser.add_listener
def _arguments(parser: LocustArgumentParser) -> None:
    # A str, as it is sent to workers as msgpack.
    parser.add_argument(
        "--run-plan",
        required=True,
        help="what `testing.performance.load.plan` wrote",
        include_in_web_ui=False,
    )


@events.init.add_listener
def _begin(environment: Environment, **_: object) -> None:
    assert environment.parsed_options is not None
    plan = RunPlan.read(Path(environment.parsed_options.run_plan))
    Session.open(plan)
    BufferUser.fixed_count = int(plan.pushes)
    ReaderUser.fixed_count = int(plan.reads and plan.archive is not None)
    chosen = [(BufferUser, plan.pushes), (ReaderUser, ReaderUser.fixed_count > 0)]
    environment.user_classes = [FirehoseUser, *(user for user, wanted in chosen if wanted)]


@events.test_start.add_listener
def _watch(environment: Environment, **_: object) -> None:
    if not isinstance(environment.runner, WorkerRunner) or Session.plan.is_driven:
        Session.watch.start()


@events.init.add_listener
def _leave_table(environment: Environment, **_: object) -> None:
    @events.quit.add_listener
    def _write(**_: object) -> None:
        # Not by --json-file: each worker would overwrite the master's table.
        if environment.runner is not None and not isinstance(environment.runner, WorkerRunner):
            save_stats_json(environment.runner.stats, f"{Session.plan.table}")


class ShapeFromPlan(LoadTestShape):
    """The number of users over time, from the plan's shape."""

    def tick(self) -> tuple[int, float] | None:
        """Return the number of users now and their spawn rate; None at the end."""
        shape = Session.plan.shape
        users = shape.users_at(self.get_run_time())
        if users is None:
            return None
        if shape.finds_knee and Session.behind() > BEHIND_SECONDS * users * shape.share:
            return None
        others = BufferUser.fixed_count + ReaderUser.fixed_count
        return users + others, 100.0
