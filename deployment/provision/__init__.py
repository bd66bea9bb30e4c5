"""One rented machine at Hetzner with its other objects, which are identified by their labels."""
