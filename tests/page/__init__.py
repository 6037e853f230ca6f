"""The page in Chromium, clicked and typed in as a user would."""
