"""Erases what an account wrote, wherever the archive has it, and says what was where."""
