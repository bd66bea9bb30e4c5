"""A machine to test on: Docker Engine, images, and a bare container for the newcomer."""
