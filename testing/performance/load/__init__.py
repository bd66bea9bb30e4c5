"""The whole pipeline under load: `make load SHAPE=spike`.

Locust drives the rate of a fake Jetstream host, pushes to Redis and reads the archive. It runs in a process
of its own, as it patches the standard library. `plan` defines shapes, `target` the pipeline, `sample` the
measurements, `verdict` the limits, and `report` the output.
"""
