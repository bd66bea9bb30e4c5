"""The Redis lists between the daemons; the only package that speaks Redis.

`connection` is the protocol, `keys` the names, `server` the checks of the server. `push` is the ingester's
side, `claims` the writer's, `operator_push` that of the tools.
"""
