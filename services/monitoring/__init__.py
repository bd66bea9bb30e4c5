"""The container `health`: one address that tells whether the archive works, and why not."""
