"""How fast the daemons are on this machine, beside what bare tools do with the same data in the same run."""
