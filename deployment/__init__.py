"""Building, deploying and provisioning."""
