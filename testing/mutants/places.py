"""The files that mutants change, and the change that several share."""

from __future__ import annotations

from testing.mutants.tree import Edit

PUSH = "services/shared/buffer/push.py"
CLAIMS = "services/shared/buffer/claims.py"
KEYS = "services/shared/buffer/keys.py"
CONNECTION = "services/shared/buffer/connection.py"
DRAFT = "services/jetstream/draft.py"
INGEST = "services/jetstream/ingest.py"
WRITE = "services/data_writer/write.py"
FINISH = "services/data_writer/finish.py"
EPOCH = "services/data_writer/epoch.py"
LAYOUT = "services/data_writer/layout.py"
COMMIT = "services/data_writer/commit.py"
SERVER = "services/shared/buffer/server.py"
REDIS_CONF = "services/redis/redis.conf"


NO_FENCE = Edit(CONNECTION, "        if fence:\n", "        if fence and not self.user:\n")
