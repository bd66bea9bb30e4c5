"""What both daemons already use; imports no daemon."""
