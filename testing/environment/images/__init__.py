"""Stand-ins: images under the official images' names, built from Debian's packages where no registry is.

Same entrypoints, paths, users and ports as the official ones, so that our Dockerfiles and Compose files run
unchanged. Each bears the label `standin=1`; `docker image rm $(docker image ls -q --filter label=standin=1)`
removes them, and with a registry none of this is needed.
"""
