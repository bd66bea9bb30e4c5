"""The files that mutants change, and the change that several share."""

from __future__ import annotations

from testing.proof.mutants.tree import Edit

PUSH = "services/buffer/push.py"
CLAIMS = "services/buffer/claims.py"
KEYS = "services/buffer/keys.py"
CONNECTION = "services/buffer/connection.py"
DRAFT = "services/jetstream/draft.py"
INGEST = "services/jetstream/ingest.py"
WRITE = "services/data_writer/write.py"
FINISH = "services/data_writer/finish.py"
EPOCH = "services/data_writer/epoch.py"
LAYOUT = "services/archive/paths.py"
COMMIT = "services/data_writer/commit.py"
SERVER = "services/buffer/server.py"
REDIS_CONF = "services/redis/redis.conf"


NO_FENCE = Edit(CONNECTION, "        if fence:\n", "        if fence and not self.user:\n")
