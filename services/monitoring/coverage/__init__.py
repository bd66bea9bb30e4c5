"""The check that whatever panels, rules and alerts ask for is exported, and that what we export is shown."""
