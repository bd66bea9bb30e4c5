"""The Redis lists between the daemons; the only package that speaks Redis.

Spine: buffer, and the Redis half of claim and ack. Keys are in `keys`, the wire in `connection`,
the ingester's side in `push`, the writer's in `claims`.
"""
