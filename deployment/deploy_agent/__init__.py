"""What runs on the host: `deploy|rollback|status <sha>`, and nothing else. Standard library only.

Packed into one file, `/opt/archive/bin/deploy-agent` (see deployment/pack_deploy_agent.py), the forced
command of the user that deploys. SSH brings a commit's id only; the registry has the rest of a release:

    prefix/release:<sha>      an image of no program, with the Compose files, monitoring/, images.env (every
                              image by digest), release.json (the commit, its number and its time) and gate,
                              which takes this one's place when the release was seen to work

An image and not an upload, because then the key that deploys can name a release and not make one; because the
runner needs no second way onto the host; and because the registry keeps what was deployed, byte for byte. The
tag is resolved once; from there on everything goes by digest.
"""
