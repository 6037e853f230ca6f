"""Profile, benchmark, roofline, inspection."""
