"""Both tiers: what lies only in the bucket, for the views over what lies here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.console import Console

from services.shared.event import Stream
from services.tools.offload.index import only_far

if TYPE_CHECKING:
    import pyarrow.dataset as ds

    from services.tools.settings import ToolsSettings


def far_datasets(given: ToolsSettings) -> dict[Stream, ds.Dataset]:
    """Return a dataset of streams that have files only in the bucket; says so where none can be read."""
    far = only_far(given.root, Stream)
    if not far:
        return {}
    if find_spec("obstore") is None or not given.archive_object_store:
        hours = len({(one.stream, one.hour) for one in far})
        mend = "set ARCHIVE_OBJECT_STORE and ask with: docker compose run --rm tools archive sql …"
        Console(stderr=True).print(
            f"{hours:,} hours lie only in the bucket and are not in this answer; {mend}", markup=False
        )
        return {}
    # Only in the image `tools`.
    from services.tools.offload.bucket import Bucket  # noqa: PLC0415 - see above
    from services.tools.offload.far import datasets  # noqa: PLC0415 - as above

    return datasets(Bucket(given), far)
