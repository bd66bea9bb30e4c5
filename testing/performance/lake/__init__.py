"""An archive of any size, as writers leave it, made with no Redis and no network."""
