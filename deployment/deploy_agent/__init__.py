"""The program on the host that carries out `deploy|rollback|status <sha>`. Standard library only.

Packed into one file, `/opt/archive/bin/deploy-agent` (see deployment/pack_deploy_agent.py), the forced
command of the SSH user `deploy`. SSH brings only a commit's id; everything else comes from the registry:

    prefix/release:<sha>      an image without a program: the Compose files, monitoring/, images.env (every
                              image by digest), release.json (commit, number, time) and the deploy agent,
                              which replaces the installed one once the release is verified

An image and not an upload: the deploy key can then name a release but not make one, the runner needs no
second way onto the host, and the registry keeps exactly what was deployed. The tag is resolved once; after
that every reference is a digest.
"""
