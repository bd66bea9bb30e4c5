"""The whole pipeline under load, sampled, judged and reported: `make load SHAPE=spike`.

Stands beside the spine: Locust drives the rate of a fake Jetstream host (or of Redis, or reads the archive),
in a process of its own, because it patches the standard library. `plan` says what a shape is (pure),
`target` what is loaded, `sample` what is looked at, `verdict` what must hold, `report` what a person reads.
"""
