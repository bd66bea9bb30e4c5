"""One rented machine at Hetzner and what belongs to it: told, made, taken away; found again by its label."""
