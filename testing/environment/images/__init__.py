"""Stand-ins: images with the official images' names, built from Debian's packages without a registry.

They have the entrypoints, paths, users and ports of the official images, so that our Dockerfiles and Compose
files run unchanged. Each has the label `standin=1`, by which
`docker image rm $(docker image ls -q --filter label=standin=1)` removes them.
"""
